"""The 79 expression directions: 50 named facial units and 29 further ones that say what the units cannot.

**Named units** (one-sided, about [0, 1]): MakeHuman's facial units, which carry ARKit's names, left out two.
``tongueOut`` moves nothing that a landmark sees. ``mouthClose`` undoes ``jawOpen`` at the lips, has no meaning without
it, and alone lets a fit trade one against the other; what it says beyond the other units is a further direction.
The gaze units are enlarged: MakeHuman's turn an eyeball by 10 to 15 degrees, people's eyes turn by 25 to 30. Eyeballs
rotate about their centres; lids follow by less, so that a look down stays apart from a blink.

**Further directions** (signed): MakeHuman's local face controls, made to shape a person's features, also move the
features of a face that acts. Each is taken left and right apart, and what the units can say of it, as 2-D landmarks
see it, is projected out: the remainder is a direction of its own. `FURTHER` are 14 pairs and ``mouthClose``, chosen
thus: the named units were fitted to tracks of several people in conversation and speech, static offsets and all that
is linear in pose were removed from what the units left over, and one by one the pair that explained most of the rest
was taken. Controls that no muscle moves (the place of the eyes, the bridge of the nose, the jaw bone) did not stand
for election, and lids and cheeks got their seats (``eye-height2``, ``eye-bag-height``, ``cheek-volume``) even where
their part in landmarks is small, because a picture shows them. Most of the gain is in the lips: their width, fullness
and height on each side, beside the wings of the nose, the corners and lids of the eyes, and the brows' height and tilt.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.bake.source import HeadSource
from app.tracking.bake.symmetry import vertex_twins

Floats = NDArray[np.float64]
EXPRESSIONS = 79
LEFT_OUT = ("tongueOut", "mouthClose")
GAZE_GAIN, LID_GAIN = 2.0, 1.4
"""How much further than MakeHuman's the gaze units turn the eyeball and move the lids."""
FURTHER_PEAK = 0.5
"""Centimetres by which a further direction moves the vertex that it moves most, at coefficient 1."""

FURTHER = (
    "mouth-upperlip-width-incr",
    "mouth-lowerlip-width-incr",
    "mouth-lowerlip-volume-incr",
    "mouth-scale-vert-incr",
    "mouth-trans-up",
    "mouth-angles-up",
    "nose-base-up",
    "nose-nostrils-width-incr",
    "eye-corner2-up",
    "eye-height2-incr",
    "eye-bag-height-incr",
    "eyebrows-trans-up",
    "eyebrows-angle-up",
    "cheek-volume-incr",
)
"""MakeHuman's controls that are taken left and right apart; ``mouthClose`` is the 29th."""

RIDGE = 0.02
"""Square centimetres, summed over the landmarks."""
_SIGMAS = {"eyeBlink": 0.5, "eyeLook": 0.3, "mouthSmile": 0.4, "browDown": 0.3, "browOuterUp": 0.3, "jawOpen": 0.3}
_OTHER_SIGMA = 0.25
"""Standard deviations of coefficients in lively faces, of the order that fits to footage show: a full blink and a
broad smile are common, a full sneer is not."""
_SEAM = 0.7
"""Centimetres over which a control that spans both sides fades out across the middle."""


@dataclass(frozen=True)
class ExpressionBasis:
    """Directions (79, V, 3) in cm per unit, their names, and how many of them are named units (they come first)."""

    names: list[str]
    directions: Floats
    named: int
    sigma: Floats
    """(79,) standard deviations of the coefficients that a prior may assume."""


def facial_units(source: HeadSource, mean: Floats) -> tuple[list[str], Floats]:
    """Return names and displacements (50, V, 3) of the named units, gaze enlarged and eyeballs turned rigidly."""
    names, units = [], []
    for name, action in zip(source.action_names, source.actions, strict=True):
        if name in LEFT_OUT:
            continue
        unit = action.copy()
        if name.startswith("eyeLook"):
            unit *= LID_GAIN
            eye = source.regions["eye_left" if name.endswith("Left") else "eye_right"]
            unit[eye] = _turned(source.vertices[eye], action[eye], mean[eye])
        names.append(name)
        units.append(unit)
    # MakeHuman's shapes are not quite even: each unit is averaged with the mirror image of its counterpart.
    twins = vertex_twins(mean)
    counterparts = [units[names.index(_other_side(name))] for name in names]
    return names, np.stack([(u + c[twins] * [-1, 1, 1]) / 2 for u, c in zip(units, counterparts, strict=True)])


def _other_side(name: str) -> str:
    for here, there in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(here):
            return name.removesuffix(here) + there
    return name


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


def further_controls(source: HeadSource, mean: Floats) -> tuple[list[str], Floats]:
    """Return names and displacements (29, V, 3) of the signed directions before the units' part is taken out."""
    names, moves = [], []
    twins = vertex_twins(mean)
    left = 1 / (1 + np.exp(-mean[:, 0] / (_SEAM / 4)))
    for base in FURTHER:
        for side, share in (("left", left), ("right", 1 - left)):
            own = f"{side[0]}-{base}"
            if own in source.control_names:
                positive, negative = source.controls[source.control_names.index(own)]
                share = np.ones_like(share)
            else:
                positive, negative = source.controls[source.control_names.index(base)]
                # MakeHuman's noses are not quite even; the halves of a control shall be each other's mirror images.
                positive, negative = ((c + c[twins] * [-1, 1, 1]) / 2 for c in (positive, negative))
            names.append(f"{base}-{side}")
            moves.append((positive - negative) / 2 * share[:, None])
    names.append("mouthClose")
    moves.append(source.actions[source.action_names.index("mouthClose")])
    return names, np.stack(moves)


def expression_basis(
    source: HeadSource, mean: Floats, landmark_triangles: NDArray[np.int32], landmark_barycentrics: Floats
) -> ExpressionBasis:
    """Return the 79 directions as the module's docstring says.

    ``landmark_triangles`` (478,) and ``landmark_barycentrics`` (478, 3) say where landmarks lie: what they see of a
    direction (frontal, depth at a third of its weight) is what the units may take out of it.
    """
    unit_names, units = facial_units(source, mean)
    control_names, controls = further_controls(source, mean)
    controls *= (FURTHER_PEAK / np.linalg.norm(controls, axis=2).max(axis=1))[:, None, None]

    def observed(moves: Floats) -> Floats:
        at = np.einsum("mnkc,nk->mnc", moves[:, source.triangles[landmark_triangles]], landmark_barycentrics)
        seen: Floats = (at * [1.0, 1.0, 0.33]).reshape(len(moves), -1)
        return seen

    # Ridge: a combination of units may stand in for a control only at coefficients that faces have.
    seen = observed(units)
    share = np.linalg.solve(seen @ seen.T + RIDGE * np.eye(len(units)), seen @ observed(controls).T)  # (50, 29)
    remainders = controls - np.tensordot(share.T, units, axes=1)
    remainders *= (FURTHER_PEAK / np.linalg.norm(remainders, axis=2).max(axis=1))[:, None, None]
    names = unit_names + control_names
    if len(names) != EXPRESSIONS:
        raise ValueError(f"{len(names)} directions instead of {EXPRESSIONS}")
    sigma = [next((s for start, s in _SIGMAS.items() if name.startswith(start)), _OTHER_SIGMA) for name in names]
    return ExpressionBasis(names, np.concatenate([units, remainders]), len(units), np.array(sigma))
