"""From a trained field to an avatar file: expression units, coding tables, measured quality."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.avatar import pack_embedding
from app.avatar_fields import pack_sections, unpack_sections
from app.enrolment.footage import EnrolmentFootage
from app.enrolment.sensitivity import person_prediction, picture_metric
from codec.avatar_file import AvatarFile
from codec.decoder import FrameDecoder
from codec.embedding import Embedding
from codec.encoder import FrameEncoder
from codec.parameters import ParameterLayout
from codec.table_fitting import expression_steps, training_parameters
from codec.tables import CodecTables
from renderer.portrait import Portrait
from renderer.training.dataset import HEAD
from renderer.training.field_training import FieldTraining, Quality, picture_quality

PICTURE_ERROR = 0.7 / 255.0
"""RMS change of a pixel by the rounding of the expression of frames that are coded alone: little more than by rounding
to 8 bits. The bits are better spent on the steps of head and torso, whose rounding moves edges."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the avatar achieves on held-out frames as a receiver sees them."""

    quality: Quality
    payload_kbps: float
    """Whole packets, headers included, at the footage's frame rate, each coded alone: a call takes half of it."""
    frames: int


def finish(
    trainer: FieldTraining[Any],
    embedding: Embedding,
    footage: EnrolmentFootage,
    name: str,
    owner: bytes,
    minutes: float,
) -> tuple[AvatarFile, Measured]:
    """Make the avatar file of a trained field and measure it; the trainer must not be used afterwards.

    Args:
        trainer: with the field to ship.
        embedding: trained along.
        footage: what it was trained on.
        name: of the person, as the peer sees it.
        owner: public key (32 bytes) of whoever may drive the avatar.
        minutes: time that training took.
    """
    trainer.settle()
    field_psnr = trainer.evaluate(footage.validation).psnr
    avatar = trainer.avatar.cpu()
    embedding.cpu()
    tracked = torch.from_numpy(np.stack([state.expression for state in footage.states]))
    shift, scale = embedding.standardise(tracked)
    avatar.rescale_expression(shift, scale)
    avatar.forget()
    embedding.requires_grad_(False)
    refinements = None if footage.refinements is None else torch.from_numpy(footage.refinements)
    seen = refined(embedding, tracked, refinements, scale)
    unseen = refined(embedding, footage.held_out.expressions, footage.held_out.refinements, scale)
    poses, torsos = [state.pose for state in footage.states], np.stack([state.torso for state in footage.states])
    parameters = training_parameters(seen.astype(np.float64), poses, torsos)
    layout = ParameterLayout(len(torsos[0]), seen.shape[1])
    metric = picture_metric(avatar, parameters, layout)
    tables = CodecTables.fit(
        seen,
        poses,
        torsos,
        expression_step=expression_steps(np.sqrt(np.diag(metric)[layout.expression]), PICTURE_ERROR),
        focal=avatar.camera.focal,
    )
    fields = pack_sections(avatar)
    shipped = unpack_sections(AvatarFile(fields))
    measured = measure(shipped, tables, footage, unseen)
    meta = {
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "size": trainer.size,
        "kind": trainer.avatar.KIND,
        "framing": footage.framing.numbers(),
        "owner": owner.hex(),
        "training": {
            "frames": len(footage.training),
            "steps": trainer.steps,
            "minutes": round(minutes, 1),
            "held_out_frames": measured.frames,
            "held_out_psnr_db": round(measured.quality.psnr, 2),
            "held_out_head_psnr_db": round(measured.quality.head_psnr, 2),
            "payload_kbps": round(measured.payload_kbps, 2),
        },
    }
    # In the order in which somebody who receives the avatar needs them; the last three serve the owner alone.
    sections = {
        "meta": json.dumps(meta).encode(),
        "tables": bytes(tables),
        "prediction": bytes(person_prediction(parameters, layout, metric, field_psnr)),
        **fields,
        "embedding": pack_embedding(embedding),
        "torso": bytes(footage.torso),
        "calibration": bytes(footage.calibration),
    }
    return AvatarFile(sections), measured


def refined(
    embedding: Embedding, expressions: Tensor, refinements: Tensor | None, scale: Tensor
) -> NDArray[np.float32]:
    """Return embedded expressions (N, E) with ``refinements`` in units that were ``scale`` (E,) times smaller."""
    embedded = embedding(expressions)
    if refinements is not None:
        embedded = (embedded + refinements / scale).clamp(embedding.lower, embedding.upper)
    values: NDArray[np.float32] = embedded.numpy()
    return values


def measure(
    avatar: Portrait, tables: CodecTables, footage: EnrolmentFootage, embedded: NDArray[np.float32]
) -> Measured:
    """Send the held-out frames through coder, decoder and renderer and compare what comes out with the real frames.

    Args:
        avatar: as read back from its bytes.
        tables: coding tables.
        footage: with the held-out frames.
        embedded: (F, E) their expressions.
    """
    encoder, decoder = FrameEncoder(tables, bytes(2)), FrameDecoder(tables, bytes(2))
    held_out = footage.held_out
    full, head, sizes = [], [], []
    for frame in range(len(held_out)):
        tracked = footage.held_out_states[frame]
        sent = replace(tracked, expression=embedded[frame], timestamp=frame / footage.fps)
        packet = bytes(encoder.encode(sent))
        state = decoder.decode(packet, frame / footage.fps)
        picture = avatar.render(
            torch.from_numpy(state.expression),
            torch.from_numpy(state.pose.rotation),
            torch.from_numpy(state.pose.translation),
            torch.from_numpy(state.torso),
            held_out.images.shape[2],
            held_out.images.shape[1],
        )
        quality = picture_quality(picture, held_out.images[frame], held_out.masks[frame] == HEAD)
        full.append(quality.psnr)
        head.append(quality.head_psnr)
        sizes.append(len(packet))
    quality = Quality(float(np.mean(full)), float(np.mean(head)))
    return Measured(quality, float(np.mean(sizes)) * 8 * footage.fps / 1000, len(held_out))
