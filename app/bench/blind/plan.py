"""Which pairs a viewer sees, in which order and on which side."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from app.bench.blind.stimuli import ORIGINAL, RATE_RATIO, Material, StimulusError
from app.bench.blind.study import Check, Pair, Session

PAIRS = 20
"""Of a session, checks included: some five minutes."""
PAIRS_PER_CHECKS = 20
"""For so many pairs, or fewer, a session has one check of each kind."""

Seen = Mapping[tuple[str, frozenset[str]], int]
"""How often each pair was answered already, by :meth:`Pair.key`."""


def plan_session(
    material: Material,
    seed: int,
    *,
    pairs: int = PAIRS,
    ratio: float = RATE_RATIO,
    before: Iterable[Session] = (),
    shown_by: str = "window",
) -> Session:
    """Return a session without answers, the same for the same arguments but for its name.

    Pairs that the sessions ``before`` answered least come first, so that many short sessions together show every pair
    equally often; within the session clips and codecs appear about equally often, and each codec about as often on
    the left as on the right. One clip does not follow itself where that can be avoided (ITU-T P.910 asks so).

    Args:
        material: the videos.
        seed: of the random numbers.
        pairs: how many at most, checks included.
        ratio: the highest ratio between the rates of two codecs in a pair.
        before: sessions that are there already.
        shown_by: "window" or "page".

    Raises:
        StimulusError: no two codecs can be compared.
    """
    chance = random.Random(seed)
    candidates = [Pair(one.clip, one.codec, other.codec) for one, other in material.comparable(ratio)]
    if not candidates:
        raise StimulusError(
            "no two codecs have videos of one clip at about the same rate: measure more codecs with nerfcall bench "
            "quality, or allow a higher --rate-ratio"
        )
    seen = Counter(pair.key() for session in before for pair in session.pairs[: len(session.answers)] if not pair.check)
    kinds = list(Check) * -(-min(pairs, len(candidates)) // PAIRS_PER_CHECKS)
    chosen = _choose(candidates, max(1, pairs - len(kinds)), seen, chance)
    placed = _spread([*_sides(chosen, chance), *_checks(kinds, chosen, material, chance)], chance)
    shown = {(pair.clip, codec) for pair in placed for codec in (pair.left, pair.right, ORIGINAL)}
    digests = {f"{clip}/{codec}": material.stimuli[clip, codec].digest for clip, codec in sorted(shown)}
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{random.SystemRandom().getrandbits(24):06x}"
    return Session(name, seed, shown_by, digests, tuple(placed))


def _choose(candidates: Sequence[Pair], count: int, seen: Seen, chance: random.Random) -> list[Pair]:
    """Return ``count`` pairs: the least seen first, among them those whose codecs and clip appear least so far."""
    left = list(candidates)
    chance.shuffle(left)
    chosen: list[Pair] = []
    codecs: Counter[str] = Counter()
    clips: Counter[str] = Counter()
    while left and len(chosen) < count:
        best = min(
            left, key=lambda pair: (seen.get(pair.key(), 0), codecs[pair.left] + codecs[pair.right] + clips[pair.clip])
        )
        left.remove(best)
        chosen.append(best)
        codecs.update((best.left, best.right))
        clips.update((best.clip,))
    return chosen


def _sides(pairs: Sequence[Pair], chance: random.Random) -> list[Pair]:
    """Return the pairs with each codec about equally often on either side, otherwise at random."""
    lean: Counter[str] = Counter()
    """How much oftener a codec is on the left so far."""
    placed = []
    for pair in chance.sample(pairs, len(pairs)):
        difference = lean[pair.left] - lean[pair.right]
        if difference > 0 or (difference == 0 and chance.random() < 0.5):
            pair = pair.swapped()
        lean[pair.left] += 1
        lean[pair.right] -= 1
        placed.append(pair)
    return placed


def _checks(kinds: Sequence[Check], chosen: Sequence[Pair], material: Material, chance: random.Random) -> list[Pair]:
    """Return one check of each kind named, on clips and codecs that the session shows anyway."""
    checks = []
    for kind in kinds:
        pair = chance.choice(chosen)
        if kind is Check.IDENTICAL:
            codec = chance.choice((pair.left, pair.right))
            checks.append(Pair(pair.clip, codec, codec, kind))
        else:
            check = Pair(pair.clip, ORIGINAL, material.worst(pair.clip).codec, kind)
            checks.append(check if chance.random() < 0.5 else check.swapped())
    return checks


def _spread(pairs: Sequence[Pair], chance: random.Random) -> list[Pair]:
    """Return the pairs in random order in which, where it can be, none shows the same clip as the one before."""
    left: dict[str, list[Pair]] = {}
    for pair in chance.sample(pairs, len(pairs)):
        left.setdefault(pair.clip, []).append(pair)
    order: list[Pair] = []
    while left:
        open_clips = [clip for clip in left if not order or clip != order[-1].clip] or list(left)
        remaining = sum(map(len, left.values()))
        # A clip with half of what is left must come now, or it will follow itself at the end.
        urgent = [clip for clip in open_clips if 2 * len(left[clip]) > remaining]
        clip = urgent[0] if urgent else chance.choices(open_clips, [len(left[each]) for each in open_clips])[0]
        order.append(left[clip].pop())
        if not left[clip]:
            del left[clip]
    return order
