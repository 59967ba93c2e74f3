"""Where the bits of a packet go, and what other ways of coding would take."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.decoder import decode_symbols
from codec.encoder import FacePacket
from codec.packet import HEADER_SIZE as ALONE_HEADER
from codec.packet import Packet
from codec.parameters import ParameterLayout
from codec.short_packet import CHECKSUM_BITS, ShortPacket
from codec.short_packet import HEADER_SIZE as SHORT_HEADER
from codec.tables import CodecTables

PARTS: Final = ("header", "checksum", "time", "pose", "torso", "expression", "padding")
"""Ideal code lengths under the tables in use, but for the whole bytes of header and checksum. What a packet has beyond
these is padding: the distance to the ideal code length."""

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


def packet_bits(packet: FacePacket, tables: CodecTables) -> list[float]:
    """Return the bits of each of `PARTS` of a packet; ``tables`` are those of frames coded alone."""
    layout, total = tables.layout, 8 * len(packet)
    if isinstance(packet, Packet):
        # Its time stamp lies in the header.
        return _parts(layout, total, 8 * ALONE_HEADER, _ALONE_CHECKSUM_BITS, [0.0, *_alone_costs(tables, packet)])
    assert isinstance(packet, ShortPacket)
    costs = np.zeros(1 + layout.size)
    for frame in packet.frames:
        symbols = frame.symbols
        pairs = zip(symbols.tables, symbols.residuals, strict=True)
        costs[: len(symbols.residuals)] += [table.cost(residual) for table, residual in pairs]
    return _parts(layout, total, 8 * SHORT_HEADER + packet.head_cost, CHECKSUM_BITS, costs.tolist())


def _alone_costs(tables: CodecTables, packet: Packet) -> list[float]:
    """Return the ideal code lengths of the D numbers of a frame coded alone, none where no face is seen."""
    costs: list[float] = []
    if packet.header.present:
        offsets: list[int] = []
        for index, symbol in enumerate(decode_symbols(tables, packet.payload)):
            costs.append(tables.residuals[index].cost(symbol - tables.predict(index, offsets)))
            offsets.append(symbol - tables.centres[index])
    return costs


def _parts(layout: ParameterLayout, total: int, header: float, check: int, costs: list[float]) -> list[float]:
    """Return the bits of `PARTS` of a packet of ``total`` bits.

    Args:
        layout: of the D numbers of a frame.
        total: bits of the packet.
        header: bits of the header with its checksum.
        check: bits of the checksum.
        costs: (1 + D) ideal code lengths of the time stamp and of the numbers.
    """
    time, numbers = costs[0], costs[1:]
    pose, torso, expression = (sum(numbers[group]) for group in layout.groups)
    used = header + time + pose + torso + expression
    return [header - check, float(check), time, pose, torso, expression, total - used]


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
