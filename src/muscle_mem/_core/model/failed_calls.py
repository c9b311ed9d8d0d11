"""Errors that stand for the failure of a call whose framework told it as a text."""


class CallFailedError(Exception):
    """The error of a call whose framework told it as a text, so that there is no exception."""


class CallNotMadeError(CallFailedError):
    """The error of a call that was never made, such as one of a tool that does not exist.

    It had no effect, whatever the tool.
    """
