"""Errors that stand for the failure of a call that a framework reported as a text."""


class CallFailedError(Exception):
    """The error of a failed call that a framework reported as a text."""


class CallNotMadeError(CallFailedError):
    """The error of a call that was never made.

    Its tool may not exist, for example. It had no effect, whatever the tool.
    """
