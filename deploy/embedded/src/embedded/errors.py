"""What goes wrong with an embedded stack, said so that a person knows what to do."""


class StackError(RuntimeError):
    """The stack could not start or go on; the message names the cause and the remedy."""


class DownloadFailed(StackError):  # noqa: N818 - reads as what happened, like the messages
    """Jars are missing from the cache and could not be fetched."""


class PortTaken(StackError):  # noqa: N818
    """A port that this stack owns is held by another program."""


class AlreadyRunning(StackError):  # noqa: N818
    """Another process runs a stack in the same folder."""
