"""Measures one row of the loss bench and writes its record."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.bench.environment import environment
from app.bench.loss.call import observe
from app.bench.loss.figures import call_figures
from app.bench.loss.footage import Footage
from app.bench.loss.networks import NETWORKS
from app.bench.loss.record import SOAK, UNAFFECTED, LossRecord, record_path
from app.bench.loss.soak import Soak
from app.bench.loss.unaffected import unaffected_figures
from app.bench.results import write
from app.bench.speed.load import OtherLoad
from app.progress import Progress

NAMES: Final = (*(network.name for network in NETWORKS), UNAFFECTED, SOAK)
"""Of all rows."""

WORDS: Final = {
    UNAFFECTED: "without a network: packets overtaken, doubled, three hours old, sequence numbers that begin again",
    SOAK: "without a network: loss from 0 to 100 %, doubles, damage, replays, acknowledgements late and lost",
}

_BY_NAME: Final = {network.name: network for network in NETWORKS}


def record_of(name: str, footage: Footage, folder: Path, share: float, frames: int) -> LossRecord:
    """Measure one row: ``share`` of its call's time, or so many ``frames`` of the soak.

    Raises:
        UserError: the record cannot be written.
        SignalingError: the call did not come about.
    """
    began = time.monotonic()
    with OtherLoad() as load:
        figures = _figures(name, footage, share, frames)
    network = _BY_NAME.get(name)
    how = WORDS[name] if network is None else network.how
    seconds = {"measure": round(time.monotonic() - began, 3)}
    record = LossRecord(footage.clip, name, how, figures, seconds, environment(), load.cores)
    write(record_path(folder, footage.name, name), record)
    return record


def _figures(name: str, footage: Footage, share: float, frames: int) -> Mapping[str, float]:
    if name == UNAFFECTED:
        return unaffected_figures(footage)
    if name == SOAK:
        assert footage.prediction is not None
        with Progress(frames, "soak") as progress:
            return Soak(footage.tables, footage.prediction, footage.states).run(frames, progress.update).figures()
    network = _BY_NAME[name]
    seconds = network.seconds * share
    with Progress(None, f"{name}, {seconds:.0f} s"):
        return call_figures(observe(footage, network, seconds), footage)
