"""Result files: what is written is read again, and what is damaged is named."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.environment import Environment, environment
from app.bench.results import (
    BENCHES,
    Clip,
    CodecUsed,
    Rate,
    Result,
    ResultError,
    find,
    read,
    read_results,
    result_path,
    write,
)

figures = st.dictionaries(st.text(max_size=8), st.floats(allow_infinity=False), max_size=4)
finite = st.floats(allow_nan=False, allow_infinity=False)
settings = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers() | finite, max_size=4)
environments = st.builds(
    Environment,
    machine=st.text(max_size=8),
    cpu=st.text(max_size=8),
    cores=st.integers(1, 512),
    versions=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    commit=st.none() | st.text(max_size=40),
    dirty=st.booleans(),
    command=st.text(max_size=8),
    date=st.text(max_size=8),
)
results = st.builds(
    Result,
    bench=st.sampled_from(BENCHES),
    clip=st.builds(Clip, st.text(max_size=8), st.floats(0, 1e6), st.integers(1, 10**6), st.floats(0.01, 240)),
    size=st.integers(1, 4096),
    codec=st.builds(CodecUsed, st.text(max_size=8), st.text(max_size=8), settings),
    environment=environments,
    rate=st.none() | st.builds(Rate, st.floats(0, 1e9), st.integers(0, 2**53), st.integers(0, 2**53)),
    payload_sha256=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    metrics=st.dictionaries(st.text(max_size=8), figures, max_size=3),
    seconds=figures,
    measuring=settings,
)


def same(one: object, other: object) -> bool:
    """Equal, where NaN equals NaN."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return one == other


@given(results)
def test_a_result_is_read_as_it_was_written(result: Result):
    text = result.to_json()
    again = Result.from_json(text)
    assert again.to_json() == text
    assert same(again.metrics, result.metrics)
    assert same(again.seconds, result.seconds)
    assert replace(again, metrics={}, seconds={}) == replace(result, metrics={}, seconds={})


EXAMPLE = Result(
    bench="quality",
    clip=Clip("someone", 40.0, 170, 25.0),
    size=256,
    codec=CodecUsed("hevc", "HEVC (x265)", {"qp": 38, "command": "x265 --qp 38"}),
    environment=environment(["nerfcall", "bench", "quality"], {"x265": "4.1"}),
    rate=Rate(13.25, 11262, 0),
    payload_sha256="0" * 64,
    metrics={"full": {"psnr": 31.5, "lpips": 0.125}, "face": {"csim": math.nan}},
    seconds={"encode": 1.5},
)


@given(st.data())
def test_a_damaged_file_is_refused_and_nothing_else_happens(tmp_path_factory, data):
    content = json.loads(EXAMPLE.to_json())
    steps: list[tuple[dict, str]] = []
    pending = [content]
    while pending:
        node = pending.pop()
        steps += [(node, key) for key in node]
        pending += [value for value in node.values() if isinstance(value, dict)]
    node, key = data.draw(st.sampled_from(steps))
    # Neither text nor number nor object nor null: allowed nowhere.
    node[key] = data.draw(st.sampled_from([[], [1], ["x"]]))
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=r"damaged\.json is no result of nerfcall bench: .*; delete it and run"):
        read(path)


