"""The rate bench: its bits add up, and its call without a network is a call."""

import argparse
from dataclasses import replace

import numpy as np
import pytest

from app.bench import rate
from app.bench.clips import ClipSpec, HeldOut
from app.bench.options import MeasuringOptions
from app.bench.rate import clip as measuring
from app.bench.rate.bits import PARTS, other_rates
from app.bench.rate.exchange import exchange
from app.bench.rate.table import lines
from app.bench.results import read
from app.enrolment.framing import Framing
from app.errors import UsageError
from codec.operating_point import FINEST, NORMAL, OPERATING_POINTS, THRIFTY
from tests.codec.faces import face_states, fitted_tables
from tests.codec.predictions import fitted_prediction, parameters_of

STATES = face_states(80, seed=5)


@pytest.mark.parametrize("point", OPERATING_POINTS)
@pytest.mark.parametrize("predicted", [True, False])
def test_the_parts_of_every_packet_add_up_to_it(point, predicted):
    prediction = fitted_prediction() if predicted else None
    sent = exchange(STATES, 25.0, fitted_tables(), prediction, point, 0.12)
    sizes = [8 * len(message) for message in sent.messages]
    np.testing.assert_allclose(sent.bits.sum(axis=1), sizes)
    # An entropy coder wastes less than a byte and a bit, and saves less than one by what it may leave out.
    padding = sent.bits[:, PARTS.index("padding")]
    assert -8.0 < padding.min() <= padding.max() < 10.0
    assert 0.0 < padding.mean() < 8.0


def test_the_delay_decides_from_when_on_frames_are_predicted():
    for delay, alone in ((0.0, 1), (0.12, 3), (0.2, 5), (10.0, 80)):
        assert exchange(STATES, 25.0, fitted_tables(), fitted_prediction(), NORMAL, delay).alone == alone


def test_frames_that_are_not_sent_lie_between_their_neighbours():
    sent = exchange(STATES, 25.0, fitted_tables(), fitted_prediction(), THRIFTY, 0.12)
    # The first frames are coded alone and wait for no other; of the later ones, two go in a message.
    assert len(sent.messages) == sent.alone + (40 - sent.alone) // 2
    for index in (1, 33, 77):
        middle = (sent.states[index - 1].expression + sent.states[index + 1].expression) / 2
        np.testing.assert_allclose(sent.states[index].expression, middle, atol=1e-6)
    assert sent.states[79] is sent.states[78]


def test_what_others_take():
    parameters = parameters_of(STATES)
    rates = other_rates(parameters, np.full(42, 0.02), 25.0)
    assert rates["paper"] == pytest.approx(42 * 16 * 0.72 * 25 / 1000)
    assert rates["order_2_ideal"] < min(rates["lzma"], rates["zstd"]) < rates["paper"]
    still = other_rates(np.repeat(parameters[:1], 80, axis=0), np.full(42, 0.02), 25.0)
    assert still["order_2_ideal"] == 0.0
    assert still["zlib"] < 0.2


class PaintedAvatar:
    """The picture is of one grey, which the first coefficient tells."""

    tables, prediction, digest, file = fitted_tables(), fitted_prediction(), bytes(32), b"avatar"

    def render(self, state, width, height):
        return np.full((height, width, 3), np.clip(128 + 20 * state.expression[0], 0, 255), np.uint8)


class NoNetwork:
    """In place of LPIPS, whose weights may not be here."""

    def features(self, frames):
        import torch

        return [(torch.from_numpy(frame / 255.0).permute(2, 0, 1),) for frame in frames]


@pytest.fixture
def results(tmp_path, monkeypatch):
    avatar = PaintedAvatar()
    pictures = np.stack([avatar.render(state, 256, 256) for state in STATES])
    monkeypatch.setattr(measuring, "bench_avatar", lambda spec, options: avatar)
    monkeypatch.setattr(measuring, "avatar_framing", lambda avatar: Framing(256, 256, 0, 0, 256))
    monkeypatch.setattr(measuring, "held_out", lambda *arguments: HeldOut(pictures, 25.0, 3.0))
    monkeypatch.setattr(measuring, "_held_out_states", lambda *arguments: [replace(s, timestamp=0.0) for s in STATES])
    monkeypatch.setattr(measuring, "Lpips", NoNetwork)
    spec = ClipSpec.parse("me.mp4@3")
    options = MeasuringOptions((spec,), tmp_path, None, 1.0, 1.0, None, 10)
    return measuring.results_of(spec, options, 0.12), tmp_path


def test_a_result_is_written_for_every_point(results):
    made, folder = results
    names = [result.codec.settings["point"] for result in made]
    assert names == ["finest", "normal", "thrifty", "alone"]
    rates = [result.rate.payload_kbps for result in made]
    assert rates[3] > rates[0] > rates[1] > 2 * rates[2]
    for result, name in zip(made, names, strict=True):
        assert read(folder / "rate" / "me" / f"ours_256_{name}.json") == result
        assert result.metrics["full"]["psnr"] - result.metrics["loss"]["psnr"] == pytest.approx(100.0)
    assert made[1].metrics["bits_a_packet"]["alone_share"] == pytest.approx(3 / 80, abs=1e-4)
    assert made[2].metrics["bits_a_packet"]["packets_a_frame"] == pytest.approx(0.26, abs=0.02)


def test_the_table_names_every_part(results):
    text = "\n".join(lines(results[0]))
    for word in (*PARTS, "finest", "thrifty", "alone", "order_2_ideal", "me "):
        assert word in text
    assert FINEST.name in text


@pytest.mark.parametrize("arguments", [["--stride", "0"], ["--delay", "-1"], ["--minutes", "0"]])
def test_options_out_of_range_are_refused(arguments, tmp_path):
    parser = argparse.ArgumentParser()
    rate.add_arguments(parser)
    with pytest.raises(UsageError, match=arguments[0]):
        rate.run(parser.parse_args(["--clips", "me.mp4@60", "-o", str(tmp_path), *arguments]))
