"""LPIPS against values that the authors' code gave for photographs, and its parts against their plain definition."""

import pickle
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from app.assets import PipSdist, cache_folder
from app.bench.metrics.lpips import Lpips, layer_distances, lpips, part_weights
from app.lpips_weights import CHANNELS, WeightsError, alexnet_convolutions, lpips_heads

PAIRS = PipSdist(
    "pyiqa==0.1.16",
    "80fb913302585a774875c224b4f95068ac17bebd88f735876e6f0c3bb0988d34",
    "pyiqa-0.1.16/ResultsCalibra",
)
PUBLISHED = {"I03": 0.7237, "I04": 0.2572, "I06": 0.05079, "I08": 0.05205, "I19": 0.4253}
"""LPIPS (AlexNet, 0.1) of the authors' own code for five pairs of TID2013: results_official.csv beside the pictures."""


@pytest.fixture(scope="module")
def network():
    return Lpips()


@pytest.fixture(scope="module")
def photographs():
    """The pairs, (512 x 384 RGB) each, from the package that publishes them with the values; brought once."""
    folder = cache_folder() / "tests" / "tid2013"
    if len(list(folder.glob("*/*.bmp"))) < 2 * len(PUBLISHED):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as packages, PAIRS.opened(Path(packages)) as archive:
            for kind in ("ref_dir", "dist_dir"):
                (folder / kind).mkdir(exist_ok=True)
                for name in PUBLISHED:
                    stream = archive.extractfile(f"{PAIRS.member}/{kind}/{name}.bmp")
                    (folder / kind / f"{name}.bmp").write_bytes(stream.read())
    return {
        name: [
            cv2.cvtColor(cv2.imread(str(folder / kind / f"{name}.bmp")), cv2.COLOR_BGR2RGB)
            for kind in ("ref_dir", "dist_dir")
        ]
        for name in PUBLISHED
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_photographs_give_what_the_authors_code_gave(network, photographs, name):
    reference, distorted = network.features(np.stack(photographs[name]))
    assert lpips(layer_distances(reference, distorted)) == pytest.approx(PUBLISHED[name], abs=5.1e-5)


def plain_maps(pictures):
    """Follow the paper's equation 1 step by step with the published weights: each layer's map, (h, w)."""
    activation = torch.tensor(pictures).permute(0, 3, 1, 2).double() / 127.5 - 1
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    activation = (activation - shift[:, None, None]) / scale[:, None, None]
    maps = []
    for index, ((weight, bias), head) in enumerate(zip(alexnet_convolutions(), lpips_heads(), strict=True)):
        if index in (1, 2):
            activation = functional.max_pool2d(activation, kernel_size=3, stride=2)
        stride, padding = [(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)][index]
        activation = functional.conv2d(activation, weight.double(), bias.double(), stride, padding).clamp(min=0)
        unit = activation / (activation.square().sum(1, keepdim=True).sqrt() + 1e-10)
        maps.append((head[:, None, None] * (unit[0] - unit[1]) ** 2).sum(0))
    return maps


@pytest.mark.parametrize("size", [(64, 64), (96, 130), (256, 256)])
def test_whole_and_part_follow_the_definition(network, size):
    rng = np.random.default_rng(5)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3)).astype(np.uint8), (0, 0), 2)
    noisy = np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)
    reference, decoded = network.features(np.stack([smooth, noisy]))
    distances = layer_distances(reference, decoded)
    maps = plain_maps(np.stack([smooth, noisy]))
    assert lpips(distances) == pytest.approx(sum(m.mean().item() for m in maps), rel=1e-5)

    mask = np.zeros(size, bool)
    mask[10:50, 20:45] = True
    spatial = sum(functional.interpolate(m[None, None], size=size, mode="bilinear")[0, 0] for m in maps)
    expected = spatial[torch.tensor(mask)].mean().item()
    part = part_weights(mask, reference)
    assert part is not None
    assert lpips(distances, part) == pytest.approx(expected, rel=1e-5)
    assert sum(weights.sum().item() for weights in part.layers) == pytest.approx(len(CHANNELS), rel=1e-5)


def test_a_picture_gives_the_same_alone_and_among_others(network):
    pictures = np.random.default_rng(6).integers(0, 256, (11, 96, 96, 3), np.uint8)
    together = network.features(pictures)
    alone = network.features(pictures[10:])[0]
    assert len(together) == 11
    for layer, single in zip(together[10], alone, strict=True):
        torch.testing.assert_close(layer, single, rtol=1e-4, atol=1e-6)
    assert lpips(layer_distances(alone, alone)) == 0.0
    assert lpips(layer_distances(together[0], together[1])) > 0.1


def test_nothing_of_the_picture_is_no_part(network):
    (features,) = network.features(np.zeros((1, 64, 64, 3), np.uint8))
    assert part_weights(np.zeros((64, 64), bool), features) is None


def dumped(content):
    """Pickle as torch expects it."""
    return pickle.dumps(content, protocol=2)


class Command:
    def __reduce__(self):
        return exec, ("raise AssertionError('a pickle has been run')",)


def test_a_checkpoint_that_wants_to_run_something_is_refused(tmp_path):
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(dumped({"AlexNet_0": Command()}))
    with pytest.raises(WeightsError, match="delete it"):
        alexnet_convolutions(path)
    with pytest.raises(WeightsError, match="delete it"):
        lpips_heads(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        dumped({}),
        dumped({"AlexNet_0": 3}),
        dumped(
            {"AlexNet_0": {f"Conv_{i}": {"kernel": np.zeros(3, "f4"), "bias": np.zeros(3, "f4")} for i in range(5)}}
        ),
        dumped({"AlexNet_0": {f"Conv_{i}": {"kernel": 1.0, "bias": 2.0} for i in range(5)}}),
        dumped({"AlexNet_0": {"Conv_0": {"kernel": np.array([Command()]), "bias": 0}}}),
    ],
    ids=["empty", "text", "no network", "number", "shapes", "no arrays", "objects"],
)
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "weights"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="delete it"):
        alexnet_convolutions(path)
    with pytest.raises(WeightsError, match="delete it"):
        lpips_heads(path)


def test_heads_of_another_network_are_refused(tmp_path):
    path = tmp_path / "heads.pth"
    torch.save({f"lin{index}.model.1.weight": torch.zeros(1, 7, 1, 1) for index in range(5)}, path)
    with pytest.raises(WeightsError, match="no weights of LPIPS"):
        lpips_heads(path)
