"""The baked model: what it must be able to do with a face, and what its reader must refuse."""

import io
import zipfile
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tracking.morphable_model import MorphableModel, MorphableModelError

FILE = (resources.files("app.tracking") / "data" / "morphable_model.npz").read_bytes()

RIGHT_LIDS, LEFT_LIDS = (159, 145), (386, 374)  # upper, lower: middle of each eye's lids
INNER_LIPS, MOUTH_CORNERS = (13, 14), (61, 291)
NOSE_TIP, CHIN, FOREHEAD = 1, 152, 10
RIGHT_CORNER, LEFT_CORNER = 33, 263
RIGHT_IRIS, LEFT_IRIS = 468, 473


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel.load()


def expression(model: MorphableModel, **units: float) -> np.ndarray:
    coefficients = np.zeros(79, np.float32)
    for name, value in units.items():
        coefficients[model.expression_names.index(name)] = value
    return coefficients


def landmarks(model: MorphableModel, **units: float) -> np.ndarray:
    return model.landmarks(expression=expression(model, **units))


def distance(points: np.ndarray, pair: tuple[int, int]) -> float:
    return float(np.linalg.norm(points[pair[0]] - points[pair[1]]))


@pytest.fixture(scope="module")
def twins(model: MorphableModel) -> np.ndarray:
    """For each vertex the one that lies at its mirror image."""
    mirrored = model.vertices_mean * [-1, 1, 1]
    nearest = np.array([((model.vertices_mean - point) ** 2).sum(1).argmin() for point in mirrored])
    gap = np.linalg.norm(model.vertices_mean[nearest] - mirrored, axis=1)
    assert gap.max() < 0.05
    return nearest


def test_the_head_is_an_upright_adult_head_with_its_origin_between_the_ears(model: MorphableModel) -> None:
    points = model.landmarks()
    ears = model.vertices_mean[model.region("ears")]
    left, right = ears[ears[:, 0] > 0].mean(0), ears[ears[:, 0] < 0].mean(0)
    np.testing.assert_allclose((left + right) / 2, 0, atol=0.05)
    assert 12 < left[0] - right[0] < 18
    assert 8 < distance(points, (RIGHT_CORNER, LEFT_CORNER)) < 11
    assert points[LEFT_CORNER, 0] > 0 > points[RIGHT_CORNER, 0]
    assert points[FOREHEAD, 1] > points[NOSE_TIP, 1] > points[CHIN, 1]
    assert points[NOSE_TIP, 2] > points[:, 2].max() - 0.5


def test_triangles_face_outwards(model: MorphableModel) -> None:
    a, b, c = (model.vertices_mean[model.triangles[:, k]].astype(float) for k in range(3))
    for eye in ("eye_left", "eye_right"):
        ball = model.region(eye)[model.triangles].all(1)
        centre = model.vertices_mean[model.region(eye)].mean(0)
        normals = np.cross(b - a, c - a)[ball]
        assert (np.einsum("nc,nc->n", normals, ((a + b + c) / 3)[ball] - centre) > 0).all()


def test_identity_directions_are_orthogonal_and_sorted(model: MorphableModel) -> None:
    weights = np.where(model.region("face"), 1.0, 0.15)  # the metric of the principal components
    flat = (model.identity_basis * np.sqrt(weights)[:, None]).reshape(len(model.identity_basis), -1).astype(float)
    gram = flat @ flat.T
    lengths = np.sqrt(np.diag(gram))
    cosines = gram / np.outer(lengths, lengths)
    np.testing.assert_allclose(cosines, np.eye(len(flat)), atol=2e-3)
    assert (np.diff(lengths) < 1e-3).all()
    assert len(flat) == 40


def test_the_directions_of_expression_are_independent(model: MorphableModel) -> None:
    flat = model.expression_basis.reshape(79, -1).astype(float)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    assert np.linalg.svd(flat, compute_uv=False).min() > 0.03
    seen = model.at_landmarks(model.expression_basis).reshape(79, -1).astype(float)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    assert np.linalg.svd(seen, compute_uv=False).min() > 0.01


def test_fifty_named_units_come_first(model: MorphableModel) -> None:
    assert model.expression_named == 50
    named = model.expression_names[:50]
    for name in ("jawOpen", "eyeBlinkLeft", "eyeLookUpRight", "mouthSmileLeft", "browInnerUp", "mouthPucker"):
        assert name in named
    assert "tongueOut" not in model.expression_names
    assert "mouthClose" in model.expression_names[50:]
    assert (model.expression_sigma > 0.05).all()
    assert (model.expression_sigma < 1).all()


@pytest.mark.parametrize(("side", "lids", "other"), [("Left", LEFT_LIDS, RIGHT_LIDS), ("Right", RIGHT_LIDS, LEFT_LIDS)])
def test_a_blink_closes_its_own_lids(
    model: MorphableModel, side: str, lids: tuple[int, int], other: tuple[int, int]
) -> None:
    rest, shut = landmarks(model), landmarks(model, **{f"eyeBlink{side}": 1.0})
    upper, lower = lids
    assert distance(shut, lids) < 0.4 * distance(rest, lids)
    assert shut[upper, 1] - shut[lower, 1] < 0.05  # they meet: the upper lid is where the lower one is, or below
    assert distance(shut, other) == pytest.approx(distance(rest, other), rel=0.02)
    half = landmarks(model, **{f"eyeBlink{side}": 0.5})
    assert distance(shut, lids) < distance(half, lids) < distance(rest, lids)


