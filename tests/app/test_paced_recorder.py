"""The video runs as long as the call did and shows the newest picture at each moment."""

import time

import av
import numpy as np
import pytest

from app.paced_recorder import PacedRecorder, centred


def plain(shade, side=32):
    return np.full((side, side, 3), shade, np.uint8)


def test_the_video_keeps_time(tmp_path):
    recorder = PacedRecorder(tmp_path / "out.mp4", 20)
    recorder.show(plain(20))
    time.sleep(0.5)
    recorder.show(plain(120))
    time.sleep(0.25)
    recorder.show(plain(220))
    time.sleep(0.25)
    recorder.close()
    with av.open(str(tmp_path / "out.mp4")) as container:
        shades = [int(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]
    assert 15 <= len(shades) <= 25
    assert shades == sorted(shades)
    assert {min((20, 120, 220), key=lambda shade: abs(shade - seen)) for seen in shades} == {20, 120, 220}
    assert sum(seen < 70 for seen in shades) == pytest.approx(len(shades) / 2, abs=4)


def test_nothing_shown_is_no_file(tmp_path):
    PacedRecorder(tmp_path / "out.mp4").close()
    assert not list(tmp_path.iterdir())


def test_pictures_of_another_size_are_centred():
    larger = centred(plain(50, 32), 48, 40)
    assert larger.shape == (40, 48, 3)
    assert larger.sum() == 50 * 32 * 32 * 3
    assert (larger[4:36, 8:40] == 50).all()
    picture = np.arange(36, dtype=np.uint8).reshape(6, 6, 1).repeat(3, 2)
    np.testing.assert_array_equal(centred(picture, 2, 4), picture[1:5, 2:4])
