"""Writes the report: a page for each bench that has results, and a first page that says what matters."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.bench.contact_sheet import sheet_path
from app.bench.fields.record import read_records as read_field_records
from app.bench.loss.record import read_records as read_loss_records
from app.bench.report.ablation import ablation_page
from app.bench.report.curves import MEAN, clip_curves
from app.bench.report.equal_quality import EXPLANATION, equal_quality
from app.bench.report.fields import fields_page
from app.bench.report.loss import loss_page
from app.bench.report.markdown import Row
from app.bench.report.pictures import columns, write_film, write_picture
from app.bench.report.provenance import provenance
from app.bench.report.quality import AS_PUBLISHED, losses, main_table, mean_rows, quality_page, quality_rows
from app.bench.report.rate import rate_page
from app.bench.report.rate_distortion import plot_name, rate_distortion_page
from app.bench.report.resolution import resolution_page
from app.bench.report.speed import speed_page
from app.bench.report.tracking import tracking_page
from app.bench.results import BENCHES, Result, ResultError, read_results
from app.bench.speed.record import read_records as read_speed_records
from app.bench.tracking.record import read_records as read_tracking_records
from codec.errors import CodecError
from codec.files import write_atomic

PAGES = {
    "quality": "every codec at the rate of ours, with all metrics (tables 1 and 2)",
    "rate-distortion": "quality over rate, with Bjøntegaard differences (fig. 5)",
    "resolution": "the same bits at every size (fig. 6)",
    "ablation": "with and without the consistency code and the embedding (table 3)",
    "fields": "how much sooner the field of a call is as good as the paper's own (eq. 1 to 5)",
    "rate": "where the bits of our stream go, and what fewer of them cost",
    "speed": "how fast it is",
    "tracking": "how exact, how steady and how late the face tracker is",
    "loss": "what our stream does over networks that lose, delay, reorder and fail",
}
"""The pages by name, each of the bench of the same name."""

INTRODUCTION = """\
# Measured against others

