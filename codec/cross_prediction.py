"""What each number of a frame tells of all the others a little later: the cross terms of a vector autoregression.

A head that turns will soon have moved its shoulders, and a mouth that opens goes on to what mouths do then. On top of
what each number tells of itself (:mod:`codec.prediction`), the D numbers of a frame that lies ``gap`` frames after its
reference A, and after B, the frame sent before A, are expected to be further on by::

    gain_gap (sum_j place_kj (A_j - centre_j) + motion_kj (A_j - B_j) >> 12) + 2**11 >> 12

with one matrix for all gaps and operating points: over other gaps the same happens, more of it or less.
"""

from codec.linear_terms import LinearTerms


class CrossPrediction(LinearTerms):
    """By how much further on the numbers are: first vector A - centre, second A - B."""
