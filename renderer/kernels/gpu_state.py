"""Prepares a frame from what is sent of it: the head's pose and window, the torso's motion and warp, two biases."""

import triton
import triton.language as tl

from renderer import pose_correction
from renderer.kernels.gpu_rays import pick

FARTHEST = tl.constexpr(pose_correction.FARTHEST)
"""Bound of what enters the pose correction."""
TURN = tl.constexpr(pose_correction.REACH[0])
"""What an output of 1 of the pose correction stands for: about each axis, across and down, away."""
SHIFT = tl.constexpr(pose_correction.REACH[3])
DEPTH = tl.constexpr(pose_correction.REACH[5])


@triton.jit  # type: ignore[untyped-decorator]
def _pose_vector(
    index: tl.tensor, rotation: tl.tensor, translation: tl.tensor, motion: tl.tensor, END: tl.constexpr
) -> tl.tensor:
    """Return the numbers of `torso_field.pose_vector` and the torso's motion after them, 0 from index END on."""
    plus = tl.where(index == 0, 7, tl.where(index == 1, 2, 3))
    minus = tl.where(index == 0, 5, tl.where(index == 1, 6, 1))
    is_axis, is_shift, is_motion = index < 3, (index >= 3) & (index < 6), (index >= 6) & (index < END)
    axis = 0.5 * (tl.load(rotation + plus, is_axis, 0.0) - tl.load(rotation + minus, is_axis, 0.0))
    return axis + tl.load(translation + index - 3, is_shift, 0.0) + tl.load(motion + index - 6, is_motion, 0.0)


@triton.jit  # type: ignore[untyped-decorator]
def _turned(turn: tl.tensor, x: tl.tensor, y: tl.tensor, z: tl.tensor, column: tl.tensor) -> tl.tensor:
    """Return a column, each third number from an address on, turned about an axis by a length (Rodrigues' formula)."""
    a, b, c = tl.load(column), tl.load(column + 3), tl.load(column + 6)
    half = tl.maximum(0.5 * turn, 1e-6)
    across = tl.sin(half) * tl.cos(half) / half
    along = 0.5 * (tl.sin(half) / half) * (tl.sin(half) / half)
    scalar = x * a + y * b + z * c
    square = turn * turn
    a_turned = a + across * (y * c - z * b) + along * (x * scalar - square * a)
    b_turned = b + across * (z * a - x * c) + along * (y * scalar - square * b)
    return a_turned, b_turned, c + across * (x * b - y * a) + along * (z * scalar - square * c)


@triton.jit  # type: ignore[untyped-decorator]
def _head(
    expression: tl.tensor,
    rotation: tl.tensor,
    translation: tl.tensor,
    pose_mean: tl.tensor,
    pose_scale: tl.tensor,
    pose_weights: tl.tensor,
    pose_bias: tl.tensor,
    expression_weights: tl.tensor,
    corners: tl.tensor,
    pose: tl.tensor,
    window: tl.tensor,
    width: tl.tensor,
    height: tl.tensor,
    focal: tl.tensor,
    cx: tl.tensor,
    cy: tl.tensor,
    EXPRESSIONS: tl.constexpr,
    PADDED: tl.constexpr,
) -> None:
    """Correct the head's pose (`PoseCorrection.forward`) and find its window (`View.head_window`)."""
    index = tl.arange(0, 8)
    real = index < 6
    sent = _pose_vector(index, rotation, translation, translation, 6)
    sent = (sent - tl.load(pose_mean + index, real, 0.0)) / tl.load(pose_scale + index, real, 1.0)
    sent = tl.where(real, tl.minimum(tl.maximum(sent, -FARTHEST), FARTHEST), 0.0)
    matrix = tl.load(pose_weights + index[:, None] * 6 + index[None, :], real[:, None] & real[None, :], 0.0)
    moved = tl.sum(matrix * sent[None, :], 1) + tl.load(pose_bias + index, real, 0.0)
    part = tl.arange(0, PADDED)
    known = part < EXPRESSIONS
    face = tl.minimum(tl.maximum(tl.load(expression + part, known, 0.0), -FARTHEST), FARTHEST)
    matrix = tl.load(
        expression_weights + index[:, None] * EXPRESSIONS + part[None, :], real[:, None] & known[None, :], 0.0
    )
    moved += tl.sum(matrix * face[None, :], 1)
    moved *= tl.where(index < 3, TURN, tl.where(index < 5, SHIFT, DEPTH))
    x, y, z = pick(moved, index, 0), pick(moved, index, 1), pick(moved, index, 2)
    turn = tl.sqrt(x * x + y * y + z * z)
    xx, yx, zx = _turned(turn, x, y, z, rotation)
    xy, yy, zy = _turned(turn, x, y, z, rotation + 1)
    xz, yz, zz = _turned(turn, x, y, z, rotation + 2)
    shift_x = tl.load(translation) + pick(moved, index, 3)
    shift_y = tl.load(translation + 1) + pick(moved, index, 4)
    shift_z = tl.load(translation + 2) + pick(moved, index, 5)
    tl.store(pose, -(shift_x * xx + shift_y * yx + shift_z * zx))
    tl.store(pose + 1, -(shift_x * xy + shift_y * yy + shift_z * zy))
    tl.store(pose + 2, -(shift_x * xz + shift_y * yz + shift_z * zz))
    _store_row(pose + 3, xx, xy, xz)
    _store_row(pose + 6, yx, yy, yz)
    _store_row(pose + 9, zx, zy, zz)
    corner = corners + 3 * index
    a, b, c = tl.load(corner), tl.load(corner + 1), tl.load(corner + 2)
    at_x = a * xx + b * xy + c * xz + shift_x
    at_y = a * yx + b * yy + c * yz + shift_y
    at_z = a * zx + b * zy + c * zz + shift_z
    away = -tl.minimum(at_z, -1.0)
    side = tl.minimum(width, height)
    columns = (cx + focal * at_x / away) * side + (width - side) * 0.5
    rows = (cy - focal * at_y / away) * side + (height - side) * 0.5
    left, right = _bounded(tl.floor(tl.min(columns, 0)), width), _bounded(tl.ceil(tl.max(columns, 0)), width)
    top, bottom = _bounded(tl.floor(tl.min(rows, 0)), height), _bounded(tl.ceil(tl.max(rows, 0)), height)
    tl.store(window, top)
    tl.store(window + 1, left)
    tl.store(window + 2, bottom - top)
    tl.store(window + 3, right - left)


