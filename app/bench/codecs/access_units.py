"""A raw VVC stream cut into the units that belong to one frame each."""

from app.bench.codecs.payload import START_CODE, nal_units

_FIRST_NON_VCL_TYPE = 12
"""Types below are slices (ITU-T H.266, table 5)."""
_SUFFIX_TYPES = frozenset({18, 22, 24})
"""Suffix parameter sets and messages, and the end of data: they follow a frame's slices."""


def vvc_access_units(stream: bytes) -> list[bytes]:
    """Return the access units of an Annex B ``stream`` whose pictures have one slice each, in coding order."""
    units: list[bytes] = []
    current = b""
    has_slice = False
    for nal in nal_units(stream):
        kind = nal[1] >> 3
        if has_slice and kind not in _SUFFIX_TYPES:
            units.append(current)
            current, has_slice = b"", False
        current += START_CODE + nal
        has_slice = has_slice or kind < _FIRST_NON_VCL_TYPE
    return [*units, current] if current else units
