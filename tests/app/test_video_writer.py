"""A written video, read back by the decoder, shows what was written."""

import av
import numpy as np
import pytest

from app.errors import UsageError
from app.video_writer import VideoWriter, check_video_path


def colours(width, height, shade):
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = (200, 40, 40)
    picture[:, width // 2 :] = (40, shade, 200)
    return picture


@pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 49)])
def test_frames_colours_and_rate_survive(tmp_path, width, height):
    path = tmp_path / "out.mp4"
    with VideoWriter(path, width, height, 25) as writer:
        for shade in (0, 120, 240):
            writer.write(colours(width, height, shade))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 25
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3
    for frame, shade in zip(frames, (0, 120, 240), strict=True):
        assert frame.shape == (height + height % 2, width + width % 2, 3)
        # Away from the edge between the halves, where the colour is at half resolution.
        assert np.abs(frame[:height, 2:20].astype(int) - (200, 40, 40)).max() <= 8
        assert np.abs(frame[:height, width - 20 : width - 2].astype(int) - (40, shade, 200)).max() <= 8


def test_an_unfinished_video_leaves_the_old_one_alone(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"an older recording")
    writer = VideoWriter(path, 32, 32, 25)
    writer.write(colours(32, 32, 0))
    assert path.read_bytes() == b"an older recording"
    writer.close()
    assert path.read_bytes() != b"an older recording"
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_without_pictures_is_no_file(tmp_path):
    VideoWriter(tmp_path / "out.mp4", 32, 32, 25).close()
    assert not list(tmp_path.iterdir())


def test_a_picture_of_another_size_is_refused(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", 32, 32, 25) as writer, pytest.raises(ValueError, match="picture"):
        writer.write(colours(16, 16, 0))


@pytest.mark.parametrize(
    ("name", "words"), [("out.gif", "ends in"), ("missing/out.mp4", "does not exist"), ("folder.mp4", "is a folder")]
)
def test_places_that_cannot_work_are_named(tmp_path, name, words):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UsageError, match=words):
        check_video_path(tmp_path / name)
