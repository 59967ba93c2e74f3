"""Person and background, of several pictures at a time."""

from collections.abc import Iterator

import numpy as np
import pytest

from app.tracking.segmenter import open_segmenter, segment_all

PICTURES = [np.full((96, 80, 3), level, np.uint8) for level in (0, 90, 180)]
PICTURES += list(np.random.default_rng(3).integers(0, 256, (6, 96, 80, 3)).astype(np.uint8))


@pytest.mark.parametrize("workers", [1, 3])
def test_several_at_a_time_give_what_each_gives_alone_in_order(workers: int) -> None:
    taken = 0

    def pictures() -> Iterator[np.ndarray]:
        nonlocal taken
        for picture in PICTURES:
            taken += 1
            yield picture

    with open_segmenter() as segmenter:
        alone = [segmenter.segment(picture).copy() for picture in PICTURES]
    assert len({mask.tobytes() for mask in alone}) > 1
    for count, (mask, expected) in enumerate(zip(segment_all(pictures(), workers), alone, strict=True), 1):
        # No more pictures wait than keep the workers busy.
        assert taken <= count + 2 * workers
        np.testing.assert_array_equal(mask, expected)


def test_a_clip_that_breaks_off_says_so() -> None:
    def pictures() -> Iterator[np.ndarray]:
        yield from PICTURES[:4]
        raise OSError("the clip breaks off")

    with pytest.raises(OSError, match="the clip breaks off"):
        list(segment_all(pictures(), 2))
