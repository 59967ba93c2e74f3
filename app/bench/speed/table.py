"""The figures of the speed bench in words."""

from collections.abc import Mapping
from typing import Any

from app.bench.speed.load import NOTICEABLE
from app.bench.speed.record import picture_size


def lines(speed: Mapping[str, Any]) -> list[str]:
    """Return what is printed of the figures (`app.bench.results.Result.speed`); parts not measured are left out."""
    found = [*_sender(speed), *_rendering(speed), *_calls(speed), *_first_picture(speed), *_floor(speed)]
    found += [*_profile(speed), *_rivals(speed)]
    if any(line.endswith("*") for line in found):
        found += ["", f"* other work kept {NOTICEABLE:g} cores or more busy meanwhile"]
    return found + _warnings(speed)


def _star(part: Mapping[str, Any]) -> str:
    return "  *" if (part.get("other_cores") or 0.0) >= NOTICEABLE else ""


def _spread(figures: Mapping[str, Any], unit: str, digits: int = 1) -> str:
    return f"{figures['median']:.{digits}f} {unit}, 95 %: {figures['p95']:.{digits}f} {unit}"


def _sender(speed: Mapping[str, Any]) -> list[str]:
    found = ["a frame of the sender, one core"]
    if tracker := speed.get("tracker"):
        tracked = f"{tracker['tracked']} of {tracker['frames']} frames show the face"
        found.append(f"  tracker       {_spread(tracker['ms'], 'ms')}  ({tracked}){_star(tracker)}")
    codec = speed["codec"]
    for name, key in (("embedding", "embed_us"), ("coder", "encode_us"), ("decoder", "decode_us")):
        if codec.get(key):
            found.append(f"  {name:13} {_spread(codec[key], 'µs', 0)}{_star(codec)}")
    return [*found, f"  packet        {codec['bytes_a_frame']:.1f} bytes"]


def _rendering(speed: Mapping[str, Any]) -> list[str]:
    rows = speed.get("render") or []
    return [
        *(["", "rendering alone"] if rows else []),
        *(
            f"  {picture_size(row):>5}  {_threads(row)}  {_spread(row['ms'], 'ms')}, {row['fps']:.1f} frames/s, "
            f"{row['peak_rss_mb']:.0f} MB{_parity(row)}{_star(row)}"
            for row in rows
        ),
    ]


def _parity(row: Mapping[str, Any]) -> str:
    """Return what renders a row's pictures, and how far from plain torch."""
    if not (backend := row.get("backend")):
        return ""
    if not (parity := row["parity"]):
        return f"; {backend}"
    apart = f"{parity['largest']:.0f} of 255 at most, rms {parity['rms']:.2f}"
    return f"; {backend}, from torch {apart}, {100 * parity['share']:.3f} % more than 2"


def _threads(row: Mapping[str, Any]) -> str:
    if row["device_type"] != "cpu":
        return f"{row['device']}"
    few = f" on {row['cores']} core" if row["cores"] < row["threads"] else ""
    return f"{_count(row['threads']):9}{few}"


