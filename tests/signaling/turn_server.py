"""A STUN and TURN server in miniature (RFC 8489, RFC 8656): enough for one client library, without authentication."""

import asyncio
import struct

from aioice import stun

HEADERS = 28
"""IPv4 and UDP."""


class _Relay(asyncio.DatagramProtocol):
    """The relayed address of one client."""

    def __init__(self, server, client):
        self.server, self.client = server, client
        self.channels = {}

    def connection_made(self, transport):
        self.transport = transport
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data, peer):
        number = next((number for number, bound in self.channels.items() if bound == peer), None)
        if number is not None:
            self.server.send(struct.pack("!HH", number, len(data)) + data, self.client)


class TurnServer(asyncio.DatagramProtocol):
    """Counts what crosses the socket that clients talk to, per client."""

    def __init__(self):
        self.relays = {}
        self.came, self.went = {}, {}
        self.tasks = set()

    @classmethod
    async def start(cls):
        _, server = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=("127.0.0.1", 0))
        return server

    def connection_made(self, transport):
        self.transport = transport
        self.address = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"

    def close(self):
        for relay in self.relays.values():
            relay.transport.close()
        self.transport.close()

    def send(self, data, client):
        self.went[client] = self.went.get(client, 0) + len(data) + HEADERS
        self.transport.sendto(data, client)

    def datagram_received(self, data, client):
        self.came[client] = self.came.get(client, 0) + len(data) + HEADERS
        if data[0] & 0xC0 == 0x40:
            relay = self.relays[client]
            number, length = struct.unpack_from("!HH", data)
            relay.transport.sendto(data[4 : 4 + length], relay.channels[number])
            return
        task = asyncio.ensure_future(self.answer(stun.parse_message(data), client))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def answer(self, request, client):
        response = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
        if request.message_method == stun.Method.ALLOCATE:
            _, relay = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Relay(self, client), local_addr=("127.0.0.1", 0)
            )
            self.relays[client] = relay
            response.attributes["XOR-RELAYED-ADDRESS"] = relay.address
            response.attributes["LIFETIME"] = 600
        elif request.message_method == stun.Method.CHANNEL_BIND:
            self.relays[client].channels[request.attributes["CHANNEL-NUMBER"]] = request.attributes["XOR-PEER-ADDRESS"]
        elif request.message_method == stun.Method.REFRESH:
            response.attributes["LIFETIME"] = request.attributes["LIFETIME"]
        response.attributes["XOR-MAPPED-ADDRESS"] = client
        self.send(bytes(response), client)
