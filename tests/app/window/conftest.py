"""Qt without a screen."""

import os

import pytest

os.environ["QT_QPA_PLATFORM"] = "offscreen"


@pytest.fixture(scope="session")
def application():
    from PyQt6.QtWidgets import QApplication

    from app.window.theme import apply_theme

    application = QApplication.instance() or QApplication([])
    apply_theme(application)
    return application
