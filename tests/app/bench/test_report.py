"""The whole report, of invented results whose curves are known in closed form."""

import argparse
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from app.bench.lossless import LosslessError, read_lossless
from app.bench.report import add_arguments, run
from app.bench.report.curves import clip_curves, mean_curves
from app.bench.report.markdown import Figure
from app.bench.report.pages import write_report
from app.bench.report.rate import _targets
from app.bench.results import Clip, ResultError, read_results, result_path, write
from app.bench.speed.record import SpeedRecord, record_path, write_record
from app.bench.tracking import record as tracking
from tests.app.bench import synthetic

PSNR = Figure("full", "psnr", "PSNR ↑", 2, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """Results of two clips, and their report with the pictures of one."""
    folder, output = tmp_path_factory.mktemp("results"), tmp_path_factory.mktemp("report")
    synthetic.make(folder)
    synthetic.make_videos(folder, "oval-office-256")
    write_report(folder, output, ["oval-office-256"])
    return folder, output


def cells(page: Path, heading: str, line: str) -> list[str]:
    """The cells of the first table line that begins with ``line`` below ``heading``, bold marks and all."""
    below = page.read_text().split(f"\n{heading}\n", 1)[1]
    found = next(text for text in below.splitlines() if text.startswith(f"| {line} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def film(path: Path) -> np.ndarray:
    """The frames of a video in the format that every player takes."""
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 25
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(stream)]).astype(int)


def test_every_page_and_every_linked_picture_is_there(made):
    _, output = made
    pages = sorted(path.name for path in output.glob("*.md"))
    assert pages == ["README.md", "ablation.md", "quality.md", "rate-distortion.md", "resolution.md"]
    for page in output.glob("*.md"):
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            assert (output / link).is_file(), f"{page.name} links {link}"
    for picture in output.glob("*.png"):
        assert Image.open(picture).size[0] == 1760


def test_no_page_tells_the_folders_of_the_machine(made):
    _, output = made
    for page in output.glob("*.md"):
        assert "/home" not in page.read_text()
        assert "/tmp" not in page.read_text()


@pytest.mark.parametrize("clip", list(synthetic.CLIPS))
def test_the_rates_of_equal_quality_are_those_of_the_closed_form(made, clip):
    row = cells(made[1] / "README.md", "## The rate at which others show as much", clip)
    factor = 1.0 if clip == "newsreader" else 1.4
    kbps, psnr, lpips = 5.2, *((26.4, 0.115) if clip == "newsreader" else (28.4, 0.115))
    assert row[1:4] == [f"{kbps:.2f}", f"{psnr:.2f}", f"{lpips:.3f}"]
    for column, codec in enumerate(("hevc", "av1", "vvc")):
        efficiency = synthetic.EFFICIENCY[codec] * factor
        wanted = (
            ((0.42 / lpips) ** (1 / 0.95) - 1) / 0.11 / efficiency,
            (2 ** ((psnr - 21.5) / 3.3) - 1) / 0.28 / efficiency,
        )
        for text, rate in zip(row[4 + 2 * column : 6 + 2 * column], wanted, strict=True):
            found = re.fullmatch(r"([\d.]+) \(×([\d.]+)\)", text)
            assert found, text
            assert float(found[1]) == pytest.approx(rate, rel=0.01)
            assert float(found[2]) == pytest.approx(rate / kbps, rel=0.01)


def test_what_lies_beyond_the_measured_is_said(tmp_path: Path):
    synthetic.make(tmp_path, clips=("newsreader",), benches=("rate-distortion",))
    ours = next(
        result
        for result in read_results(tmp_path)
        if result.codec.name == "ours" and result.codec.settings["coarseness"] == 1.0
    )
    path = result_path(tmp_path, "rate-distortion", "newsreader", "ours", 1.0, 256)
    write(path, replace(ours, metrics={"full": {"psnr": 60.0, "lpips": 0.9}}))
    write_report(tmp_path, tmp_path / "out")
    row = cells(tmp_path / "out" / "README.md", "## The rate at which others show as much", "newsreader")
    lowest, highest = 2.0 * 2**0.4, 2.0 * 2**6
    assert row[4] == f"at most {lowest:.2f}, beyond what was measured"
    assert row[5] == f"more than {highest:.0f}, beyond what was measured"


def test_bjontegaard_differences_are_those_of_the_closed_form(made):
    page = made[1] / "rate-distortion.md"
    # The invented codecs differ by a factor of the rate alone, whatever the metric.
    for codec, label in (("vvc", "VVC (vvenc)"), ("h264", "H.264 (x264)")):
        row = cells(page, "Against HEVC (x265):", label)
        for column in (1, 3, 4):
            assert float(row[column].removesuffix(" %")) == pytest.approx(
                100 / synthetic.EFFICIENCY[codec] - 100, abs=0.3
            )


def test_curves_that_share_nothing_are_said_not_to(tmp_path: Path):
    synthetic.make(tmp_path, clips=("newsreader",), benches=("rate-distortion",))
    for result in read_results(tmp_path):
        if result.codec.name == "ours":
            point = result.codec.settings["coarseness"]
            path = result_path(tmp_path, "rate-distortion", "newsreader", "ours", point, 256)
            full = {**result.metrics["full"], "psnr": 70.0 + result.rate.payload_kbps}
            write(path, replace(result, metrics={"full": full}, rate=replace(result.rate, payload_kbps=0.1 / point)))
        if result.codec.name == "animation" and result.codec.settings["threshold_db"] != 30.0:
            point = int(result.codec.settings["threshold_db"]) - 30
            result_path(tmp_path, "rate-distortion", "newsreader", "animation", point, 256).unlink()
    write_report(tmp_path, tmp_path / "out")
    page = tmp_path / "out" / "rate-distortion.md"
    assert cells(page, "Against HEVC (x265):", "nerfcall")[1:3] == ["no overlap", "no overlap"]
    assert set(cells(page, "Against HEVC (x265):", "animation codec")[1:]) == {"too few points"}


def test_tables_show_who_wins_and_where_ours_loses(made):
    page = made[1] / "quality.md"
    ours, vvc = cells(page, "## newsreader", "nerfcall"), cells(page, "## newsreader", "VVC (vvenc)")
    header = cells(page, "## newsreader", "method")
    assert header[:9] == ["method", "kbit/s", "L1 ↓", "SSIM ↑", "PSNR ↑", "LPIPS ↓", "CSIM ↑", "AUCON ↑", "PRMSE ↓"]
    assert ours[1] == "5.20"
    assert ours[4] == "26.40"
    assert vvc[4].startswith("**")
    lost = page.read_text().split("## Where others are better than ours")[1].split("##")[0]
    assert f"| newsreader | PSNR ↑ | 26.40 | {vvc[4].strip('*')} | VVC (vvenc) | 5.30 |" in lost
    assert "LPIPS" not in lost  # only our other variant is better there, and that is bold above
    assert cells(page, "## Mean of newsreader and oval-office-256", "nerfcall")[4] == "27.40"
    published = "*paper, f.t. (as published, other clips)*"
    assert cells(page, "## Mean of newsreader and oval-office-256", published)[1:6] == [
        "12.1", "0.015", "0.934", "30.85", "0.05",
    ]  # fmt: skip


def test_the_most_action_units_that_others_agree_in_are_those_of_their_best_point(made):
    rows = (made[1] / "quality.md").read_text().split("## How far AUCON goes")[1].split("##")[0]
    results = [one for one in read_results(made[0], "rate-distortion") if one.codec.name != "ours"]
    for clip in ("newsreader", "oval-office-256"):
        best = max(one.metrics["face"]["aucon"] for one in results if one.clip.name == clip)
        row = next(line for line in rows.splitlines() if line.startswith(f"| {clip} |"))
        assert row.split("|")[3].strip() == f"{best:.3f}"


def test_ratios_agree_with_the_papers_second_table(made):
    text = (made[1] / "quality.md").read_text().split("Per rate")[1]
    row = next(line for line in text.splitlines() if line.startswith("| *paper, f.t."))
    ratios = [float(cell) for cell in row.strip("|").split("|")[2:]]
    assert ratios == pytest.approx(
        [0.934 / 12.1, 30.85 / 12.1, 0.05 * 12.1, 0.945 / 12.1, 0.967 / 12.1, 1.29 * 12.1], rel=0.002
    )


def test_each_page_says_what_made_it(made):
    for name, bench in (("quality", "quality"), ("ablation", "ablation"), ("resolution", "resolution")):
        text = (made[1] / f"{name}.md").read_text()
        assert f"nerfcall bench {bench} --clips newsreader.mp4@60 -o out" in text
        assert "Invented Processor 9000, 2 cores, Linux x86_64" in text
        assert "`0123456789`" in text
        assert "| oval-office-256 | 40 s | 40 s to 46.8 s | 170 | 25 |" in text


def test_the_ablation_gives_the_differences(made):
    row = cells(made[1] / "ablation.md", "## newsreader", "less nerfcall, without the consistency code")
    assert row[3] == "+1.20"


def test_packets_that_differ_from_size_to_size_are_told(tmp_path: Path, made):
    assert "| newsreader | 128², 256², 512² | the same, byte for byte |" in (made[1] / "resolution.md").read_text()
    synthetic.make(tmp_path, clips=("newsreader",), benches=("resolution",))
    path = result_path(tmp_path, "resolution", "newsreader", "ours", None, 512)
    content = json.loads(path.read_text())
    content["payload_sha256"] = "cd" * 32
    path.write_text(json.dumps(content))
    write_report(tmp_path, tmp_path / "out")
    assert "| not the same | `abababababababab`, `cdcdcdcdcdcdcdcd` |" in (tmp_path / "out/resolution.md").read_text()


def test_a_mean_takes_only_operating_points_that_every_clip_has(tmp_path: Path):
    synthetic.make(tmp_path, benches=("rate-distortion",))
    result_path(tmp_path, "rate-distortion", "newsreader", "vvc", 30, 256).unlink()
    results = read_results(tmp_path)
    clips, mean = clip_curves(results), mean_curves(results)
    assert len(clips["newsreader"]["vvc"].points) == len(mean["vvc"].points) == len(synthetic.QPS) - 1
    # The invented rates do not depend on the clip.
    expected = [
        (one[0], (one[1] + other[1]) / 2)
        for one in clips["newsreader"]["vvc"].pairs(PSNR)
        for other in clips["oval-office-256"]["vvc"].pairs(PSNR)
        if one[0] == other[0]
    ]
    assert mean["vvc"].pairs(PSNR) == [pytest.approx(pair) for pair in expected]
    assert len(mean["animation"].points) == 3
    for path in (tmp_path / "rate-distortion" / "newsreader").glob("av1_*"):
        path.unlink()
    assert "av1" not in mean_curves(read_results(tmp_path))


def test_codecs_that_were_not_measured_leave_dashes(tmp_path: Path):
    synthetic.make(tmp_path, clips=("newsreader",))
    for path in tmp_path.glob("*/*/*.json"):
        if not path.name.startswith("ours_"):
            path.unlink()
    write_report(tmp_path, tmp_path / "out")
    row = cells(tmp_path / "out" / "README.md", "## The rate at which others show as much", "newsreader")
    assert row[4:] == ["—"] * 6
    contents = (tmp_path / "out" / "README.md").read_text()
    assert "- speed: how fast it is; not measured yet, nerfcall bench speed" in contents
    assert "- tracking: how exact, how steady and how late the face tracker is; not measured yet" in contents


def test_nothing_to_report_and_damage_are_told(tmp_path: Path):
    with pytest.raises(ResultError, match="is no folder"):
        write_report(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ResultError, match="holds no results"):
        write_report(tmp_path, tmp_path / "out")
    synthetic.make(tmp_path, clips=("newsreader",), benches=("ablation",))
    path = result_path(tmp_path, "ablation", "newsreader", "ours", None, 256)
    path.write_text(path.read_text()[:-30])
    with pytest.raises(ResultError, match=r"ours_256\.json is no result of nerfcall bench"):
        write_report(tmp_path, tmp_path / "out")
    path.unlink()
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="cannot be made"):
        write_report(tmp_path, tmp_path / "file")


