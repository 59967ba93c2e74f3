"""Qt without a screen, for what the benchmark draws."""

import os

import pytest

os.environ["QT_QPA_PLATFORM"] = "offscreen"


@pytest.fixture(scope="session")
def application():
    from app.window.application import make_application

    return make_application(offscreen=True)
