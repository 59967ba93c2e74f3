"""The error that reaches the person at the terminal as one sentence."""


class UserError(Exception):
    """Something the person can put right: the message names the thing and the remedy, in one sentence.

    The command line prints it as ``nerfcall: message`` without a traceback and ends with :attr:`exit_status`.
    """

    exit_status = 1
    """1 for what went wrong while working."""


class UsageError(UserError):
    """The command was called in a way that cannot work."""

    exit_status = 2
