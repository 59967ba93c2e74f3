"""Networks made bad for a while, at the sockets of peers that are connected already."""

import contextlib

from signaling.impairment import Impairment

LONGEST = 3600.0


@contextlib.contextmanager
def outage(*peers):
    """Let nothing through to or from these peers."""
    links = []
    for peer in peers:
        links.append(peer.impairment)
        peer.impairment = Impairment(burst=LONGEST - 1.0, burst_every=LONGEST)
        for link in peer._meter._links:
            # The burst has begun already.
            link._begin -= 2.0
    try:
        yield
    finally:
        for peer, before in zip(peers, links, strict=True):
            peer.impairment = before


@contextlib.contextmanager
def impaired(peer, how):
    """Make the network of a peer as bad as ``how`` says, both ways."""
    before, peer.impairment = peer.impairment, Impairment.parse(how)
    try:
        yield
    finally:
        peer.impairment = before
