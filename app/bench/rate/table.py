"""The figures of the rate bench as text."""

from collections.abc import Sequence

from app.bench.rate.bits import PARTS
from app.bench.results import Result

EXPLANATION = """\
kbit/s: whole packets with their headers, of all held-out frames, at the footage's frame rate; B: bytes a packet.
dPSNR (dB), dLPIPS: against rendering what was tracked, not rounded. Bits a packet by part; padding is the distance to
the ideal code length. "alone": every frame coded alone, for those who cannot answer. Other ways of coding, without any
header: "paper" is 16 bits x 0.72; zlib, bz2, zstd and lzma code all frames together; order_2_ideal knows the frame
before and pays for no table."""


def lines(results: Sequence[Result]) -> list[str]:
    """Return a table with a row for each result, and for each clip what others take."""
    table = []
    head = ["clip", "point", "kbit/s", "B", "dPSNR", "dLPIPS", *PARTS]
    rows = [head]
    others: dict[str, str] = {}
    for result in results:
        assert result.rate is not None
        split, loss = result.metrics["bits_a_packet"], result.metrics["loss"]
        rows.append(
            [
                result.clip.name,
                str(result.codec.settings["point"]),
                f"{result.rate.payload_kbps:.2f}",
                f"{sum(split[part] for part in PARTS) / 8:.1f}",
                f"{loss['psnr']:+.3f}",
                f"{loss['lpips']:+.4f}",
                *(f"{split[part]:.1f}" for part in PARTS),
            ]
        )
        rates = result.metrics["others_kbps"]
        others[result.clip.name] = ", ".join(f"{name} {rate:.2f}" for name, rate in rates.items())
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        words = [
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        table.append("  ".join(words).rstrip())
    table += [f"{clip}, others in kbit/s: {text}" for clip, text in others.items()]
    return [*table, EXPLANATION]
