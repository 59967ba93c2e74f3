"""A machine without a screen is recognised without ending the process."""

import pytest

from app.window.screen import missing_screen


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "there is no screen"),
        ({"QT_QPA_PLATFORM": "offscreen"}, "shows no windows"),
        ({"DISPLAY": ":4711"}, "Qt cannot open a window"),
    ],
)
def test_a_missing_screen_is_named(monkeypatch, environment, words):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    reason = missing_screen()
    assert reason is not None
    assert words in reason
