"""From tracked to transmitted expression: the paper's two operating points, fine-tuned (79 -> 30) and plain (79)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from codec.face_state import EMBEDDED_SIZE, EXPRESSION_SIZE

LEAST_SPREAD = 0.1
"""Of the first component's spread: components below it start with less than unit variance."""


class ExpressionEmbedding(nn.Module):
    """Cross-attention from learned queries to the coefficients of an expression.

    Every coefficient is a token: its key says which coefficient it is and how strong, its value is its own direction
    in the embedded space. Each embedded component is a query that weighs the tokens. The map starts as the linear
    projection it is given and learns, end to end with the field, where to attend.
    """

    mean: Tensor
    scale: Tensor
    lower: Tensor
    upper: Tensor

    def __init__(self, width: int = 16):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("mean", torch.zeros(EXPRESSION_SIZE))
        self.register_buffer("scale", torch.ones(EXPRESSION_SIZE))
        self.register_buffer("lower", torch.full((EMBEDDED_SIZE,), -8.0))
        self.register_buffer("upper", torch.full((EMBEDDED_SIZE,), 8.0))
        self.token_keys = nn.Parameter(torch.randn(EXPRESSION_SIZE, width, generator=generator) * 0.1)
        self.strength_keys = nn.Parameter(torch.randn(EXPRESSION_SIZE, width, generator=generator) * 0.1)
        self.queries = nn.Parameter(torch.randn(EMBEDDED_SIZE, width, generator=generator))
        self.values = nn.Parameter(torch.randn(EXPRESSION_SIZE, EMBEDDED_SIZE, generator=generator) * 0.1)
        self.gain = nn.Parameter(torch.ones(EMBEDDED_SIZE))
        self.bias = nn.Parameter(torch.zeros(EMBEDDED_SIZE))

    @torch.no_grad()
    def initialise(self, expressions: Tensor, displacements: Tensor) -> None:
        """Start from the principal components of how a person's expressions move the face.

        Those of the coefficients themselves would spend most of the 30 on what hardly shows: many small ones tell of
        the cheeks, and a brow that rises has one.

        Args:
            expressions: (N, 79), N > 30, of the enrolment footage.
            displacements: (P, 79), P > 30, by which a unit of each coefficient moves places of the face.
        """
        self.mean.copy_(expressions.mean(0))
        self.scale.copy_(_deviations(expressions))
        moved = (expressions - self.mean) @ displacements.T
        _, singular, components = torch.linalg.svd(moved, full_matrices=False)
        spread = singular[:EMBEDDED_SIZE] / len(moved) ** 0.5
        projection = self.scale[:, None] * (displacements.T @ components[:EMBEDDED_SIZE].T)
        # Not more than this is made of a component that hardly moves: it is mostly noise.
        self.values.copy_(projection / spread.clamp_min(LEAST_SPREAD * float(spread[0])))

    def forward(self, expression: Tensor) -> Tensor:
        """Embed expressions.

        Args:
            expression: (..., 79) as tracked.

        Returns:
            (..., 30), about unit variance over the enrolment footage, bounded by ``lower`` and ``upper``.
        """
        strength = (expression - self.mean) / self.scale
        keys = self.token_keys + strength.unsqueeze(-1).clamp(-4.0, 4.0) * self.strength_keys
        logits = self.queries @ keys.transpose(-1, -2) / self.queries.shape[-1] ** 0.5
        attention = torch.softmax(logits, -1) * EXPRESSION_SIZE
        embedded = torch.einsum("...ki,...i,ik->...k", attention, strength, self.values)
        return (self.gain * embedded + self.bias).clamp(self.lower, self.upper)

    @torch.no_grad()
    def standardise(self, expressions: Tensor, headroom: float = 0.5) -> tuple[Tensor, Tensor]:
        """Give every component zero mean and unit variance on the enrolment footage, and bound it to what was seen.

        Args:
            expressions: (N, 79) of the enrolment footage.
            headroom: how far beyond the seen range a component may go, in standard deviations.

        Returns:
            ``shift`` and ``scale`` (30,), with ``old = shift + scale * new``: what the field must take up.
        """
        self.lower.fill_(-torch.inf)
        self.upper.fill_(torch.inf)
        embedded = self(expressions)
        shift, scale = embedded.mean(0), embedded.std(0).clamp_min(1e-4)
        self.gain.copy_(self.gain / scale)
        self.bias.copy_((self.bias - shift) / scale)
        embedded = (embedded - shift) / scale
        self.lower.copy_(embedded.amin(0) - headroom)
        self.upper.copy_(embedded.amax(0) + headroom)
        return shift, scale


class PlainExpression(nn.Module):
    """The plain operating point: all 79 coefficients are sent, each in units of its own deviation."""

    mean: Tensor
    scale: Tensor
    lower: Tensor
    upper: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(EXPRESSION_SIZE))
        self.register_buffer("scale", torch.ones(EXPRESSION_SIZE))
        self.register_buffer("lower", torch.full((EXPRESSION_SIZE,), -8.0))
        self.register_buffer("upper", torch.full((EXPRESSION_SIZE,), 8.0))

    @torch.no_grad()
    def initialise(self, expressions: Tensor) -> None:
        """Take the units from a person's expressions (N, 79) of the enrolment footage."""
        self.mean.copy_(expressions.mean(0))
        self.scale.copy_(_deviations(expressions))

    def forward(self, expression: Tensor) -> Tensor:
        """Return (..., 79) standardised coefficients of (..., 79) tracked ones, bounded by ``lower`` and ``upper``."""
        return ((expression - self.mean) / self.scale).clamp(self.lower, self.upper)

    @torch.no_grad()
    def standardise(self, expressions: Tensor, headroom: float = 0.5) -> tuple[Tensor, Tensor]:
        """Do what ``ExpressionEmbedding.standardise`` does; ``shift`` and ``scale`` are (79,)."""
        self.lower.fill_(-torch.inf)
        self.upper.fill_(torch.inf)
        plain = self(expressions)
        shift, scale = plain.mean(0), plain.std(0).clamp_min(1e-4)
        self.mean.add_(self.scale * shift)
        self.scale.mul_(scale)
        plain = (plain - shift) / scale
        self.lower.copy_(plain.amin(0) - headroom)
        self.upper.copy_(plain.amax(0) + headroom)
        return shift, scale


Embedding = ExpressionEmbedding | PlainExpression


def embedding_of(state: Mapping[str, Tensor]) -> Embedding:
    """Return the embedding whose ``state_dict`` this is.

    Raises:
        RuntimeError: it is that of neither.
    """
    embedding = ExpressionEmbedding() if "queries" in state else PlainExpression()
    embedding.load_state_dict(dict(state))
    return embedding


def _deviations(expressions: Tensor) -> Tensor:
    """Return the deviation (79,) of each coefficient.

    One that hardly moves is mostly tracking noise: it must not be amplified to unit variance.
    """
    deviation = expressions.std(0)
    return deviation.clamp_min(0.25 * float(deviation.square().mean().sqrt()))
