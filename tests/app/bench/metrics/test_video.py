"""All metrics together, on a video of a painted head whose pose and expression are known."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from app.bench.metrics import video as video_module
from app.bench.metrics.lpips import Lpips, layer_distances, lpips
from app.bench.metrics.video import VideoMetrics
from app.tracking.calibration import Calibration
from app.tracking.morphable_model import MorphableModel
from codec.face_state import EXPRESSION_SIZE, HeadPose
from codec.rotation import rotation_vector_to_matrix
from tests.app.tracking.painted_head import picture

FRAMES = 12
STRIDE = 4
SIZE = 192


def head(model, index, yaw=0.0):
    expression = np.zeros(EXPRESSION_SIZE)
    expression[model.expression_names.index("jawOpen")] = 0.4 * (index // 3 % 2)
    rotation = rotation_vector_to_matrix(np.deg2rad([0.0, index + yaw, 0.0]))
    pose = HeadPose(rotation.astype(np.float32), np.array([0.0, 0.0, -60.0], np.float32))
    return picture(model, pose, expression, size=SIZE)


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def reference(model):
    return np.stack([head(model, index) for index in range(FRAMES)])


@pytest.fixture(scope="module")
def masks():
    """The middle of the picture; in the last frame that is looked at, nothing."""
    masks = np.zeros((FRAMES, SIZE, SIZE), bool)
    masks[:, 48:144, 48:144] = True
    masks[2 * STRIDE] = False
    return masks


@pytest.fixture(scope="module")
def metrics(model, reference, masks):
    person = Calibration.mean_face(len(model.identity_basis), model.digest)
    return VideoMetrics(reference, masks, person, 25.0, STRIDE)


def test_the_reference_itself_is_without_fault(metrics, reference):
    found = metrics.measure(reference)
    assert found["full"] == {"l1": 0.0, "psnr": 100.0, "ssim": 1.0, "ms_ssim": 1.0, "lpips": 0.0}
    assert found["head"] == {"l1": 0.0, "psnr": 100.0, "ssim": 1.0, "lpips": 0.0}
    face = found["face"]
    assert face["csim"] == pytest.approx(1.0)
    assert (face["aucon"], face["prmse_degrees"], face["landmark_distance_percent"]) == (1.0, 0.0, 0.0)
    assert (face["faces"], face["faces_missed"], face["csim_missed"]) == (FRAMES, 0.0, 0.0)
    assert 0.5 <= face["aucon_still"] < 1.0, "the jaw moves"
    assert found["video"]["flicker"] == found["video"]["flicker_reference"] > 0.0


def test_pixel_metrics_are_means_over_the_frames_that_they_look_at(metrics, reference, masks):
    decoded = np.clip(reference.astype(int) + np.arange(FRAMES)[:, None, None, None], 0, 255).astype(np.uint8)
    decoded[:, ::2, ::2] //= 2
    found = metrics.measure(decoded)
    chosen = range(0, FRAMES, STRIDE)
    every = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(reference, decoded, strict=True)]
    assert found["full"]["psnr"] == pytest.approx(np.mean(every))
    assert found["full"]["l1"] == pytest.approx(np.abs(reference.astype(int) - decoded).mean() / 255)
    ssim = [
        structural_similarity(
            reference[i],
            decoded[i],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=-1,
        )
        for i in chosen
    ]
    assert found["full"]["ssim"] == pytest.approx(np.mean(ssim), abs=1e-5)
    network = Lpips()
    pairs = zip(network.features(reference[::STRIDE]), network.features(decoded[::STRIDE]), strict=True)
    assert found["full"]["lpips"] == pytest.approx(np.mean([lpips(layer_distances(*pair)) for pair in pairs]), rel=1e-4)
    within = [i for i in chosen if masks[i].any()]
    assert len(within) == 2, "the frame without a head is no part of the head's mean"
    errors = [peak_signal_noise_ratio(reference[i][masks[i]], decoded[i][masks[i]], data_range=255) for i in within]
    assert found["head"]["psnr"] == pytest.approx(np.mean(errors))


def test_a_head_that_is_turned_too_far_by_so_much_is_measured_so(model, metrics):
    turned = np.stack([head(model, index, yaw=6.0) for index in range(FRAMES)])
    found = metrics.measure(turned)["face"]
    assert found["faces_missed"] == 0.0
    # Six degrees of one angle among three, as far as the tracker is exact on a painted head.
    assert found["prmse_degrees"] == pytest.approx(6.0 / np.sqrt(3), rel=0.25)
    # The landmarks lie some 6 cm before the axis and the outer corners of the eyes 9 to 10 cm apart: 0.6 cm of 9.5.
    assert 3.0 < found["landmark_distance_percent"] < 12.0
    assert found["aucon"] > 0.8, "the mouth does the same"


def test_frames_that_lost_the_face_are_counted_and_their_identity_too(metrics, reference):
    decoded = reference.copy()
    decoded[5:] = 120
    found = metrics.measure(decoded)["face"]
    assert found["faces"] == FRAMES
    assert found["faces_missed"] == FRAMES - 5
    assert found["prmse_degrees"] == 0.0, "of the five that are there, before which nothing differs"
    assert found["csim"] < 0.97
    gone = metrics.measure(np.full_like(reference, 120))
    assert gone["face"]["faces_missed"] == FRAMES
    assert np.isnan([gone["face"][name] for name in ("aucon", "prmse_degrees", "landmark_distance_percent")]).all()
    assert gone["video"]["flicker"] == 0.0


def test_footage_without_a_face_says_so(reference):
    empty = np.full((3, 64, 64, 3), 70, np.uint8)
    found = VideoMetrics(empty, None, None, 25.0, 1).measure(empty + np.uint8(3))
    assert "head" not in found
    assert found["full"]["l1"] == pytest.approx(3 / 255)
    assert np.isnan(found["full"]["ms_ssim"]), "64 pixels hold no five scales"
    assert (found["face"]["faces"], found["face"]["csim_missed"]) == (0.0, 3.0)
    assert np.isnan([found["face"][name] for name in ("csim", "aucon", "aucon_still", "prmse_degrees")]).all()


def test_features_that_are_not_kept_give_the_same(metrics, reference, masks, model, monkeypatch):
    decoded = np.roll(reference, 2, axis=2)
    kept = metrics.measure(decoded)
    monkeypatch.setattr(video_module, "FEATURE_LIMIT_BYTES", 0)
    person = Calibration.mean_face(len(model.identity_basis), model.digest)
    anew = VideoMetrics(reference, masks, person, 25.0, STRIDE).measure(decoded)
    for group in kept:
        assert anew[group] == pytest.approx(kept[group], rel=1e-4, nan_ok=True)


def test_other_shapes_are_refused(metrics, reference, masks):
    with pytest.raises(ValueError, match="decoded frames must be"):
        metrics.measure(reference[:-1])
    with pytest.raises(ValueError, match="decoded frames must be"):
        metrics.measure(reference.astype(np.float32))
    with pytest.raises(ValueError, match="reference must be"):
        VideoMetrics(reference[..., :2], None, None, 25.0)
    with pytest.raises(ValueError, match="masks must be"):
        VideoMetrics(reference, masks[:, 1:], None, 25.0)
