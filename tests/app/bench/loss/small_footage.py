"""A face for the loss bench, without files."""

from functools import cache

from app.bench.loss.footage import Footage
from tests.codec.faces import AVATAR, face_states, fitted_tables
from tests.codec.predictions import fitted_prediction


@cache
def small_footage():
    """Return ten seconds of a face, with tables that were fitted to it."""
    states = face_states(250, start=0.0)
    tables, prediction = fitted_tables(), fitted_prediction()
    return Footage(states, 25.0, bytes(32), tables, prediction, {}, AVATAR, "small", False)
