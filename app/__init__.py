"""Composes codec, renderer and signaling into the ``nerfcall`` program."""

__version__ = "0.1.0"