def test_wide_eyes_open_and_squints_narrow(model: MorphableModel) -> None:
    rest = distance(landmarks(model), LEFT_LIDS)
    assert distance(landmarks(model, eyeWideLeft=1.0), LEFT_LIDS) > 1.1 * rest
    assert distance(landmarks(model, eyeSquintLeft=1.0), LEFT_LIDS) < 0.95 * rest


def test_the_jaw_opens_the_lips_and_lowers_the_chin(model: MorphableModel) -> None:
    rest, open_ = landmarks(model), landmarks(model, jawOpen=0.5)
    assert distance(open_, INNER_LIPS) > distance(rest, INNER_LIPS) + 1.0
    assert open_[CHIN, 1] < rest[CHIN, 1] - 0.8
    np.testing.assert_allclose(
        open_[[NOSE_TIP, FOREHEAD, RIGHT_IRIS]], rest[[NOSE_TIP, FOREHEAD, RIGHT_IRIS]], atol=0.1
    )


def test_smiles_widen_and_puckers_narrow_the_mouth(model: MorphableModel) -> None:
    rest = distance(landmarks(model), MOUTH_CORNERS)
    assert distance(landmarks(model, mouthSmileLeft=1.0, mouthSmileRight=1.0), MOUTH_CORNERS) > rest + 0.5
    assert distance(landmarks(model, mouthPucker=1.0), MOUTH_CORNERS) < rest - 0.4


@pytest.mark.parametrize(
    ("unit", "iris", "towards"),
    [
        ("eyeLookOutLeft", LEFT_IRIS, (1, 0)),
        ("eyeLookInLeft", LEFT_IRIS, (-1, 0)),
        ("eyeLookOutRight", RIGHT_IRIS, (-1, 0)),
        ("eyeLookInRight", RIGHT_IRIS, (1, 0)),
        ("eyeLookUpLeft", LEFT_IRIS, (0, 1)),
        ("eyeLookUpRight", RIGHT_IRIS, (0, 1)),
        ("eyeLookDownLeft", LEFT_IRIS, (0, -1)),
        ("eyeLookDownRight", RIGHT_IRIS, (0, -1)),
    ],
)
def test_gaze_units_turn_the_eyeball(model: MorphableModel, unit: str, iris: int, towards: tuple[int, int]) -> None:
    moved = (landmarks(model, **{unit: 1.0}) - landmarks(model))[iris, :2]
    along = float(moved @ towards)
    assert along > 0.5  # about 20 to 30 degrees on an eyeball of 1.6 cm
    assert abs(moved[0] * towards[1] - moved[1] * towards[0]) < 0.2 * along
    ball = model.region("eye_left" if iris == LEFT_IRIS else "eye_right")
    rest = model.vertices_mean[ball].astype(float)
    turned = model.vertices(expression=expression(model, **{unit: 1.0}))[ball].astype(float)
    centre = (rest.min(0) + rest.max(0)) / 2
    np.testing.assert_allclose(
        np.linalg.norm(turned - centre, axis=1), np.linalg.norm(rest - centre, axis=1), atol=0.02
    )


def test_left_and_right_are_mirror_images(model: MorphableModel, twins: np.ndarray) -> None:
    pairs = [
        (name, name[: -len(end)] + other)
        for name in model.expression_names
        for end, other in (("Left", "Right"), ("-left", "-right"))
        if name.endswith(end)
    ]
    assert len(pairs) == 20 + 14
    for left, right in pairs:
        a = model.expression_basis[model.expression_names.index(left)]
        b = model.expression_basis[model.expression_names.index(right)]
        off = np.linalg.norm(a - b[twins] * [-1, 1, 1], axis=1)
        assert np.percentile(off, 99) < 0.08 * np.linalg.norm(a, axis=1).max(), left


def test_irises_lie_on_eyeballs_and_all_else_on_visible_skin(model: MorphableModel) -> None:
    corners = model.triangles[model.landmark_triangles]
    left, right = model.region("eye_left"), model.region("eye_right")
    assert right[corners[468:473]].all()
    assert left[corners[473:478]].all()
    assert not (left | right | model.region("cavity"))[corners[:468]].any()
    assert (model.landmark_barycentrics >= 0).all()
    assert (model.landmark_weights > 0).all()
    assert (model.landmark_weights <= 1).all()


def test_the_slide_is_small_and_mirrored(model: MorphableModel) -> None:
    yaw, pitch = 0.5, 0.3
    terms = np.array([yaw, pitch, yaw * yaw, yaw * pitch, pitch * pitch])
    size = np.linalg.norm(model.landmark_slide @ terms, axis=1)
    assert np.median(size) < 0.3
    assert size.max() < 2.5
    pair = model.landmark_slide[[RIGHT_CORNER, LEFT_CORNER]]
    # Mirroring the picture turns the signs of x, of yaw and of yaw times pitch.
    signs = np.array([[-1], [1]]) * np.array([-1, 1, 1, -1, 1])
    np.testing.assert_allclose(pair[0], pair[1] * signs, atol=2e-3)


