"""The embedding that an enrolment starts from."""

import torch
from torch import Tensor

from app.tracking.landmark_tables import LandmarkTables
from app.tracking.morphable_model import MorphableModel
from codec.embedding import Embedding, ExpressionEmbedding, PlainExpression


def starting_embedding(expressions: Tensor, *, embedded: bool = True) -> Embedding:
    """Return the embedding of a person's expressions (N, 79) from which training goes on.

    ``embedded``: whether into 30 numbers; else all 79 are kept.
    """
    if not embedded:
        plain = PlainExpression()
        plain.initialise(expressions)
        return plain
    directions = torch.from_numpy(LandmarkTables.of(MorphableModel.load()).expression).float()
    embedding = ExpressionEmbedding()
    embedding.initialise(expressions, directions.flatten(0, 1))
    return embedding
