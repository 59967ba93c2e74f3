"""Our own codec, from tracker to rendered frame, as the benchmark sees it."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import version

import cv2
import numpy as np

from app import __version__
from app.avatar import LoadedAvatar
from app.backdrop_watching import watching
from app.bench.codec import Coded, Frames, Settings
from app.bench.rate.acknowledging import DelayedAcknowledgements
from app.call_options import LIVE
from app.enrolment.framing import Framing
from app.errors import UserError
from app.owner_tracker import OwnerTracker
from app.progress import Progress
from app.session import backdrop_message, backdrop_of
from codec.backdrop import decode_backdrop
from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.packet import Packet
from codec.path_search import PATHS
from codec.prediction import PredictionTables
from codec.tables import CodecTables

DELAY = 0.12
"""Seconds from sending a frame to knowing that it was decoded, in the call that is measured."""


class OurCodec:
    """What the call sends for a frame, and what it shows for it.

    The tracker sees the very pixels that other codecs are given, at their size, and not the camera's larger picture.
    """

    def __init__(
        self,
        avatar: LoadedAvatar,
        name: str = "ours",
        label: str = "nerfcall",
        prediction: Callable[[], PredictionTables] | None = None,
        coarseness: float = 1.0,
    ):
        """Make the codec of one person.

        Args:
            avatar: of the person.
            name: of the variant.
            label: of the variant.
            prediction: gives other prediction tables than the avatar's, for another operating point. It is called
                when they are needed: never where the result is there already.
            coarseness: of the tables' steps against those of the avatar's own.
        """
        self.avatar = avatar
        self.name = name
        self.label = label
        self.coarseness = coarseness
        self.framing = avatar_framing(avatar)
        self._other_prediction = prediction

    @property
    def tables(self) -> CodecTables:
        """What frames are coded with that are coded alone."""
        return self.avatar.tables

    @cached_property
    def prediction(self) -> PredictionTables | None:
        """What frames are predicted with; None: each is coded alone."""
        return self.avatar.prediction if self._other_prediction is None else self._other_prediction()

    @property
    def settings(self) -> Settings:
        """The avatar decides everything."""
        training = self.avatar.meta.get("training", {})
        return {
            "avatar": self.avatar.digest.hex()[:16],
            "coefficients": self.avatar.tables.expression_size,
            "coarseness": self.coarseness,
            "trained_at": int(self.avatar.meta.get("size", 0)),
            "training_steps": int(training.get("steps", 0)),
            "training_minutes": float(training.get("minutes", 0.0)),
            "backdrop": LIVE,
            "face": "aligned",
            **({} if self.avatar.prediction is None else {"delay_ms": 1000 * DELAY}),
        }

    def fit(self) -> None:
        """Make the tables now, lest the first frame wait for them."""
        # The settings say so before the tables are there.
        assert self.prediction is None or self.prediction.layout == self.tables.layout

    def encode(self, frames: Frames, fps: float) -> Coded:
        """Track, embed, quantise and entropy-code every frame into the packet that a call would send."""
        encoder = FrameEncoder(self.tables, self.avatar.digest, prediction=self.prediction, short=True, paths=PATHS)
        acknowledgements = DelayedAcknowledgements(DELAY)
        packets, backdrops = [], []
        with (
            OwnerTracker(self.avatar) as tracker,
            watching(self.avatar) as watcher,
            Progress(len(frames), "tracking") as progress,
        ):
            for index, frame in enumerate(frames):
                now = index / fps
                encoder.acknowledge(acknowledgements.heard(now))
                image = camera_picture(frame, self.framing)
                state = tracker.track(image, now)
                packet = encoder.encode(state)
                packets.append(bytes(packet))
                acknowledgements.arrived([encoder.sequence - 1], now, isinstance(packet, Packet))
                if watcher.due(now) and (backdrop := watcher.look(image, now)) is not None:
                    backdrops.append((index, json.dumps(backdrop_message(backdrop)).encode()))
                progress.update(index + 1)
        return Coded(tuple(packets), len(bytes(self.avatar.file)), tuple(backdrops))

    def decode(self, coded: Coded, size: int) -> Frames:
        """Render what each packet says, at any size."""
        self.avatar.prepare()
        decoder = FrameDecoder(self.tables, self.avatar.digest, prediction=self.prediction, short=True)
        frames = np.empty((len(coded.packets), size, size, 3), np.uint8)
        now, told = 0.0, dict(coded.seldom)
        self.avatar.show_enrolled()
        with Progress(len(frames), f"rendering at {size}²") as progress:
            for index, packet in enumerate(coded.packets):
                state = decoder.decode(packet, now)
                now = state.timestamp
                frames[index] = self.avatar.render(state, size, size)
                if index in told:
                    self.avatar.show_backdrop(decode_backdrop(backdrop_of(json.loads(told[index])) or b""))
                progress.update(index + 1)
        self.avatar.show_enrolled()
        return frames

    def versions(self) -> Mapping[str, str]:
        """Return the versions of what tracks, codes and renders."""
        return {"nerfcall": __version__, **{name: version(name) for name in ("mediapipe", "constriction", "torch")}}


def avatar_framing(avatar: LoadedAvatar) -> Framing:
    """Return the square of the enrolled clip that an avatar shows; UserError where its description does not tell it."""
    try:
        return Framing.of(avatar.meta["framing"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{avatar.path} does not tell which part of the picture it shows: enrol it again") from None


def camera_picture(square: Frames, framing: Framing) -> Frames:
    """Return the camera's whole picture (H, W, 3) at the scale of ``square`` (S, S, 3), black around the square.

    The tracker takes the picture's middle for the camera's principal point.
    """
    size = len(square)
    scale = size / framing.side
    width, height = round(framing.width * scale), round(framing.height * scale)
    left, top = round(framing.left * scale), round(framing.top * scale)
    left, top = min(left, width - size), min(top, height - size)
    return np.asarray(
        cv2.copyMakeBorder(square, top, height - size - top, left, width - size - left, cv2.BORDER_CONSTANT), np.uint8
    )