def _count(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


def _calls(speed: Mapping[str, Any]) -> list[str]:
    found = []
    for call in speed.get("call") or []:
        frames, dropped, fps = call["frames"], call["dropped"], call["fps"]
        found += [
            "",
            f"a call at {call['size']}² on {call['device']}, {_count(call['threads'])} for rendering, "
            f"{call['seconds']:.0f} s{_star(call)}",
            f"  frames/s  {fps['median']:.0f} (median second), {fps['p5']:.0f} (5 %), {fps['mean']:.1f} (mean)",
            f"  latency   {_spread(call['latency_ms'], 'ms', 0)} from capture to paint; longest gap "
            f"{call['longest_gap_ms']:.0f} ms",
            f"  rendering {_spread(call['render_ms'], 'ms')}",
            f"  frames    {frames['due']} due, {frames['sent']} sent, {frames['received']} received, "
            f"{frames['painted']} painted; dropped: {dropped['not_sent']} by the tracker, {dropped['lost']} by the "
            f"network, {dropped['not_painted']} by the renderer",
        ]
        for name, process in (call["processes"] or {}).items():
            cores = "?" if process["cpu_cores"] is None else f"{process['cpu_cores']:.2f}"
            found.append(f"  {name:9} {cores} cores, {process['peak_rss_mb']:.0f} MB at most")
        if call["memory_mb"] is not None:
            found.append(f"  memory    {call['memory_mb']:.0f} MB at most, both together, what they share once")
    return found


def _first_picture(speed: Mapping[str, Any]) -> list[str]:
    if not (first := speed.get("first_picture")):
        return []
    found = ["", f"first picture after starting `nerfcall receive`{_star(first)}"]
    for name in ("warm", "cold"):
        if first[name] is not None:
            runs = first[name]["runs"]
            run = runs[len(runs) // 2]
            marks = ", ".join(f"{mark.replace('_', ' ')} {seconds:.2f}" for mark, seconds in run["marks"].items())
            read = "" if run["read_mb"] is None else f"; {run['read_mb']:.0f} MB read from disk"
            found.append(f"  {name}  {first[name]['seconds']:.2f} s  ({marks}{read})")
    return found


def _floor(speed: Mapping[str, Any]) -> list[str]:
    found = []
    for peak in speed.get("peak") or []:
        found += [
            "",
            f"what {peak['device']} can do on one thread: {peak['gemm_gflops']:.0f} GFLOP/s in {peak['dtype']} "
            f"({peak['decoder_gemm_gflops']:.0f} in the decoder's shape), {peak['float32_gemm_gflops']:.0f} in "
            "float32, "
            f"{peak['memory_gbs']:.0f} GB/s in memory, {peak['cache_gbs']:.0f} in cache",
        ]
        for floor in speed["floor"]:
            if floor["device_type"] == peak["device_type"]:
                total, counts = floor["dense_operations"] + floor["other_operations"], floor["counts"]
                found.append(
                    f"  {picture_size(floor):>5}  {counts['head_samples']:.0f} samples, {counts['grid_lookups']:.0f} "
                    f"lookups, {total / 1e9:.2f} GFLOP, {floor['bytes']['compulsory'] / 1e6:.0f} MB (gathered "
                    f"{floor['bytes']['gathered'] / 1e6:.0f}): floor {floor['floor_ms']:.2f} ms of "
                    f"{floor['measured_ms']:.1f} ms, {100 * floor['share']:.1f} % reached"
                )
    return found


def _profile(speed: Mapping[str, Any]) -> list[str]:
    found = []
    for profile in speed.get("profile") or []:
        stages = ", ".join(
            f"{stage['name']} {stage['ms']:.1f} ({stage['floor_ms']:.2f})" for stage in profile["stages"]
        )
        found.append(f"  {picture_size(profile):>5}  {profile['device_type']}: {stages}")
    return ["", "where the time goes, one thread, ms a frame (and the floor of each stage)", *found] if found else []


def _rivals(speed: Mapping[str, Any]) -> list[str]:
    return [
        *(["", "conventional codecs, as many threads as they take"] if speed.get("rivals") else []),
        *(
            f"  {row['label']:16} {row['encode_fps']:7.1f} frames/s coded, {row['decode_fps']:7.1f} decoded, at "
            f"{row['size']}² and {row['kbps']:.1f} kbit/s"
            for row in speed.get("rivals") or []
        ),
    ]


def _warnings(speed: Mapping[str, Any]) -> list[str]:
    load = speed["load"]
    found = [""]
    if load["before"] is not None and load["after"] is not None:
        found.append(f"load average before {load['before'][0]:.2f}, after {load['after'][0]:.2f}")
    return found + [f"unreliable: {sentence}" for sentence in load["unreliable"]]
