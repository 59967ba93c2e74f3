"""The window of a call: everything that is drawn on a screen."""
