"""The whole tracker, landmarker and all, on pictures of a painted head in known poses and expressions."""

import av
import numpy as np
import pytest

from app.capture.source import open_source
from app.cli import main
from app.tracking.calibration import Calibration, CalibrationError
from app.tracking.morphable_model import MorphableModel
from app.tracking.tracker import FaceTracker, detect_landmarks, open_landmarker, track_frames
from codec.face_state import EXPRESSION_SIZE, HeadPose
from codec.recording import Recording
from codec.rotation import matrix_to_rotation_vector, rotation_vector_to_matrix
from tests.app.tracking.painted_head import picture

FPS = 25
BLINKS = {19, 20, 43, 44}
ABSENT = range(27, 33)
FRAMES = 60


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def truth(model, index):
    """Pose and expression of frame ``index``: the head turns and nods, the mouth opens and shuts, the eyes blink."""
    vector = np.deg2rad([5 * np.sin(index / 6), 16 * np.sin(index / 8), 4 * np.cos(index / 7)])
    translation = np.array([3 * np.sin(index / 9), 0.0, -60 + 3 * np.sin(index / 11)])
    expression = np.zeros(EXPRESSION_SIZE)
    expression[model.expression_names.index("jawOpen")] = 0.15 * (1 - np.cos(index / 3))
    for side in ("Left", "Right"):
        expression[model.expression_names.index(f"eyeBlink{side}")] = 1.0 * (index in BLINKS)
    pose = HeadPose(rotation_vector_to_matrix(vector).astype(np.float32), translation.astype(np.float32))
    return pose, expression


@pytest.fixture(scope="module")
def pictures(model):
    images = []
    for index in range(FRAMES):
        image = picture(model, *truth(model, index))
        images.append(np.full_like(image, 100) if index in ABSENT else image)
    return images


