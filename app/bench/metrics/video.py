"""All metrics of a decoded video against its reference, with everything about the reference computed once."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.bench.metrics.action_units import ActionUnits
from app.bench.metrics.face import landmark_distance, prmse
from app.bench.metrics.fidelity import mean_absolute_error, psnr
from app.bench.metrics.flicker import WarpingError
from app.bench.metrics.identity import IdentityReference
from app.bench.metrics.lpips import Features, Lpips, PartWeights, layer_distances, lpips, part_weights
from app.bench.metrics.structural_similarity import structural_similarity
from app.bench.metrics.tracked_face import TrackedFace, landmarks_of, tracked_face
from app.progress import Progress
from app.tracking.calibration import NoFaceError
from app.tracking.calibration_record import Calibration
from app.tracking.morphable_model import MorphableModel
from app.tracking.tracker import LandmarkTrack

FEATURE_LIMIT_BYTES = 2 << 30
"""Features of a longer or larger reference are computed anew for each decoded video."""

Metrics = dict[str, dict[str, float]]


class VideoMetrics:
    """Measures decoded videos against one reference.

    The groups and figures are those of `app.bench.results.Result.metrics`; besides, in "face":

    ============ ====================================================================================================
    faces        frames with a face in the reference; all frames are tracked
    faces_missed of these, frames whose decoded face the tracker does not find: no pose, landmark or action unit of
                 them is in the means, so that the other figures flatter a codec that has any
    csim_missed  frames, of every ``stride``-th, in whose reference the identity network's detector sees no face
    aucon_still  the AUCON that an unmoving face reaches at best on this footage
    ============ ====================================================================================================

    L1 and PSNR of the whole picture, tracking and flicker look at every frame; SSIM, MS-SSIM, LPIPS, CSIM and all of
    the head at every ``stride``-th, beginning with the first.
    """

    def __init__(
        self,
        reference: NDArray[np.uint8],
        head_masks: NDArray[np.bool_] | None,
        calibration: Calibration | None,
        fps: float,
        stride: int = 1,
    ) -> None:
        """Take the reference; what is needed of it is computed at the first measurement.

        Args:
            reference: (N, S, S, 3) RGB.
            head_masks: (N, S, S) pixels of face and hair, right for every ``stride``-th frame; None: no figures of the
                head. Frames with an empty mask are left out of the head's means.
            calibration: of the person, its focal length in heights of these pictures; None: the reference's own.
            fps: frames a second.
            stride: see above.
        """
        if reference.ndim != 4 or reference.shape[3] != 3 or reference.dtype != np.uint8 or not len(reference):
            raise ValueError(f"the reference must be (N, S, S, 3) uint8, not {reference.shape} {reference.dtype}")
        if head_masks is not None and head_masks.shape != reference.shape[:3]:
            raise ValueError(f"the masks must be {reference.shape[:3]}, not {head_masks.shape}")
        self._reference = reference
        self._masks = head_masks
        self._calibration = calibration
        self._fps = fps
        self._chosen = range(0, len(reference), stride)

    def measure(self, decoded: NDArray[np.uint8]) -> Metrics:
        """Return the figures of ``decoded`` (N, S, S, 3) by group; NaN where there is nothing to measure.

        Raises:
            ValueError: it has another shape than the reference.
            AssetError: a metric's model file cannot be brought.
            IdentityError: dlib is not installed.
        """
        if decoded.shape != self._reference.shape or decoded.dtype != np.uint8:
            raise ValueError(f"the decoded frames must be {self._reference.shape} uint8, not {decoded.shape}")
        full = {
            "l1": _mean([mean_absolute_error(*pair) for pair in zip(self._reference, decoded, strict=True)]),
            "psnr": _mean([psnr(*pair) for pair in zip(self._reference, decoded, strict=True)]),
        }
        strided, head = self._strided(decoded)
        groups = {"full": full | strided, "face": self._face(decoded)}
        if self._masks is not None:
            groups["head"] = head
        groups["video"] = {
            "flicker": self._warping.measure(decoded),
            "flicker_reference": self._reference_flicker,
        }
        return groups

    def _strided(self, decoded: NDArray[np.uint8]) -> tuple[dict[str, float], dict[str, float]]:
        """Return SSIM, MS-SSIM and LPIPS of every ``stride``-th frame, and the head's figures."""
        full: dict[str, list[float]] = {"ssim": [], "ms_ssim": [], "lpips": []}
        head: dict[str, list[float]] = {"l1": [], "psnr": [], "ssim": [], "lpips": []}
        with Progress(len(self._chosen), "comparing") as progress:
            for row, index in enumerate(self._chosen):
                reference, frame = self._reference[index], decoded[index]
                structure = structural_similarity(reference, frame)
                (features,) = self._lpips.features(frame[None])
                distances = layer_distances(self._features(row), features)
                full["ssim"].append(structure.ssim)
                full["ms_ssim"].append(structure.ms_ssim)
                full["lpips"].append(lpips(distances))
                if self._masks is not None and (part := self._parts[row]) is not None:
                    mask = self._masks[index]
                    head["l1"].append(mean_absolute_error(reference, frame, mask))
                    head["psnr"].append(psnr(reference, frame, mask))
                    head["ssim"].append(structure.within(mask))
                    head["lpips"].append(lpips(distances, part))
                progress.update(row + 1)
        return {name: _mean(values) for name, values in full.items()}, {
            name: _mean(values) for name, values in head.items()
        }

    def _face(self, decoded: NDArray[np.uint8]) -> dict[str, float]:
        chosen = self._chosen
        figures = {
            "csim": self._identity.csim(decoded[:: chosen.step]),
            "csim_missed": float(len(chosen) - self._identity.found.sum()),
        }
        reference = self._face_of_reference
        nothing = {
            name: float("nan") for name in ("aucon", "aucon_still", "prmse_degrees", "landmark_distance_percent")
        }
        if reference is None:
            return figures | nothing | {"faces": 0.0, "faces_missed": 0.0}
        assert self._person is not None
        face = tracked_face(landmarks_of(decoded, self._fps), self._person, self._model)
        both = reference.found & face.found
        units = ActionUnits(reference.blendshapes[reference.found])
        return figures | {
            "aucon": units.agreement(reference.blendshapes[both], face.blendshapes[both]),
            "aucon_still": units.still,
            "prmse_degrees": prmse(reference.angles[both], face.angles[both]),
            "landmark_distance_percent": landmark_distance(reference.points[both], face.points[both]),
            "faces": float(reference.found.sum()),
            "faces_missed": float((reference.found & ~face.found).sum()),
        }

    def _features(self, row: int) -> Features:
        """Return the reference's features of the ``row``-th chosen frame."""
        if self._kept_features is not None:
            return self._kept_features[row]
        index = self._chosen[row]
        return self._lpips.features(self._reference[index : index + 1])[0]

    @cached_property
    def _lpips(self) -> Lpips:
        return Lpips()

    @cached_property
    def _kept_features(self) -> list[Features] | None:
        (first,) = self._lpips.features(self._reference[:1])
        if sum(layer.nbytes for layer in first) * len(self._chosen) > FEATURE_LIMIT_BYTES:
            return None
        return self._lpips.features(self._reference[:: self._chosen.step])

    @cached_property
    def _parts(self) -> list[PartWeights | None]:
        assert self._masks is not None
        (first,) = self._lpips.features(self._reference[:1])
        return [part_weights(self._masks[index], first) for index in self._chosen]

    @cached_property
    def _warping(self) -> WarpingError:
        return WarpingError(self._reference)

    @cached_property
    def _reference_flicker(self) -> float:
        return self._warping.measure(self._reference)

    @cached_property
    def _identity(self) -> IdentityReference:
        return IdentityReference(self._reference[:: self._chosen.step])

    @cached_property
    def _model(self) -> MorphableModel:
        return MorphableModel.load()

    @cached_property
    def _track(self) -> LandmarkTrack:
        return landmarks_of(self._reference, self._fps)

    @cached_property
    def _person(self) -> Calibration | None:
        """The person; None where no calibration was given and the reference shows too little of a face for one."""
        if self._calibration is not None:
            return self._calibration
        try:
            return self._track.calibrate(self._model)
        except NoFaceError:
            return None

    @cached_property
    def _face_of_reference(self) -> TrackedFace | None:
        return None if self._person is None else tracked_face(self._track, self._person, self._model)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
