"""Invented results with the shape of real ones, to make a report of."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.bench.environment import Environment
from app.bench.lossless import write_lossless
from app.bench.results import Clip, CodecUsed, Rate, Result, result_path, write

CLIPS = {"newsreader": (60.0, 280), "oval-office-256": (40.0, 170)}
LABELS = {
    "ours": "nerfcall",
    "ours-plain": "nerfcall, plain",
    "ours-no-code": "nerfcall, without the consistency code",
    "animation": "animation codec",
    "hevc": "HEVC (x265)",
    "h264": "H.264 (x264)",
    "vp9": "VP9",
    "av1": "AV1 (SVT)",
    "vvc": "VVC (vvenc)",
}
EFFICIENCY = {"h264": 0.55, "vp9": 0.8, "hevc": 1.0, "av1": 1.3, "vvc": 1.55}
QPS = (22, 26, 30, 34, 38, 42, 46, 50)
ENVIRONMENT = Environment(
    machine="Linux x86_64",
    cpu="Invented Processor 9000",
    cores=2,
    versions={"nerfcall": "0.2.0", "python": "3.11.0"},
    commit="0123456789abcdef0123456789abcdef01234567",
    dirty=False,
    command="nerfcall bench quality --clips /home/somebody/clips/newsreader.mp4@60 -o /tmp/out",
    date="2025-01-02T03:04:05Z",
)


def metrics(psnr: float, lpips: float, face: float) -> dict[str, dict[str, float]]:
    """Figures that go together about as real ones do."""
    return {
        "full": {
            "l1": 10 ** (-psnr / 20) * 0.55,
            "psnr": psnr,
            "ssim": 1 - 2.6 * 10 ** (-psnr / 22),
            "ms_ssim": 1 - 1.3 * 10 ** (-psnr / 20),
            "lpips": lpips,
        },
        "head": {"l1": 10 ** (-psnr / 20) * 0.6, "psnr": psnr + 1.2, "ssim": 0.93, "lpips": lpips * 0.7},
        "face": {
            "csim": 1 - 0.5 * lpips,
            "aucon": 0.9 + face / 20,
            "prmse_degrees": 2.5 - face,
            "landmark_distance_percent": 4.0 - face,
        },
        "video": {"flicker": 0.9 + lpips, "flicker_reference": 1.0},
        "neck": {"psnr": psnr - 2},
    }


def conventional(codec: str, kbps: float, clip: str) -> dict[str, dict[str, float]]:
    efficiency = EFFICIENCY[codec] * (1.0 if clip == "newsreader" else 1.4)
    psnr = 21.5 + 3.3 * math.log2(1 + 0.28 * kbps * efficiency)
    return metrics(psnr, 0.42 / (1 + 0.11 * kbps * efficiency) ** 0.95, min(1.5, 0.2 * math.log2(1 + kbps)))


def result(bench: str, clip: str, codec: str, kbps: float, figures, size: int = 256, **settings) -> Result:
    start, frames = CLIPS[clip]
    settings = {"command": f"{codec} --low-delay", **settings}
    return Result(
        bench=bench,
        clip=Clip(clip, start, frames, 25.0),
        size=size,
        codec=CodecUsed(codec, LABELS[codec], settings),
        environment=replace(ENVIRONMENT, command=ENVIRONMENT.command.replace("quality", bench)),
        rate=Rate(kbps, round(kbps * 125 * frames / 25), 3_200_000 if codec.startswith("ours") else 0),
        payload_sha256=("ab" * 32 if codec.startswith("ours") else f"{size:064x}"),
        metrics=figures,
        seconds={"encode": 1.0, "decode": 2.0, "measure": 3.0},
        measuring={"stride": 5},
    )


def make(folder: Path, clips=tuple(CLIPS), benches=("quality", "rate-distortion", "resolution", "ablation")) -> None:
    """Write the results of the benches for ``clips``."""
    for clip in clips:
        lift = 0.0 if clip == "newsreader" else 2.0
        ours = {
            "ours": (5.2, metrics(26.4 + lift, 0.115, 1.4)),
            "ours-plain": (9.1, metrics(26.5 + lift, 0.112, 1.45)),
            "ours-no-code": (5.1, metrics(25.2 + lift, 0.14, 1.3)),
        }
        made: list[tuple[Result, object]] = []
        if "quality" in benches:
            for codec in ("ours", "ours-plain"):
                made.append((result("quality", clip, codec, *ours[codec], avatar=clip), None))
            for codec, rate in (("hevc", 5.5), ("vvc", 5.3), ("av1", 5.6), ("vp9", 8.9), ("h264", 6.1)):
                made.append((result("quality", clip, codec, rate, conventional(codec, rate, clip), qp=40), 40))
            made.append((result("quality", clip, "animation", 4.1, metrics(24.0 + lift, 0.17, 1.0)), None))
        if "rate-distortion" in benches:
            for codec, efficiency in EFFICIENCY.items():
                for qp in QPS:
                    rate = 2 ** ((52 - qp) / 5) * 2.0 / efficiency**0.2
                    figures = conventional(codec, rate, clip)
                    made.append((result("rate-distortion", clip, codec, rate, figures, qp=qp), qp))
            for coarseness in (0.5, 1.0, 2.0, 4.0, 8.0):
                for codec in ("ours", "ours-plain"):
                    rate, _ = ours[codec]
                    loss = 0.02 * coarseness**2
                    figures = metrics(26.45 + lift - loss, 0.114 + 0.003 * coarseness, 1.4 - loss)
                    rate = rate * coarseness**-0.35
                    made.append(
                        (result("rate-distortion", clip, codec, rate, figures, coarseness=coarseness), coarseness)
                    )
            for point in (0, 1, 2):
                figures = metrics(24.0 + lift + point, 0.17 - 0.02 * point, 1.0)
                made.append(
                    (
                        result(
                            "rate-distortion",
                            clip,
                            "animation",
                            4.1 * 2**point,
                            figures,
                            threshold_db=30.0 + point,
                            reference_qp=30,
                        ),
                        point,
                    )
                )
        if "resolution" in benches:
            for size in (128, 256, 512):
                rate, _ = ours["ours"]
                made.append((result("resolution", clip, "ours", rate, metrics(26.4 + lift, 0.115, 1.4), size), None))
                for codec in ("hevc", "vvc"):
                    for qp in QPS:
                        rate = 2 ** ((52 - qp) / 5) * 2.0 * (size / 256) ** 1.4
                        figures = conventional(codec, rate / (size / 256) ** 1.4, clip)
                        made.append((result("resolution", clip, codec, rate, figures, size, qp=qp), qp))
        if "ablation" in benches:
            for codec in ("ours", "ours-no-code", "ours-plain"):
                made.append((result("ablation", clip, codec, *ours[codec]), None))
        for entry, point in made:
            write(result_path(folder, entry.bench, clip, entry.codec.name, point, entry.size), entry)


def make_videos(folder: Path, clip: str, codecs=("original", "ours", "hevc", "vvc", "animation"), frames: int = 20):
    """Write the decoded videos of the quality bench: a coloured disc that moves, noisier from codec to codec."""
    target = folder / "quality" / clip
    target.mkdir(parents=True, exist_ok=True)
    across, down = np.meshgrid(np.arange(64), np.arange(64))
    for index, codec in enumerate(codecs):
        noise = np.random.default_rng(index).integers(0, 1 + 20 * index, (frames, 64, 64, 3))
        video = np.zeros((frames, 64, 64, 3), np.int64)
        for frame in range(frames):
            disc = (across - 20 - frame) ** 2 + (down - 32) ** 2 < 200
            video[frame] = np.where(disc[..., None], (220, 160, 120), (60, 90, 130))
        write_lossless(target / f"{codec}.mkv", np.clip(video + noise, 0, 255).astype(np.uint8), 25.0)
