"""The 79 expression directions: 50 named facial units and 29 further ones that say what the units cannot.

**Named units** (one-sided, about [0, 1]): MakeHuman's facial units, which carry ARKit's names, left out two.
``tongueOut`` moves nothing that a landmark sees. ``mouthClose`` undoes ``jawOpen`` at the lips, has no meaning without
it, and alone lets a fit trade one against the other; what it says beyond the jaw is offered as a further direction.
The gaze units are doubled: MakeHuman's turn an eyeball by 10 to 15 degrees, people's eyes turn by 25 to 30. Eyeballs
rotate about their centres.

**Further directions** (signed): MakeHuman's local face controls, which shape a person's features, move the same
features in an expression: the height of a lid over the pupil, the corner of an eye, a lip's middle or its outer part,
the wing of a nose, a cheek. Each is taken left and right apart, and what the units (and the directions chosen before)
can say of it is projected out, as 2-D landmarks see it; the remainder is a direction of its own. They are chosen one
by one, the largest remainder first, at an amplitude that faces show.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.bake.source import HeadSource

Floats = NDArray[np.float64]
EXPRESSIONS = 79
LEFT_OUT = ("tongueOut", "mouthClose")
GAZE_GAIN = 2.0
FURTHER_PEAK = 0.5
"""Centimetres by which a further direction moves the vertex that it moves most, at coefficient 1."""

# How far, as a share of the control's range, an expression moves what the control shapes.
_AMPLITUDES = {
    "mouth-": 0.5,
    "cheek-": 0.4,
    "chin-jaw-drop": 0.4,
    "chin-height": 0.3,
    "chin-prominent": 0.3,
    "eye-height": 0.8,
    "eye-corner": 0.5,
    "eye-eyefold": 0.4,
    "eye-bag": 0.4,
    "eye-push": 0.4,
    "nose-flaring": 0.6,
    "nose-nostrils": 0.4,
    "nose-base-up": 0.4,
    "nose-point-up": 0.3,
    "nose-compression": 0.3,
    "nose-trans-out": 0.3,
    "forehead-temple": 0.3,
    "eyebrows-": 0.6,
}
_SEAM = 0.7
"""Centimetres over which a control that spans both sides fades out across the middle."""


@dataclass(frozen=True)
class ExpressionBasis:
    """Directions (79, V, 3) in cm per unit, their names, and how many of them are named units (they come first)."""

    names: list[str]
    directions: Floats
    named: int


def facial_units(source: HeadSource, mean: Floats) -> tuple[list[str], Floats]:
    """Return names and displacements (50, V, 3) of the named units, gaze doubled and eyeballs turned rigidly."""
    names, units = [], []
    for name, action in zip(source.action_names, source.actions, strict=True):
        if name in LEFT_OUT:
            continue
        unit = action.copy()
        if name.startswith("eyeLook"):
            unit *= GAZE_GAIN
            eye = source.regions["eye_left" if name.endswith("Left") else "eye_right"]
            unit[eye] = _turned(source.vertices[eye], action[eye], mean[eye])
        names.append(name)
        units.append(unit)
    return names, np.stack(units)


def _turned(rest: Floats, moved_by: Floats, eyeball: Floats) -> Floats:
    """Return the displacement (N, 3) of ``eyeball`` that is the rotation in ``moved_by``, made larger by the gain."""
    centred, target = rest - rest.mean(0), (rest + moved_by) - (rest + moved_by).mean(0)
    u, _s, vt = np.linalg.svd(target.T @ centred)
    rotation = u @ vt
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    sine = np.linalg.norm(axis) / 2
    # Only sideways and up-down turns: eyes hardly roll, and MakeHuman's own turns have a trace of it.
    axis = axis / np.linalg.norm(axis) * [1, 1, 0]
    axis /= np.linalg.norm(axis)
    angle = GAZE_GAIN * np.arcsin(sine)
    from_centre = eyeball - (eyeball.min(0) + eyeball.max(0)) / 2
    cross = np.cross(axis, from_centre)
    displacement: Floats = np.sin(angle) * cross + (1 - np.cos(angle)) * np.cross(axis, cross)
    return displacement


def candidates(source: HeadSource, mean: Floats) -> tuple[list[str], Floats]:
    """Return names and displacements (C, V, 3) of the one-sided signed controls that an expression may use."""
    names, moves = [], []
    left = 1 / (1 + np.exp(-mean[:, 0] / (_SEAM / 4)))
    for name, (positive, negative) in zip(source.control_names, source.controls, strict=True):
        base = name[2:] if name[:2] in ("l-", "r-") else name
        amplitude = next((a for key, a in _AMPLITUDES.items() if base.startswith(key)), None)
        if amplitude is None:
            continue
        signed = amplitude * (positive - negative) / 2
        if name[:2] in ("l-", "r-"):
            names.append(f"{base}-{'left' if name[0] == 'l' else 'right'}")
            moves.append(signed)
        else:
            for side, share in (("left", left), ("right", 1 - left)):
                names.append(f"{base}-{side}")
                moves.append(signed * share[:, None])
    names.append("mouthClose")
    moves.append(0.2 * source.actions[source.action_names.index("mouthClose")])
    return names, np.stack(moves)


def expression_basis(
    source: HeadSource,
    mean: Floats,
    landmark_triangles: NDArray[np.int32],
    landmark_barycentrics: Floats,
    count: int = EXPRESSIONS,
) -> ExpressionBasis:
    """Choose ``count`` directions as the module's docstring says.

    ``landmark_triangles`` (478,) and ``landmark_barycentrics`` (478, 3) say where landmarks lie: what they see of a
    direction (frontal, depth at a third of its weight) decides what counts as already said and as large.
    """
    unit_names, units = facial_units(source, mean)
    control_names, controls = candidates(source, mean)

    def observed(moves: Floats) -> Floats:
        at = np.einsum("mnkc,nk->mnc", moves[:, source.triangles[landmark_triangles]], landmark_barycentrics)
        seen: Floats = (at * [1.0, 1.0, 0.33]).reshape(len(moves), -1)
        return seen

    # Ridge: a combination of units may stand in for a control only at coefficients that faces have.
    unit_seen = observed(units)
    gram = unit_seen @ unit_seen.T + np.eye(len(units)) * (0.05**2 * unit_seen.shape[1] / 3 / 9)
    share = np.linalg.solve(gram, unit_seen @ observed(controls).T)  # (units, C)
    remainders = controls - np.tensordot(share.T, units, axes=1)
    seen = observed(remainders)

    chosen: list[int] = []
    names, directions = list(unit_names), list(units)
    left = seen.copy()
    while len(directions) < count:
        gain = (left**2).sum(1)
        gain[chosen] = -1
        pick = int(gain.argmax())
        chosen.append(pick)
        direction = left[pick] / np.linalg.norm(left[pick])
        left = left - np.outer(left @ direction, direction)
        move = remainders[pick]
        names.append(control_names[pick])
        directions.append(move * (FURTHER_PEAK / np.linalg.norm(move, axis=1).max()))
    return ExpressionBasis(names, np.stack(directions), len(units))