@pytest.fixture(scope="module")
def clip(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "head.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "12"})
        stream.width = stream.height = len(pictures[0])
        stream.pix_fmt = "yuv420p"
        for image in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def states(model, pictures):
    calibration = Calibration.mean_face(len(model.identity_basis), model.digest)
    with FaceTracker(calibration) as tracker:
        return [tracker.track(image, index / FPS) for index, image in enumerate(pictures)]


def seen_frames(states):
    return [index for index in range(FRAMES) if states[index].present]


def test_the_face_is_found_lost_and_found_again(states):
    present = [state.present for state in states]
    assert all(present[: ABSENT.start])
    assert not any(present[ABSENT.start + 1 : ABSENT.stop])
    assert all(present[ABSENT.stop + 2 :])


def test_poses_are_those_of_the_head(model, states):
    turns, moves = [], []
    for index in seen_frames(states):
        pose, _ = truth(model, index)
        turns.append(np.rad2deg(matrix_to_rotation_vector(states[index].pose.rotation @ pose.rotation.T)))
        moves.append(states[index].pose.translation - pose.translation)
    # The focal length is the camera's, so that the distance is right as well.
    assert np.median(np.linalg.norm(turns, axis=1)) < 3.0
    assert np.max(np.linalg.norm(turns, axis=1)) < 6.0
    assert np.median(np.abs(moves), axis=0) == pytest.approx(0.0, abs=1.5)


def test_expressions_follow_the_mouth_and_the_eyes(model, states):
    frames = seen_frames(states)
    jaw, left, right = (model.expression_names.index(name) for name in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight"))
    true_jaw = [truth(model, index)[1][jaw] for index in frames]
    assert np.corrcoef(true_jaw, [states[index].expression[jaw] for index in frames])[0, 1] > 0.7
    lids = {index: states[index].expression[left] + states[index].expression[right] for index in frames}
    shut = max(lids[index] for index in BLINKS)
    open_ = np.median([lids[index] for index in frames if index not in BLINKS])
    assert shut > open_ + 0.15


def test_a_recording_in_two_passes_is_what_the_live_tracker_gives(model, clip):
    with open_source(str(clip)) as source, open_landmarker() as landmarker:
        track = detect_landmarks(source.frames(), landmarker)
    calibration = Calibration.parse(bytes(track.calibrate(model)))
    in_two_passes = track.solve(calibration, model)
    with open_source(str(clip)) as source:
        live = track_frames(source.frames(), FaceTracker(calibration))
    assert track.found >= FRAMES - len(ABSENT) - 3
    for recorded, direct in zip(in_two_passes, live, strict=True):
        assert recorded.present == direct.present
        np.testing.assert_allclose(recorded.expression, direct.expression, atol=1e-6)
        np.testing.assert_allclose(recorded.pose.rotation, direct.pose.rotation, atol=1e-6)


def test_a_stranger_is_calibrated_once(model, pictures):
    from app.tracking import tracker as tracker_module

    with FaceTracker(None) as tracker:
        before = bytes(tracker.calibration)
        needed = tracker_module.STRANGER_FRAMES * tracker_module.STRANGER_STRIDE
        for index in range(needed + 5):
            state = tracker.track(pictures[index % ABSENT.start], index / FPS)
        assert bytes(tracker.calibration) != before
        assert state.present


def test_a_bystander_who_comes_nearer_is_not_taken_for_the_person(model, pictures):
    def both(left, right):
        return np.concatenate([left, right], axis=1)

    def at(distance, index):
        pose, expression = truth(model, index)
        nearer = HeadPose(pose.rotation, np.array([0.0, 0.0, -distance], np.float32))
        return picture(model, nearer, expression)

    wall = np.full_like(pictures[0], 110)
    calibration = Calibration.mean_face(len(model.identity_basis), model.digest)
    with FaceTracker(calibration) as tracker:
        for index in range(5):
            state = tracker.track(both(at(60.0, index), wall), index / FPS)
            assert state.present
        for index in range(5, 20):
            state = tracker.track(both(at(60.0, index), at(44.0, index)), index / FPS)
            assert state.present
            assert state.pose.translation[0] < 0.0
        # The person leaves: now the other one is the person.
        for index in range(20, 26):
            state = tracker.track(both(wall, at(44.0, index)), index / FPS)
        assert state.present
        assert state.pose.translation[0] > 0.0


def test_a_calibration_of_another_model_is_refused(model):
    with pytest.raises(CalibrationError, match="another morphable model"):
        FaceTracker(Calibration.mean_face(len(model.identity_basis), b"othermod"))


def test_track_writes_a_recording(clip, tmp_path, capsys):
    output = tmp_path / "head.face"
    assert main(["track", str(clip), "-o", str(output)]) == 0
    recording = Recording.read(output)
    assert len(recording.states) == FRAMES
    assert recording.fps == pytest.approx(FPS)
    assert not recording.states[ABSENT.start + 3].present
    assert f"{FRAMES} frames" in capsys.readouterr().out


def test_a_clip_without_a_face_is_refused_in_one_sentence(tmp_path, capsys):
    path = tmp_path / "wall.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width = stream.height = 128
        stream.pix_fmt = "yuv420p"
        for _ in range(10):
            blank = np.full((128, 128, 3), 90, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(blank, format="rgb24")))
        container.mux(stream.encode())
    assert main(["track", str(path), "-o", str(tmp_path / "x.face")]) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("nerfcall: ")
    assert "no face" in message
    assert not (tmp_path / "x.face").exists()


def test_a_missing_clip_is_named(tmp_path, capsys):
    assert main(["track", str(tmp_path / "missing.mp4"), "-o", str(tmp_path / "x.face")]) in (1, 2)
    assert "missing.mp4" in capsys.readouterr().err


def test_a_missing_folder_is_named_before_the_work_begins(clip, tmp_path, capsys):
    assert main(["track", str(clip), "-o", str(tmp_path / "nowhere" / "x.face")]) == 2
    assert "nowhere" in capsys.readouterr().err
