"""The cipher of a call, and of connections that are none."""

from aiortc import RTCPeerConnection

from signaling.dtls import CallCertificate


def cipher(peer):
    return peer._connection.sctp.transport._ssl.get_cipher_name()


async def test_a_call_has_short_records(meet):
    a, b = await meet()
    assert cipher(a) == cipher(b) == "ECDHE-ECDSA-CHACHA20-POLY1305"


async def test_other_connections_have_the_certificate_of_aiortc():
    connection = RTCPeerConnection()
    assert not isinstance(connection._RTCPeerConnection__certificates[0], CallCertificate)
    await connection.close()
