"""``nerfcall serve``: the rendezvous server where two sides of a call find each other."""

import argparse

from app.call_options import port_number

HELP = "run the rendezvous server where the two sides of a call meet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine; 0.0.0.0: everybody)",
    )
    parser.add_argument("--port", type=port_number, default=8765, help="port to listen on (default: 8765; 0: any)")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    import asyncio
    import contextlib
    import signal

    from signaling.server import RendezvousServer

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stop.set)
        async with RendezvousServer(args.host, args.port) as server:
            reach = "on this machine only" if args.host in ("127.0.0.1", "::1", "localhost") else "from the network"
            print(f"rendezvous at {server.url}, reachable {reach}; Ctrl-C ends it", flush=True)
            await stop.wait()

    asyncio.run(serve())
    return 0
