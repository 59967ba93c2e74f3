"""DTLS with short records.

AES-GCM in DTLS 1.2 sends eight bytes of nonce with every record (RFC 5288, section 3); ChaCha20-Poly1305 takes it from
the record's number (RFC 7905, section 2). It is as strong, fast where there are no instructions for AES too, and at 25
messages a second those eight bytes are 1.6 kbit/s. aiortc offers both, AES first, and lets nobody choose: it makes its
certificate, and with it the context of OpenSSL, by itself. The other side may still pick another one; browsers do.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

import aiortc.rtcpeerconnection
from aiortc import RTCCertificate
from OpenSSL import SSL

CIPHERS: Final = (
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
"""Those of aiortc, the shortest first."""


class CallCertificate(RTCCertificate):
    """A certificate whose connections prefer short records."""

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> SSL.Context:
        context: SSL.Context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(CIPHERS)
        return context


_wanted: ContextVar[bool] = ContextVar("signaling_dtls", default=False)


@contextlib.contextmanager
def short_records() -> Iterator[None]:
    """Let connections that are made in this context prefer short records."""
    token = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(token)


class _Certificates:
    """Stands where aiortc looks for its class."""

    @staticmethod
    def generateCertificate() -> RTCCertificate:  # noqa: N802 (aiortc's name, and W3C's)
        return (CallCertificate if _wanted.get() else RTCCertificate).generateCertificate()


# RTCPeerConnection makes its certificate by this name, and offers no other way in.
vars(aiortc.rtcpeerconnection)["RTCCertificate"] = _Certificates
