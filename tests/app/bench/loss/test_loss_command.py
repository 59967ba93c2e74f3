"""``nerfcall bench loss``: its records, its table and its page, and a call that is only looked at for a moment."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.loss.networks import NETWORKS, UNDISTURBED, at_least, at_most
from app.bench.loss.record import FIGURES, SOAK, UNAFFECTED, LossRecord, read_records, record_path
from app.bench.loss.soak import SoakFigures
from app.bench.loss.table import lines
from app.bench.report.pages import write_report
from app.bench.results import Clip, ResultError, write
from app.cli import main
from signaling.impairment import Impairment
from tests.app.bench.synthetic import ENVIRONMENT

EXAMPLE = LossRecord(
    clip=Clip("someone", 0.0, 1169, 25.0),
    network="loss-10",
    how="loss=0.1,delay=40ms",
    figures={name: index + 0.5 for index, name in enumerate(FIGURES)},
    seconds={"measure": 60.25},
    environment=ENVIRONMENT,
    other_cores=0.05,
)
figures = st.dictionaries(st.sampled_from(FIGURES), st.floats(allow_infinity=False))


@given(figures, st.none() | st.floats(0, 64), st.text(max_size=20))
def test_a_record_is_read_as_it_was_written(found, other_cores, how):
    record = replace(EXAMPLE, figures=found, other_cores=other_cores, how=how)
    again = LossRecord.from_json(record.to_json())
    assert again.to_json() == record.to_json()
    assert replace(again, figures={}) == replace(record, figures={})


@pytest.mark.parametrize("name", [*json.loads(replace(EXAMPLE, other_cores=None).to_json())])
def test_a_missing_field_is_named(tmp_path, name):
    content = json.loads(EXAMPLE.to_json())
    del content[name]
    path = record_path(tmp_path, "someone", "loss-10")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=f"{name} is missing"):
        read_records(tmp_path)


def test_every_network_can_be_made_and_every_bound_is_on_a_figure():
    assert len({network.name for network in NETWORKS}) == len(NETWORKS)
    for network in NETWORKS:
        assert network.impairment is None or isinstance(network.impairment, Impairment)
        assert set(network.targets) <= set(FIGURES)
    bounds = {network.name: {name: str(target) for name, target in network.targets.items()} for network in NETWORKS}
    # What was asked for.
    assert bounds["loss-10"]["applied_percent"] == "≥ 99.5"
    assert bounds["loss-30"] == {"applied_percent": "≥ 97", "freeze_ms": "≤ 120"}
    for name in ("bursts-500ms", "outage-1s", "outage-10s"):
        assert bounds[name]["recovery_packets"] == "≤ 1"
        assert bounds[name]["ended"] == "≤ 0"


def test_targets():
    assert at_least(1.0).met(1.0)
    assert not at_least(1.0).met(0.9)
    assert at_most(1.0).met(1.0)
    assert not at_most(1.0).met(1.1)
    # What was not measured is not met.
    assert not at_most(1.0).met(math.nan)
    assert not at_least(1.0).met(math.nan)


def many_records():
    rows = []
    for network in NETWORKS:
        cut = "outage" in network.name or "bursts" in network.name
        found = {name: 1.0 for name in FIGURES} | {"applied_percent": 99.0, "outages": float(cut), "ended": 0.0}
        rows.append(replace(EXAMPLE, network=network.name, how=network.how, figures=found))
    soaked = SoakFigures(frames=1000, applied=900, seconds_of_call=40.0).figures()
    rows.append(replace(EXAMPLE, network=SOAK, how="in words", figures=soaked))
    names = ("overtaken", "doubled", "old", "wraps", "old_refused", "largest_difference_steps", "pictures")
    rows.append(replace(EXAMPLE, network=UNAFFECTED, how="in words", figures=dict.fromkeys(names, 2.0)))
    return rows


def test_the_table_marks_what_misses_its_bound():
    text = "\n".join(lines(many_records()))
    row = next(line for line in text.splitlines() if line.startswith("applied_percent"))
    assert row.count("99.00 (≥ 99.5) !") == 4
    assert "99.00 (≥ 97)" in row
    assert "soak (in words): frames 1000" in text


def test_the_page_says_what_was_wanted_and_draws_the_plot(tmp_path):
    for record in many_records():
        write(record_path(tmp_path / "results", "someone", record.network), record)
    written = write_report(tmp_path / "results", tmp_path / "report")
    assert tmp_path / "report" / "loss.md" in written
    page = (tmp_path / "report" / "loss.md").read_text()
    assert "| loss-10 | loss=0.1,delay=40ms,jitter=10ms | 99.00 (≥ 99.5) ✗ |" in page
    assert "99.00 (≥ 97) |" in page
    assert "both sides agreed on 900 applied frames" in page.lower()
    assert "![Frames applied over loss, and the largest freeze](loss.png)" in page
    assert (tmp_path / "report" / "loss.png").read_bytes()[:4] == b"\x89PNG"
    assert "[loss](loss.md)" in (tmp_path / "report" / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--networks", "loss-11"), "loss-11 is none of"),
        (("--share", "0"), "--share 0"),
        (("--frames", "10"), "--frames 10"),
        (("--avatar", "x.avatar"), "belong together"),
    ],
)
def test_bad_options_are_one_sentence(tmp_path, capsys, arguments, words):
    assert main(["bench", "loss", "-o", str(tmp_path), *arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert words in said
    assert "\n" not in said


def test_a_moment_of_a_call(tmp_path, capsys):
    networks = ("--networks", UNDISTURBED, SOAK)
    assert main(["bench", "loss", "-o", str(tmp_path), "--share", "0.25", "--frames", "1000", *networks]) == 0
    records = {record.network: record for record in read_records(tmp_path)}
    assert set(records) == {UNDISTURBED, SOAK}
    found = records[UNDISTURBED].figures
    assert set(found) == set(FIGURES)
    assert found["applied_percent"] > 80.0
    assert found["ended"] == 0.0
    assert 0.0 < found["payload_kbps"] < found["wire_kbps"]
    assert records[SOAK].figures["disagreed"] == 0.0
    assert "applied_percent" in capsys.readouterr().out