def test_no_face_is_shown_unless_its_clip_is_named(made, tmp_path: Path):
    assert sorted(path.name for path in made[1].glob("side-by-side*")) == [
        "side-by-side-oval-office-256.jpg", "side-by-side-oval-office-256.mp4",
    ]  # fmt: skip
    folder, tmp_path = tmp_path / "results", tmp_path / "report"
    synthetic.make(folder, benches=("quality",))
    synthetic.make_videos(folder, "oval-office-256")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args([str(folder), "-o", str(tmp_path)])) == 0
    assert not list(tmp_path.glob("side-by-side*"))
    assert "side by side" not in (tmp_path / "README.md").read_text()
    with pytest.raises(LosslessError, match=r"original\.mkv"):
        write_report(folder, tmp_path, ["newsreader"])
    with pytest.raises(ResultError, match="measured newsreader, oval-office-256"):
        write_report(folder, tmp_path, ["somebody"])


def test_the_same_results_give_the_same_files(made, tmp_path: Path):
    folder, output = made
    write_report(folder, tmp_path, ["oval-office-256"])
    files = sorted(path.name for path in output.iterdir())
    assert files == sorted(path.name for path in tmp_path.iterdir())
    for name in files:
        if name.endswith(".mp4"):
            # x264 does not always decide the same, on one thread and of the same planes either: what it shows is alike,
            # and much more so than one frame and the next.
            frames, again = film(output / name), film(tmp_path / name)
            assert frames.shape == again.shape
            assert np.abs(frames - again).mean() < 0.5 * np.abs(np.diff(frames, axis=0)).mean()
        else:
            assert (output / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_picture_and_film_show_what_was_decoded(made):
    folder, output = made
    videos = [read_lossless(folder / "quality/oval-office-256" / f"{name}.mkv")[0] for name in ("original", "hevc")]
    gap, side, count = 2, 64, 20
    picture = np.asarray(Image.open(output / "side-by-side-oval-office-256.jpg")).astype(int)
    header = picture.shape[0] - 3 * side - 2 * gap
    assert picture.shape[1] == 5 * side + 4 * gap
    for row, index in enumerate((count // 8, count // 2, count * 7 // 8)):
        top = header + row * (side + gap)
        for column, video in ((0, videos[0]), (2, videos[1])):
            left = column * (side + gap)
            shown = picture[top : top + side, left : left + side]
            assert np.abs(shown - video[index]).mean() < 4
    frames = film(output / "side-by-side-oval-office-256.mp4")
    assert len(frames) == count
    assert np.abs(frames[7][header : header + side, :side] - videos[0][7]).mean() < 5


SPEED = {
    "avatar": {"name": "a.avatar", "sha256": "00", "bytes": 3_000_000},
    "settings": {},
    "load": {"before": [0, 0, 0], "after": [0, 0, 0], "other_cores": 0.5, "unreliable": ["another program ran"]},
    "tracker": {"frames": 9, "tracked": 9, "cores": 1, "ms": {"median": 11.25, "p95": 14.0, "mean": 12.0}},
    "codec": {
        "frames": 9,
        "bytes_a_frame": 25.94,
        "embed_us": {"median": 80.0, "p95": 90.0, "mean": 81.0},
        "encode_us": {"median": 250.0, "p95": 300.0, "mean": 260.0},
        "decode_us": {"median": 200.0, "p95": 280.0, "mean": 210.0},
        "other_cores": 0.0,
    },
    "render": [
        {"device": "CPU", "device_type": "cpu", "size": 256, "threads": 2, "cores": 2, "frames": 90, "fps": 21.74,
         "ms": {"median": 46.0, "p95": 51.5, "mean": 47.0}, "peak_rss_mb": 512.4, "other_cores": 0.4},
        {"device": "Invented GPU", "device_type": "cuda", "size": 1080, "width": 1920, "threads": 1, "cores": 2,
         "backend": "triton", "parity": {"frames": 3, "largest": 4, "share": 1e-5, "rms": 0.21}, "frames": 90,
         "fps": 200.0, "ms": {"median": 5.0, "p95": 5.5, "mean": 5.1}, "peak_rss_mb": 900.4, "other_cores": 0.0},
    ],
    "rivals": [
        {"name": "hevc", "label": "HEVC (x265)", "size": 256, "frames": 9, "encode_fps": 88.4, "decode_fps": 901.0},
    ],
}  # fmt: skip


def test_the_speed_page(tmp_path: Path):
    record = SpeedRecord(synthetic.result("quality", "newsreader", "ours", 5.0, {}).clip, synthetic.ENVIRONMENT, SPEED)
    write_record(record_path(tmp_path, "newsreader"), record)
    write_report(tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "speed.md").read_text()
    assert "| tracker, 1 core | 11.2 | 14.0 |" in text
    assert "| entropy coder | 0.250 | 0.300 |" in text
    assert "A packet has 25.9 bytes on average." in text
    # A record of before there were backends to choose from names none.
    assert "| 256² † | 2 threads | — | 46.0 | 51.5 | 21.7 | 512 | — |" in text
    assert "| 1920 × 1080 | Invented GPU | triton | 5.0 | 5.5 | 200.0 | 900 | 0.21 |" in text
    assert "| HEVC (x265) | 256² | — | 88 | 901 |" in text
    assert "another program ran" in text
    broken = {**SPEED, "render": [{"size": 256}]}
    write_record(record_path(tmp_path, "newsreader"), replace(record, speed=broken))
    with pytest.raises(ResultError, match=r"speed/newsreader\.json lacks"):
        write_report(tmp_path, tmp_path / "out")


def tracking_record(clip: str) -> tracking.TrackingRecord:
    start, frames = synthetic.CLIPS[clip]
    figures = dict.fromkeys(tracking.FIGURES, 0.25)
    figures |= {"reprojection_median_percent": 0.344, "rotation_lag_frames": math.nan, "total_ms": 11.96}
    command = "nerfcall bench tracking --clips /home/x/newsreader.mp4@60 -o /tmp/out"
    return tracking.TrackingRecord(
        Clip(clip, start, frames, 25.0),
        frames - 1,
        figures,
        {"landmarks": 90.0, "calibrate": 5.0, "measure": 5.0},
        "0" * 64,
        replace(synthetic.ENVIRONMENT, command=command),
        0.5 if clip == "newsreader" else 0.0,
    )


def rate_results(rates):
    """Return results of the rate bench of one clip, for points and their kbit/s and loss of PSNR."""
    made = []
    for point, (kbps, psnr) in rates.items():
        figures = {
            "loss": {"psnr": -psnr, "lpips": psnr / 100},
            "bits_a_packet": {
                **{"header": 12.0, "checksum": 12.0, "time": 0.5, "pose": 20.0, "torso": 10.0, "expression": 30.0},
                **{"padding": 2.5, "packets_a_frame": 1.0, "alone_share": 0.0},
            },
            "others_kbps": {"paper": 12.1, "zlib": 2.0, "order_2_ideal": 1.2},
        }
        made.append(synthetic.result("rate", "newsreader", "ours", kbps, figures, point=point, delay_ms=120.0))
    return made


def test_the_rate_page(tmp_path: Path):
    for entry in rate_results(
        {"finest": (3.5, 0.01), "normal": (2.9, 0.08), "thrifty": (1.2, 0.5), "alone": (6, 0.02)}
    ):
        point = entry.codec.settings["point"]
        write(result_path(tmp_path, "rate", "newsreader", "ours", point, 256), entry)
    write_report(tmp_path, tmp_path / "out")
    page = tmp_path / "out" / "rate.md"
    wanted = "≤ 3, ≤ 0.1 dB, ≤ 0.002"
    assert cells(page, "## Against the targets", "normal") == [
        *("normal", "newsreader", wanted, "2.90", "-0.080", "0.0008", "yes"),
    ]
    assert cells(page, "## Against the targets", "thrifty")[-1] == "no"
    assert cells(page, "## By part", "newsreader")[1:5] == ["finest", "3.50", "-0.010", "0.0001"]
    assert cells(page, "## By part", "newsreader")[-1] == f"{87 / 8:.1f}"
    # 60 of 87 bits are the numbers themselves.
    assert cells(page, "## Other ways of coding", "newsreader")[1:] == ["2.90", "2.00", "12.1", "2.00", "1.20"]
    assert "120 ms" in page.read_text()
    assert (tmp_path / "out" / "rate.png").stat().st_size > 10_000
    assert "- [rate](rate.md): where the bits" in (tmp_path / "out" / "README.md").read_text()


def test_the_mean_of_clips_is_held_against_the_targets_too():
    results = [
        replace(entry, clip=replace(entry.clip, name=name))
        for name, rate in (("a", 2.0), ("b", 3.4))
        for entry in rate_results({"normal": (rate, 0.05)})
    ]
    rows = [line.strip("| ").split(" | ") for line in _targets(results).splitlines() if line.startswith("| normal")]
    assert [(row[1], row[-1]) for row in rows] == [("a", "yes"), ("b", "no"), ("mean", "yes")]


def test_the_tracking_page(tmp_path: Path):
    for clip in synthetic.CLIPS:
        write(tracking.record_path(tmp_path, clip), tracking_record(clip))
    write_report(tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "tracking.md").read_text()
    assert "| newsreader | 279 of 280 | 0.34 | 0.25 |" in text
    assert "| oval-office-256 | 169 of 170 | 0.34 | 0.25 |" in text
    assert "| newsreader | — | 0.25 |" in text
    assert "| newsreader † | 2 | 0.2 | 0.2 | 0.2 | 0.2 | 12.0 |" in text
    assert "| oval-office-256 | 2 | 0.2 | 0.2 | 0.2 | 0.2 | 12.0 |" in text
    assert "† Other work kept 0.1 cores" in text
    assert "nerfcall bench tracking --clips newsreader.mp4@60 -o out" in text
    assert "Invented Processor 9000, 2 cores, Linux x86_64" in text
    assert "- Wall time: 3 min" in text
    assert "| clip | calibrated on the first | held out and measured | frames | frames/s |" in text
    assert "| oval-office-256 | 40 s | 40 s to 46.8 s | 170 | 25 |" in text
    assert "- [tracking](tracking.md): how exact" in (tmp_path / "out" / "README.md").read_text()


def test_a_damaged_tracking_record_is_told_before_a_page_is_written(tmp_path: Path):
    path = tracking.record_path(tmp_path, "newsreader")
    write(path, tracking_record("newsreader"))
    path.write_text(path.read_text().replace('"decode_ms"', '"decoding_ms"'))
    with pytest.raises(ResultError, match=r"newsreader\.json is no result of nerfcall bench: figures\.decod"):
        write_report(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
