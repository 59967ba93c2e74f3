"""STUN and TURN servers: none unless the person names them.

Two peers on one machine or in one network meet by their own addresses, and then nobody else learns of the call: no
public server is contacted by default. Across address translation, name a STUN server; where even that fails, a TURN
server that relays.
"""

import re
from dataclasses import dataclass

from aiortc import RTCIceServer

from signaling.errors import SignalingError

_HOST_AND_PORT = re.compile(r"(?P<host>[A-Za-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class IceServers:
    """Which servers help to find a path; `None` for none."""

    stun: str | None = None
    """``host`` or ``host:port`` (3478 when left out), with or without ``stun:`` before it."""
    turn: str | None = None
    """The same with ``turn:``; reached over UDP."""
    turn_user: str | None = None
    turn_password: str | None = None

    def __post_init__(self) -> None:
        """Raise `SignalingError` when an address is malformed or a TURN server lacks its credentials."""
        self.for_aiortc()

    def for_aiortc(self) -> list[RTCIceServer]:
        """Return aiortc's form of them. An empty list (never None, for which aiortc has a public default)."""
        servers = []
        if self.stun is not None:
            servers.append(RTCIceServer(_url("stun", self.stun)))
        if self.turn is not None:
            if not self.turn_user or not self.turn_password:
                raise SignalingError("a TURN server needs credentials: give --turn-user and --turn-password too")
            url = _url("turn", self.turn) + "?transport=udp"
            servers.append(RTCIceServer(url, username=self.turn_user, credential=self.turn_password))
        return servers


def _url(scheme: str, address: str) -> str:
    match = _HOST_AND_PORT.fullmatch(address.removeprefix(f"{scheme}:"))
    if match is None or not 0 < int(match["port"] or 3478) < 65536:
        raise SignalingError(f"{address} is not the address of a {scheme.upper()} server: it looks like host:3478")
    return f"{scheme}:{match['host']}:{match['port'] or 3478}"
