"""Where the bits of a packet go, and what other ways of coding would take."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.adaptive import table_for
from codec.decoder import FrameDecoder, decode_symbols
from codec.packet import HEADER_SIZE as ALONE_HEADER
from codec.packet import Packet
from codec.parameters import ParameterLayout
from codec.predicted_frame import step_units
from codec.predicted_packet import CHECKSUM_BITS, HEADER_SIZE, HELD, PredictedPacket
from codec.prediction import PredictionTables
from codec.tables import CodecTables

PARTS: Final = ("header", "checksum", "time", "pose", "torso", "expression", "padding")
"""Header and checksum are whole bytes; time, pose, torso and expression ideal code lengths under the tables in use;
what the packet has beyond that is padding: the distance to the ideal code length."""

PAPER_BITS: Final = 16
PAPER_SHARE: Final = 0.72
"""The paper codes 16-bit values without loss; its figures say to 0.72 of their size."""

_ALONE_CHECKSUM_BITS: Final = 16


def _zstd(data: bytes) -> bytes:
    # Part of the extra "bench", which the command line must start without.
    import zstandard

    return zstandard.ZstdCompressor(zstandard.MAX_COMPRESSION_LEVEL, write_content_size=False).compress(data)


_PACKERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "zlib": lambda data: zlib.compress(data, 9),
    "bz2": lambda data: bz2.compress(data, 9),
    "zstd": _zstd,
    "lzma": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
}


def alone_bits(tables: CodecTables, packet: Packet) -> list[float]:
    """Return the bits of each of `PARTS` of a frame coded alone."""
    costs: list[float] = []
    if packet.header.present:
        offsets: list[int] = []
        for index, symbol in enumerate(decode_symbols(tables, packet.payload)):
            costs.append(tables.residuals[index].cost(symbol - tables.predict(index, offsets)))
            offsets.append(symbol - tables.centres[index])
    # Its time stamp lies in the header.
    return _parts(tables.layout, 8 * len(packet), 8 * ALONE_HEADER, _ALONE_CHECKSUM_BITS, 0.0, costs)


def predicted_bits(tables: PredictionTables, packet: PredictedPacket, decoder: FrameDecoder) -> list[float]:
    """Return the bits of each of `PARTS` of the predicted frame that ``decoder`` has decoded last."""
    header, sequence = packet.header, decoder.sequence
    record, newest = decoder.record(sequence), decoder.record(sequence - header.gap)
    before = decoder.record(sequence - header.gap - 1) if header.order == 1 else None
    assert record is not None
    assert newest is not None
    point = record.point
    late = table_for(newest.clock.spread).cost(newest.clock.residual(header.gap, record.clock.timestamp))
    costs: list[float] = []
    if header.order != HELD:
        known = (newest.values, None if before is None else before.values)
        predicted = tables.predict(point, header.gap, *known)
        rows = tables.residual_tables(point, header.gap, *known)
        for index, table in enumerate(rows):
            base = tables.within(index, int(predicted[index]), record.values[:index] - predicted[:index])
            costs.append(table.cost((int(record.values[index]) - base) // step_units(point)))
    header_bits = 8 * (HEADER_SIZE + len(header.detail))
    return _parts(tables.layout, 8 * len(packet), header_bits, CHECKSUM_BITS, late, costs)


def _parts(
    layout: ParameterLayout, total: int, header: int, check: int, time: float, costs: list[float]
) -> list[float]:
    """Return the bits of `PARTS` of a packet of ``total`` bits, whose header is so long with its checksum."""
    pose, torso, expression = (sum(costs[group]) for group in layout.groups)
    used = header + time + pose + torso + expression
    return [float(header - check), float(check), time, pose, torso, expression, total - used]


def other_rates(parameters: NDArray[np.float64], steps: NDArray[np.float64], fps: float) -> dict[str, float]:
    """Return the payload in kbit/s that other ways of coding take, without any header.

    Args:
        parameters: (N, D) of the frames that are sent.
        steps: (D,) of the point "normal": what they are rounded by, one by one.
        fps: of the footage.

    Returns:
        "paper": 16 bits a number, times 0.72. "zlib", "bz2", "zstd", "lzma": all frames together, the differences from
        frame to frame as 16-bit integers number by number, which no call could do, as it cannot wait. "order_2_ideal":
        each number predicted from its last two values, without delay, loss or dead zone, and coded at the entropy of
        just these residuals.
    """
    symbols = np.rint(parameters / steps).astype(np.int64)
    kbps = fps / 1000 / len(symbols)
    rates = {"paper": PAPER_BITS * PAPER_SHARE * symbols.shape[1] * fps / 1000}
    differences = np.diff(symbols, axis=0, prepend=symbols[:1]).clip(-(1 << 15), (1 << 15) - 1)
    data = np.ascontiguousarray(differences.T).astype("<i2").tobytes()
    rates |= {name: 8 * len(pack(data)) * kbps for name, pack in _PACKERS.items()}
    rates["order_2_ideal"] = len(symbols) * kbps * sum(_order_2_entropy(column) for column in symbols.T)
    return rates


def _order_2_entropy(column: NDArray[np.int64]) -> float:
    """Return bits a frame of one number's residuals."""
    series = column - column.mean()
    past = np.stack([series[1:-1], series[:-2]], axis=1)
    weights = np.linalg.solve(past.T @ past + np.eye(2), past.T @ series[2:])
    _, counts = np.unique(np.rint(series[2:] - past @ weights), return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