One benchmark, the same frames for everybody: footage that nothing was trained on, square pictures in, bits counted from
the real packets, decoded pictures compared with the originals. It follows the tables and figures of arXiv 2402.16599.
"""


BEYOND = """\
No real frame shows these. First row: yaw from 20° beyond one end of the training range to 20° beyond the other, in the
middle the range's middle; second row: pitch likewise. Third row: expressions of the enrolment, as far from each other
as there are; fourth row: the same, times 1.5. Made by `nerfcall bench views`.
"""


def write_report(folder: Path, output: Path, pictures_of: Sequence[str] = ()) -> list[Path]:
    """Write the report of the results in ``folder`` into ``output`` and return the files that were written.

    Args:
        folder: of the results.
        output: made if it is not there; pages and pictures of an earlier report are replaced.
        pictures_of: names of the clips whose pictures may be shown.

    Raises:
        ResultError: there is nothing to report, a result is damaged, or the report cannot be written.
        LosslessError: a video that is to be shown is missing or damaged.
    """
    results = {bench: read_results(folder, bench) for bench in BENCHES}
    speed, tracking, fields = read_speed_records(folder), read_tracking_records(folder), read_field_records(folder)
    loss = read_loss_records(folder)
    if not any(results.values()) and not any((speed, tracking, fields, loss)):
        raise ResultError(f"{folder} holds no results: run nerfcall bench quality -o {folder} first")
    pictures = {clip: columns(folder, clip, results["quality"]) for clip in pictures_of}
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(f"{output} cannot be made ({error.strerror}): choose another folder with -o") from None
    pages: dict[str, str] = {}
    if results["quality"]:
        pages["quality"] = quality_page(results["quality"], results["rate-distortion"])
    if results["rate-distortion"]:
        pages["rate-distortion"] = rate_distortion_page(results["rate-distortion"], output)
    if results["resolution"]:
        pages["resolution"] = resolution_page(results["resolution"], output)
    if results["ablation"]:
        pages["ablation"] = ablation_page(results["ablation"])
    if fields:
        pages["fields"] = fields_page(fields, output)
    if results["rate"]:
        pages["rate"] = rate_page(results["rate"], output)
    if speed:
        pages["speed"] = speed_page(speed)
    if tracking:
        pages["tracking"] = tracking_page(tracking)
    if loss:
        pages["loss"] = loss_page(loss, output)
    for clip, (shown, fps) in pictures.items():
        write_picture(output / f"side-by-side-{clip}.jpg", shown)
        write_film(output / f"side-by-side-{clip}.mp4", shown, fps)
    sheets = [clip for clip in pictures_of if sheet_path(folder, clip).exists()]
    for clip in sheets:
        shutil.copyfile(sheet_path(folder, clip), output / f"views-{clip}.jpg")
    written = []
    texts = {"README": _first_page(results, list(pages), pictures_of, sheets), **pages}
    for name, text in texts.items():
        path = output / f"{name}.md"
        try:
            write_atomic(path, text.encode(), CodecError, "page")
        except CodecError as error:
            raise ResultError(str(error)) from None
        written.append(path)
    return written


def _first_page(
    results: Mapping[str, list[Result]], pages: Sequence[str], pictures_of: Sequence[str], sheets: Sequence[str]
) -> str:
    parts = [INTRODUCTION, _contents(pages)]
    curves = results["rate-distortion"]
    ours = _ours(results)
    if ours:
        parts += ["## The rate at which others show as much\n"]
        parts += [equal_quality(ours, clip_curves(curves)), EXPLANATION]
    if curves:
        clips = clip_curves(curves)
        name = plot_name(MEAN if len(clips) > 1 else next(iter(clips)))
        over = f"mean of {len(clips)} clips" if len(clips) > 1 else next(iter(clips))
        parts += ["## Quality over rate\n", f"![PSNR, LPIPS and MS-SSIM over the rate, {over}]({name})\n"]
        parts += [f"Held-out footage at 256², {over}. [More](rate-distortion.md)\n"]
    quality = results["quality"]
    if quality:
        count = len(clip_curves(quality))
        parts += [
            f"## At equal rate{f', mean of {count} clips' if count > 1 else ''}\n",
            main_table(mean_rows(quality)),
        ]
        parts += [AS_PUBLISHED, "Where others, measured here, are better than ours:\n", losses(quality_rows(quality))]
    for clip in pictures_of:
        parts += [f"## {clip}, side by side\n", f"![Original and decoded frames of {clip}](side-by-side-{clip}.jpg)\n"]
        parts += [f"The same, moving: [side-by-side-{clip}.mp4](side-by-side-{clip}.mp4)\n"]
    for clip in sheets:
        parts += [f"## {clip}, beyond the enrolment\n", f"![Contact sheet of {clip}](views-{clip}.jpg)\n", BEYOND]
    used = [*quality, *curves]
    if used:
        parts.append(provenance(used))
    return "\n".join(parts)


def _contents(pages: Sequence[str]) -> str:
    lines = [
        f"- [{name}]({name}.md): {about}"
        if name in pages
        else f"- {name}: {about}; not measured yet, nerfcall bench {name}"
        for name, about in PAGES.items()
    ]
    return "\n".join(lines) + "\n"


def _ours(results: Mapping[str, list[Result]]) -> dict[str, Row]:
    """Return our figures at the rate of a call by clip: of the quality bench, or else of the rate-distortion bench."""
    found: dict[str, Row] = {}
    for bench in ("rate-distortion", "quality"):
        for result in results[bench]:
            if result.codec.name == "ours" and result.rate and result.codec.settings.get("coarseness", 1) == 1:
                found[result.clip.name] = Row("ours", result.codec.label, result.rate.payload_kbps, result.metrics)
    return dict(sorted(found.items()))
