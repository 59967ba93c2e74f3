"""Our codec beside others."""

import numpy as np
import pytest

from app.bench.codec import Coded
from app.bench.neck import neck_masks, neck_psnr
from app.bench.ours import camera_picture
from app.bench.upscaled import UpscaledCodec
from app.enrolment.framing import Framing
from renderer.training.dataset import BACKGROUND, BODY, HEAD


@pytest.mark.parametrize(
    "framing",
    [
        Framing(512, 512, 0, 0, 512),
        Framing(360, 288, 31, 0, 288),
        Framing(360, 288, 72, 0, 288),
        Framing(90, 130, 0, 40, 90),
    ],
)
@pytest.mark.parametrize("size", [64, 256])
def test_the_tracker_sees_the_square_where_it_was_in_the_cameras_picture(framing: Framing, size: int) -> None:
    square = np.random.default_rng(1).integers(1, 256, (size, size, 3), np.uint8)
    picture = camera_picture(square, framing)
    scale = size / framing.side
    assert picture.shape[1] == pytest.approx(framing.width * scale, abs=0.51)
    assert picture.shape[0] == pytest.approx(framing.height * scale, abs=0.51)
    rows, columns = np.nonzero(picture.any(-1))
    assert columns.min() == pytest.approx(framing.left * scale, abs=0.51)
    assert rows.min() == pytest.approx(framing.top * scale, abs=0.51)
    assert np.array_equal(picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1], square)


def head_above_body() -> np.ndarray:
    classes = np.full((2, 64, 64), BACKGROUND, np.uint8)
    classes[:, 10:40, 20:44] = HEAD
    classes[:, 40:, 10:54] = BODY
    classes[1] = BACKGROUND
    return classes


def test_the_neck_is_where_head_meets_body() -> None:
    masks = neck_masks(head_above_body())
    rows, columns = np.nonzero(masks[0])
    assert (rows.min(), rows.max()) == (38, 41)
    assert (columns.min(), columns.max()) == (18, 45)
    assert not masks[1].any()


def test_only_the_neck_counts() -> None:
    real = np.full((2, 64, 64, 3), 100, np.uint8)
    shown = real.copy()
    shown[:, :30] = 0
    masks = neck_masks(head_above_body())
    assert neck_psnr(real, shown, masks) == pytest.approx(100.0)
    shown[0, 35:45] += 10
    assert neck_psnr(real, shown, masks) == pytest.approx(20 * np.log10(255 / 10))
    assert np.isnan(neck_psnr(real, shown, np.zeros_like(masks)))


class Rendering:
    """Stands for our codec: a picture's brightness grows to the right, at whatever size."""

    name, label, settings = "ours", "nerfcall", {"avatar": "a"}

    def decode(self, coded: Coded, size: int) -> np.ndarray:
        self.size = size
        ramp = np.linspace(0, 255, size).round().astype(np.uint8)
        return np.broadcast_to(ramp[None, None, :, None], (len(coded.packets), size, size, 3))

    def encode(self, frames: np.ndarray, fps: float) -> Coded:
        return Coded((b"abc",) * len(frames))

    def versions(self) -> dict[str, str]:
        return {"nerfcall": "1"}


def test_what_is_rendered_at_one_size_is_upscaled_to_another() -> None:
    ours = Rendering()
    codec = UpscaledCodec(ours, 32)
    frames = codec.decode(codec.encode(np.zeros((2, 64, 64, 3), np.uint8), 25.0), 64)
    assert ours.size == 32
    assert (frames.shape, frames.dtype) == ((2, 64, 64, 3), np.uint8)
    assert np.abs(frames[1, 30, :, 0] - np.linspace(0, 255, 64)).max() < 6
    assert (codec.name, codec.label) == ("ours-upscaled", "nerfcall, 32² upscaled")
    assert codec.settings == {"avatar": "a", "rendered_at": 32}
    assert set(codec.versions()) == {"nerfcall", "opencv"}