@triton.jit  # type: ignore[untyped-decorator]
def _store_row(place: tl.tensor, x: tl.tensor, y: tl.tensor, z: tl.tensor) -> None:
    tl.store(place, x)
    tl.store(place + 1, y)
    tl.store(place + 2, z)


@triton.jit  # type: ignore[untyped-decorator]
def _bounded(value: tl.tensor, limit: tl.tensor) -> tl.tensor:
    return tl.minimum(tl.maximum(value, 0.0), limit.to(tl.float32)).to(tl.int32)


@triton.jit(do_not_specialize=["width", "height"])  # type: ignore[untyped-decorator]
def prepare(
    expression: tl.tensor,
    rotation: tl.tensor,
    translation: tl.tensor,
    torso: tl.tensor,
    pose_mean: tl.tensor,
    pose_scale: tl.tensor,
    pose_weights: tl.tensor,
    pose_bias: tl.tensor,
    expression_weights: tl.tensor,
    corners: tl.tensor,
    density_bias: tl.tensor,
    code_weights: tl.tensor,
    condition_mean: tl.tensor,
    condition_scale: tl.tensor,
    code: tl.tensor,
    lattice: tl.tensor,
    lattice_modes: tl.tensor,
    first_weights: tl.tensor,
    first_bias: tl.tensor,
    second_weights: tl.tensor,
    second_bias: tl.tensor,
    third_weights: tl.tensor,
    third_bias: tl.tensor,
    shade_bias: tl.tensor,
    condition_weights: tl.tensor,
    pose: tl.tensor,
    window: tl.tensor,
    head_bias: tl.tensor,
    torso_bias: tl.tensor,
    offsets: tl.tensor,
    width: tl.tensor,
    height: tl.tensor,
    points: tl.tensor,
    focal: tl.tensor,
    cx: tl.tensor,
    cy: tl.tensor,
    EXPRESSIONS: tl.constexpr,
    EXPRESSIONS_PADDED: tl.constexpr,
    CODE: tl.constexpr,
    CODE_PADDED: tl.constexpr,
    WIDTH: tl.constexpr,
    TORSO_WIDTH: tl.constexpr,
    ENCODED: tl.constexpr,
    ENCODED_PADDED: tl.constexpr,
    CONDITIONS: tl.constexpr,
    CONDITIONS_PADDED: tl.constexpr,
    MODES: tl.constexpr,
    POINTS: tl.constexpr,
) -> None:
    """Evaluate the warp on some points of its lattice; the first program does all the rest as well.

    The grid is (tiles of points,). It does what `PoseCorrection`, `View.head_window`, `TorsoField.condition`
    and `TorsoField.offsets` do, in float32 as they.

    Args:
        expression: (EXPRESSIONS,).
        rotation: (3, 3) head space to camera space, as sent.
        translation: (3,) cm.
        torso: (2 + MODES,) its motion.
        pose_mean: (6,); it and the next four are those of `PoseCorrection`.
        pose_scale: (6,).
        pose_weights: (6, 6).
        pose_bias: (6,).
        expression_weights: (6, EXPRESSIONS).
        corners: (8, 3) of `DensityGrid.corners`.
        density_bias: (WIDTH,) of the head's first layer.
        code_weights: (WIDTH, CODE).
        condition_mean: (CONDITIONS,); it and the rest are those of `TorsoField`.
        condition_scale: (CONDITIONS,).
        code: (CODE,) the consistency code.
        lattice: (points, ENCODED).
        lattice_modes: (MODES, 2, points).
        first_weights: (TORSO_WIDTH, ENCODED + CONDITIONS + CODE) of the warp.
        first_bias: (TORSO_WIDTH,).
        second_weights: (TORSO_WIDTH, TORSO_WIDTH).
        second_bias: (TORSO_WIDTH,).
        third_weights: (2, TORSO_WIDTH).
        third_bias: (2,).
        shade_bias: (TORSO_WIDTH,).
        condition_weights: (TORSO_WIDTH, CONDITIONS + CODE).
        pose: (12,), written: origin in head space, corrected rotation.
        window: (4,) int32, written: first row and column of the head's window, its height and width.
        head_bias: (WIDTH,), written: of the head's first layer, the code's part in it.
        torso_bias: (TORSO_WIDTH,), written: of the torso's shading layer, the condition's part in it.
        offsets: (points, 2), written: the warp, in half frame sides.
        width: of the picture, pixels.
        height: of the picture.
        points: of the lattice.
        focal: of the camera, see `Camera`.
        cx: see `Camera`.
        cy: see `Camera`.
        EXPRESSIONS: numbers of an expression.
        EXPRESSIONS_PADDED: a power of two, not less; likewise the others with this ending.
        CODE: numbers of the consistency code.
        CODE_PADDED: see above.
        WIDTH: units of the head's hidden layer.
        TORSO_WIDTH: units of the torso's hidden layers.
        ENCODED: numbers that say where a point of the lattice lies.
        ENCODED_PADDED: see above, at least 16.
        CONDITIONS: numbers that bend the torso.
        CONDITIONS_PADDED: of CONDITIONS + CODE.
        MODES: of the torso's motion.
        POINTS: of a program.
    """
    unit, torso_unit = tl.arange(0, WIDTH), tl.arange(0, TORSO_WIDTH)
    index = tl.arange(0, CONDITIONS_PADDED)
    bends, coded = index < CONDITIONS, (index >= CONDITIONS) & (index < CONDITIONS + CODE)
    condition = _pose_vector(index, rotation, translation, torso, CONDITIONS)
    condition -= tl.load(condition_mean + index, bends, 0.0)
    condition = tl.minimum(tl.maximum(condition / tl.load(condition_scale + index, bends, 1.0), -3.0), 3.0)
    condition = tl.where(bends, condition, tl.load(code + index - CONDITIONS, coded, 0.0))
    given = (index < CONDITIONS + CODE)[None, :]

    if tl.program_id(0) == 0:
        _head(
            expression,
            rotation,
            translation,
            pose_mean,
            pose_scale,
            pose_weights,
            pose_bias,
            expression_weights,
            corners,
            pose,
            window,
            width,
            height,
            focal,
            cx,
            cy,
            EXPRESSIONS,
            EXPRESSIONS_PADDED,
        )
        part = tl.arange(0, CODE_PADDED)
        matrix = tl.load(code_weights + unit[:, None] * CODE + part[None, :], (part < CODE)[None, :], 0.0)
        shared = tl.sum(matrix * tl.load(code + part, part < CODE, 0.0)[None, :], 1)
        tl.store(head_bias + unit, shared + tl.load(density_bias + unit))
        matrix = tl.load(condition_weights + torso_unit[:, None] * (CONDITIONS + CODE) + index[None, :], given, 0.0)
        bent = tl.sum(matrix * condition[None, :], 1)
        tl.store(torso_bias + torso_unit, bent + tl.load(shade_bias + torso_unit))

    inputs = ENCODED + CONDITIONS + CODE
    matrix = tl.load(first_weights + torso_unit[:, None] * inputs + ENCODED + index[None, :], given, 0.0)
    bias = tl.sum(matrix * condition[None, :], 1) + tl.load(first_bias + torso_unit)
    point = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    wave = tl.arange(0, ENCODED_PADDED)
    real = (point < points)[:, None] & (wave < ENCODED)[None, :]
    encoded = tl.load(lattice + point[:, None] * ENCODED + wave[None, :], real, 0.0)
    matrix = tl.load(first_weights + torso_unit[None, :] * inputs + wave[:, None], (wave < ENCODED)[:, None], 0.0)
    hidden = tl.maximum(tl.dot(encoded, matrix, input_precision="tf32x3") + bias[None, :], 0.0)
    matrix = tl.load(second_weights + torso_unit[None, :] * TORSO_WIDTH + torso_unit[:, None])
    hidden = tl.dot(hidden, matrix, input_precision="tf32x3") + tl.load(second_bias + torso_unit)[None, :]
    hidden = tl.maximum(hidden, 0.0)
    for axis in tl.static_range(2):
        row = tl.load(third_weights + axis * TORSO_WIDTH + torso_unit)
        value = tl.sum(hidden * row[None, :], 1) + tl.load(third_bias + axis)
        value *= 0.1
        for mode in tl.static_range(MODES):
            bend = tl.load(lattice_modes + (2 * mode + axis) * points + point, point < points, 0.0)
            value -= tl.load(torso + 2 + mode) * bend
        tl.store(offsets + point * 2 + axis, value, point < points)
