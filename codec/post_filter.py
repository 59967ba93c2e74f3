"""What a receiver shows of a decoded frame: not the numbers on their grid, but what they most likely were before.

Rounding leaves each number off by up to half a step and more, anew in every frame. The frame before, which was rounded
by itself, tells of the same face a moment earlier; and a residual that moves a number on tells that it may have moved
further, as the encoder stops short where that saves bits. So the D numbers v of a frame, predicted as p, after the
frame with the numbers w, are shown as their linear least-squares estimate, a Wiener filter fitted to the enrolment::

    v_k + (gain (sum_j before_kj (w_j - v_j) + residual_kj (v_j - p_j) >> 12) + 2**11 >> 12)

All numbers take part: the encoder lets their errors make up for each other (:mod:`codec.noise_feedback`), and what
corrected each by itself would undo that. Frames are predicted from v, never from what is shown: both sides agree
whatever the filter, and a frame that is lost takes its part of the filter with it and nothing else.
"""

from codec.linear_terms import LinearTerms


class PostFilter(LinearTerms):
    """What is added to the numbers v of a frame: first vector w - v, second v - p."""