@pytest.mark.parametrize("key", [key for key in json.loads(EXAMPLE.to_json()) if key not in ("rate", "payload_sha256")])
def test_a_missing_field_is_named(tmp_path: Path, key: str):
    content = json.loads(EXAMPLE.to_json())
    del content[key]
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=f"{key} is missing"):
        read(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is no JSON"),
        ("{" * 100_000, "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "the file is no object"),
        ("{}", "schema is missing"),
        ('{"schema": 2}', "it has schema 2, and this nerfcall reads 1"),
        ('{"schema": true}', "schema is no whole number"),
        (EXAMPLE.to_json().replace("13.25", "NaN"), "rate.payload_kbps is out of range"),
        (EXAMPLE.to_json().replace("13.25", "-1"), "rate.payload_kbps is out of range"),
        (EXAMPLE.to_json().replace("31.5", "1e999"), "metrics.full.psnr is out of range"),
        (EXAMPLE.to_json().replace('"0000', '"xyz0'), "payload_sha256 is no SHA-256"),
        (EXAMPLE.to_json().replace('"size"', '"side"'), "size is missing"),
        (EXAMPLE.to_json().replace('"seconds"', '"measures": {}, "seconds"'), "measures is no field"),
        (EXAMPLE.to_json().replace('"quality"', '"looks"', 1), "looks is no bench"),
        (" " * (1 << 20) + "x", "larger than any result is"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, reason: str):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ResultError, match=reason):
        read(path)


def test_bytes_that_are_no_text(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(ResultError, match="no UTF-8"):
        read(path)


def test_results_are_found_by_bench_in_a_fixed_order(tmp_path: Path):
    for name in ("b", "a"):
        for bench in ("quality", "ablation"):
            result = replace(EXAMPLE, bench=bench, clip=replace(EXAMPLE.clip, name=name))
            write(result_path(tmp_path, bench, name, "hevc", 38, 256), result)
    assert [result.clip.name for result in read_results(tmp_path, "quality")] == ["a", "b"]
    assert [result.bench for result in read_results(tmp_path)] == ["quality", "quality", "ablation", "ablation"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["hevc_256_38.json"] * 4
    with pytest.raises(ResultError, match="is no folder"):
        read_results(tmp_path / "nowhere")


def test_only_exactly_this_measurement_is_taken_up_again(tmp_path: Path):
    clip, codec = EXAMPLE.clip, EXAMPLE.codec
    asked = (tmp_path, "quality", clip, "hevc", 38, 256)
    assert find(*asked, codec.settings) is None
    path = result_path(tmp_path, "quality", clip.name, "hevc", 38, 256)
    write(path, EXAMPLE)
    found = find(*asked, codec.settings)
    assert found is not None
    assert found.to_json() == EXAMPLE.to_json()
    assert find(*asked, {**codec.settings, "qp": 39}) is None
    assert find(*asked, codec.settings, {"stride": 5}) is None
    assert find(tmp_path, "quality", replace(clip, frames=171), "hevc", 38, 256, codec.settings) is None
    path.write_text(path.read_text()[:-20])
    assert find(*asked, codec.settings) is None


def test_a_failed_measurement_is_not_written(tmp_path: Path):
    path = tmp_path / "x" / "y.json"
    with pytest.raises(ResultError, match="psnr is infinite"):
        write(path, replace(EXAMPLE, metrics={"full": {"psnr": math.inf}}))
    with pytest.raises(ResultError, match=r"y\.json is not written"):
        write(path, replace(EXAMPLE, codec=replace(EXAMPLE.codec, settings={"gain": math.nan})))
    assert not path.exists()
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="cannot be made"):
        write(tmp_path / "file" / "y.json", EXAMPLE)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", ".hidden", "a:b"])
def test_no_name_leaves_the_folder(tmp_path: Path, name: str):
    with pytest.raises(ResultError, match="file name"):
        result_path(tmp_path, "quality", name, "hevc", 38, 256)


def test_the_environment_says_what_made_the_figure():
    made = environment(["nerfcall", "bench", "my clip.mp4"], {"x265": "4.1"})
    assert made.command == "nerfcall bench 'my clip.mp4'"
    assert made.versions["x265"] == "4.1"
    assert {"python", "nerfcall", "numpy", "torch"} <= made.versions.keys()
    assert made.cores >= 1
    assert len(made.date) == 20
    assert made.commit is None or len(made.commit) == 40


def test_the_machine_keeps_its_name_to_itself():
    import platform

    assert platform.node() not in (environment().machine, environment().cpu)
