"""The identity embedding: dlib's own way of calling it, and what the metric makes of it."""

import dlib
import numpy as np
import pytest
import skimage.data

from app.assets import cached
from app.bench.metrics.assets import FACE_ALIGNMENT, FACE_EMBEDDING
from app.bench.metrics.identity import EMBEDDING_SIZE, IdentityEmbedder, IdentityReference, cosine_similarities
from app.tracking.morphable_model import MorphableModel
from codec.face_state import EXPRESSION_SIZE, HeadPose
from tests.app.tracking.painted_head import picture


@pytest.fixture(scope="module")
def embedder():
    return IdentityEmbedder()


@pytest.fixture(scope="module")
def person():
    """A photograph of an astronaut by NASA, in the public domain, (256, 256, 3)."""
    return np.ascontiguousarray(skimage.data.astronaut()[30:286, 90:346])


@pytest.fixture(scope="module")
def stranger():
    return picture(MorphableModel.load(), HeadPose.at_rest(), np.zeros(EXPRESSION_SIZE), size=256)


def test_the_embedding_is_the_one_that_dlib_gives_for_the_whole_picture(embedder, person):
    faces = dlib.get_frontal_face_detector()(person, 1)
    shape = dlib.shape_predictor(str(cached(FACE_ALIGNMENT)))(person, faces[0])
    network = dlib.face_recognition_model_v1(str(cached(FACE_EMBEDDING)))
    expected = np.array(network.compute_face_descriptor(person, shape))
    box = embedder.find(person)
    assert box is not None
    found = embedder.embed([person], [box])
    assert found.shape == (1, EMBEDDING_SIZE)
    assert np.linalg.norm(found) == pytest.approx(1.0)
    # The box is rounded to other pixels, so that the points differ by parts of one.
    assert found[0] @ expected / np.linalg.norm(expected) > 0.995


def test_box_and_embedding_do_not_depend_on_the_size_of_the_picture(embedder, person):
    large = np.repeat(np.repeat(person, 2, axis=0), 2, axis=1)
    boxes = [embedder.find(person), embedder.find(large)]
    assert None not in boxes
    sides = np.array([[box.left, box.top, box.right, box.bottom] for box in boxes])
    assert np.abs(sides[0] - sides[1]).max() < 0.02
    first, second = embedder.embed([person, large], boxes)
    assert first @ second > 0.98


def test_one_person_is_nearer_than_another(embedder, person, stranger):
    brighter = np.clip(person * 1.1, 0, 255).astype(np.uint8)
    shifted = np.roll(person, 9, axis=1)
    pictures = [person, brighter, shifted, stranger]
    boxes = [embedder.find(each) for each in pictures]
    assert None not in boxes
    similar = embedder.embed(pictures, boxes) @ embedder.embed([person], boxes[:1])[0]
    assert similar[0] == pytest.approx(1.0)
    assert similar[1] > 0.98
    assert similar[2] > 0.98
    assert similar[3] < 0.9
    # King's threshold for one person, a Euclidean distance of 0.6 of embeddings of length 1.4 to 1.45.
    assert 1.4 * np.sqrt(2 - 2 * similar[2]) < 0.6 < 1.4 * np.sqrt(2 - 2 * similar[3])


def test_frames_without_a_face_are_told_and_those_that_lost_it_count(embedder, person, stranger):
    empty = np.full_like(person, 90)
    reference = IdentityReference(np.stack([person, empty, person]), embedder)
    assert reference.found.tolist() == [True, False, True]
    assert reference.csim(np.stack([person, person, person])) == pytest.approx(1.0)
    half = reference.csim(np.stack([person, empty, empty]))
    whole = reference.csim(np.stack([empty, empty, empty]))
    assert half == pytest.approx((1.0 + whole) / 2)
    assert whole < 0.95
    assert np.isnan(IdentityReference(np.stack([empty, empty]), embedder).csim(np.stack([person, person])))


def test_cosine_similarity_by_hand():
    first = np.array([[1.0, 0.0], [3.0, 4.0], [1.0, 1.0]])
    second = np.array([[0.0, 2.0], [6.0, 8.0], [-1.0, -1.0]])
    assert cosine_similarities(first, second) == pytest.approx([0.0, 1.0, -1.0])
