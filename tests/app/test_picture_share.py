"""Pictures cross between two ends, the newest one only, and the file goes away."""

import subprocess
import sys
import time

import numpy as np
import pytest

from app.picture_share import LARGEST_SIDE, PictureShare, PictureShareError


def picture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_the_newest_picture_is_read_once():
    with PictureShare.create() as reader, PictureShare.attach(reader.path) as writer:
        assert reader.read() is None
        writer.write(picture(40, 30, 1), 1.5)
        writer.write(picture(30, 40, 2), 2.5)
        taken = reader.read()
        assert taken is not None
        np.testing.assert_array_equal(taken[0], picture(30, 40, 2))
        assert taken[1] == 2.5
        assert reader.read() is None


def test_a_large_picture_keeps_its_shape():
    with PictureShare.create() as reader, PictureShare.attach(reader.path) as writer:
        writer.write(np.full((720, 1280, 3), 77, np.uint8), 0.0)
        taken = reader.read()
    assert taken is not None
    assert taken[0].shape == (360, LARGEST_SIDE, 3)
    assert np.abs(taken[0].astype(int) - 77).max() <= 1


def test_another_process_hands_over_and_its_end_does_not_take_the_picture_away():
    with PictureShare.create() as reader:
        code = (
            "import sys, numpy as np; from app.picture_share import PictureShare;"
            "PictureShare.attach(sys.argv[1]).write(np.full((8, 8, 3), 9, np.uint8), 3.0)"
        )
        subprocess.run([sys.executable, "-c", code, str(reader.path)], check=True, timeout=60)
        taken = reader.read()
    assert taken is not None
    assert (taken[0] == 9).all()
    assert not reader.path.exists()


def test_no_torn_picture_is_read_while_another_process_writes():
    code = (
        "import sys, time, numpy as np; from app.picture_share import PictureShare;"
        "share = PictureShare.attach(sys.argv[1]);"
        "[(share.write(np.full((200, 200, 3), n % 256, np.uint8), n), time.sleep(0.02)) for n in range(1000000)]"
    )
    with PictureShare.create() as reader:
        writer = subprocess.Popen([sys.executable, "-c", code, str(reader.path)])
        try:
            seen = 0
            while seen < 20:
                assert writer.poll() is None
                taken = reader.read()
                if taken is not None:
                    assert (taken[0] == int(taken[1]) % 256).all()
                    seen += 1
                time.sleep(0.001)
        finally:
            writer.kill()
            writer.wait()


def test_what_is_no_shared_picture_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"something else")
    with pytest.raises(PictureShareError, match="no shared picture"):
        PictureShare.attach(tmp_path / "file")
    with pytest.raises(PictureShareError, match="cannot be opened"):
        PictureShare.attach(tmp_path / "missing")
