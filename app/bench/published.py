"""Figures that others have published, of other clips: what the report sets beside ours, and marks as such.

Every figure is copied from the source as printed there, but for one column: the paper of the implicit radiance fields
prints no bitrate. Its second table gives each figure divided by the bitrate (or, where less is better, multiplied), so
that dividing one table by the other gives the rate; all six ratios of a row agree on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from."""

    name: str
    """Short, for a table."""
    citation: str
    footage: str
    """What was measured there."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A row of a published table."""

    method: str
    source: Source
    kbps: float | None
    """None where the source does not tell."""
    metrics: Mapping[str, Mapping[str, float]]
    """Grouped and named as in `app.bench.results.Result.metrics`; what the source leaves out is left out."""
    remark: str = ""
    """What a reader should know about the figures, one sentence."""


@dataclass(frozen=True, slots=True)
class PublishedSaving:
    """A published Bjøntegaard difference in rate."""

    method: str
    source: Source
    anchor: str
    metric: str
    percent: float
    """Negative: less rate at the same quality."""


PAPER = Source(
    "arXiv 2402.16599",
    "Y. Li, X. Liu, X. Peng, G. Zhai, J. Zhou: Resolution-Agnostic Neural Compression for High-Fidelity Portrait Video"
    " Conferencing via Implicit Radiance Fields. arXiv 2402.16599, 2024. Tables 1, 2 and 3.",
    "clips of HDTF at 25 frames/s",
)
HDAC = Source(
    "Konuko et al., ICIP 2022",
    "G. Konuko, S. Lathuilière, G. Valenzise: H-DAC: Hybrid coding with Deep Animation Models for Ultra-Low Bitrate"
    " Video Conferencing. IEEE International Conference on Image Processing, 2022.",
    "other talking heads, up to about 70 kbit/s",
)
SOURCES = (PAPER, HDAC)


def _row(
    method: str, kbps: float | None, full: Mapping[str, float], face: Mapping[str, float], remark: str = ""
) -> PublishedRow:
    return PublishedRow(method, PAPER, kbps, {"full": full, "face": face} if face else {"full": full}, remark)


PUBLISHED = (
    _row(
        "FOMM",
        17.3,
        {"l1": 0.038, "ssim": 0.77, "psnr": 24.37, "lpips": 0.12},
        {"csim": 0.829, "aucon": 0.856, "prmse_degrees": 2.79},
    ),
    _row(
        "Bi-layer",
        39.1,
        {"l1": 0.23, "ssim": 0.55, "psnr": 15.88, "lpips": 0.44},
        {"csim": 0.518, "aucon": 0.626, "prmse_degrees": 4.86},
        "Bi-layer's L1 and PSNR as printed cannot be of the same pictures: a mean error of 0.23 allows 12.8 dB.",
    ),
    _row("HEVC", 13.0, {"l1": 0.019, "ssim": 0.89, "psnr": 28.83, "lpips": 0.091}, {}),
    _row(
        "paper, plain",
        26.2,
        {"l1": 0.014, "ssim": 0.95, "psnr": 29.97, "lpips": 0.048},
        {"csim": 0.956, "aucon": 0.989, "prmse_degrees": 1.21},
    ),
    _row(
        "paper, f.t.",
        12.1,
        {"l1": 0.015, "ssim": 0.934, "psnr": 30.85, "lpips": 0.050},
        {"csim": 0.945, "aucon": 0.967, "prmse_degrees": 1.29},
    ),
)
"""Rows of the paper's tables 1 and 2, at 25 frames/s; HEVC there at 256 × 256."""

PUBLISHED_ABLATION = (
    _row(
        "paper, f.t., without the consistency code",
        None,
        {"l1": 0.019, "ssim": 0.91, "psnr": 28.68, "lpips": 0.06},
        {"csim": 0.94, "aucon": 0.958, "prmse_degrees": 1.31},
    ),
    PUBLISHED[-1],
)
"""The paper's table 3: the code shared by head and torso gives 2.17 dB there."""

PUBLISHED_SAVINGS = tuple(
    PublishedSaving("H-DAC", HDAC, anchor, metric, percent)
    for anchor, metric, percent in (
        ("HEVC", "PSNR", -33.4),
        ("VVC", "PSNR", -30.7),
        ("HEVC", "MS-SSIM", -33.4),
        ("VVC", "MS-SSIM", -28.3),
        ("HEVC", "msVGG", -48.8),
        ("VVC", "msVGG", -41.6),
    )
)
"""What H-DAC saves against the low-delay configurations of HEVC and VVC."""