def test_a_head_is_linear_in_its_coefficients(model: MorphableModel) -> None:
    rng = np.random.default_rng(1)
    i, e = rng.normal(size=40).astype(np.float32), rng.normal(size=79).astype(np.float32)
    both = model.vertices(i, e)
    np.testing.assert_allclose(both, model.vertices(i) + model.vertices(None, e) - model.vertices_mean, atol=1e-4)
    np.testing.assert_allclose(
        model.landmarks(i, e), model.at_landmarks(model.vertices_mean) + np.tensordot(
            i, model.at_landmarks(model.identity_basis), axes=1
        ) + np.tensordot(e, model.at_landmarks(model.expression_basis), axes=1), atol=1e-4
    )  # fmt: skip
    with pytest.raises(ValueError, match="coefficients"):
        model.vertices(np.zeros(41))


def rewritten(name: str, array: np.ndarray | None) -> bytes:
    """The shipped file with one array replaced (as numpy writes it) or left out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(FILE)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            if entry != name + ".npy":
                new.writestr(entry, old.read(entry))
        if array is not None:
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=True)
            new.writestr(name + ".npy", member.getvalue())
    return buffer.getvalue()


def test_a_rewritten_file_is_read_as_it_was() -> None:
    with zipfile.ZipFile(io.BytesIO(FILE)) as archive:
        slide = np.load(io.BytesIO(archive.read("landmark_slide.npy")))
    again = MorphableModel.parse(rewritten("landmark_slide", slide))
    np.testing.assert_array_equal(again.landmark_slide, MorphableModel.load().landmark_slide)


BAD_ARRAYS = {
    "pickled objects": ("vertices_mean", np.array([[object()] * 3], dtype=object)),
    "missing": ("triangles", None),
    "vertex out of range": ("triangles", np.full((10, 3), 60000, np.uint16)),
    "negative vertex": ("triangles", np.full((10, 3), -1, np.int32)),
    "fewer vertices than the bases have": ("vertices_mean", np.zeros((10, 3), np.float32)),
    "too many vertices": ("vertices_mean", np.zeros((30_000, 3), np.float32)),
    "not finite": ("landmark_slide", np.full((478, 2, 5), np.nan, np.float32)),
    "out of range": ("landmark_slide", np.full((478, 2, 5), 1e9, np.float32)),
    "another shape": ("landmark_slide", np.zeros((478, 5, 2), np.float32)),
    "column order": ("landmark_slide", np.asfortranarray(np.zeros((478, 2, 5), np.float32))),
    "weights that are none": ("landmark_barycentrics", np.zeros((478, 3), np.float32)),
    "integers for floats": ("landmark_weights", np.ones(478, np.int32)),
    "the same name twice": ("expression_names", np.array(["jawOpen"] * 79)),
    "endless names": ("expression_names", np.array([f"{i:0999d}" for i in range(79)])),
    "more named units than units": ("expression_named", np.array(200)),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_a_malformed_array_is_refused(case: str) -> None:
    with pytest.raises(MorphableModelError, match="no valid morphable model"):
        MorphableModel.parse(rewritten(*BAD_ARRAYS[case]), "spoilt.npz")


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(FILE)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            if entry != "vertices_mean.npy":
                new.writestr(entry, old.read(entry))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 3)})
        with new.open("vertices_mean.npy", "w") as member:
            member.write(header.getvalue())
            for _ in range(64):
                member.write(bytes(1 << 20))
    with pytest.raises(MorphableModelError, match="unexpected shape"):
        MorphableModel.parse(buffer.getvalue())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(FILE) - 1))
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(MorphableModelError):
        MorphableModel.parse(FILE[:length])


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.integers(0, len(FILE) - 1), st.integers(len(FILE) - 1500, len(FILE) - 1)), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(position: int, flip: int) -> None:
    spoilt = bytearray(FILE)
    spoilt[position] ^= flip
    try:
        read = MorphableModel.parse(bytes(spoilt))
    except MorphableModelError:
        return
    shipped = MorphableModel.load()
    np.testing.assert_array_equal(read.expression_basis, shipped.expression_basis)
    np.testing.assert_array_equal(read.vertices_mean, shipped.vertices_mean)


def test_files_that_are_no_model_are_named(tmp_path) -> None:
    with pytest.raises(MorphableModelError, match=r"nowhere\.npz"):
        MorphableModel.load(tmp_path / "nowhere.npz")
    (tmp_path / "big.npz").write_bytes(bytes(9 << 20))
    with pytest.raises(MorphableModelError, match=r"big\.npz"):
        MorphableModel.load(tmp_path / "big.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(MorphableModelError, match=r"text\.npz.*bake the model again"):
        MorphableModel.load(tmp_path / "text.npz")
