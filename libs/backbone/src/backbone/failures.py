"""Which failures are the input's, which pass by themselves, and which are the program's."""

import asyncpg

# Classes of SQLSTATE (PostgreSQL, appendix A) that say nothing about the statement: connection,
# invalid transaction state after a lost one, rollback, resources, operator intervention, system.
TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57", "58"})
# Lock not available; read-only transaction (the old primary after a failover).
TRANSIENT_STATES = frozenset({"55P03", "25006"})


class Unprocessable(Exception):  # noqa: N818 a verdict on the input, named as HTTP's 422 is
    """Input that can never succeed: a dead letter from topics, a 422 problem over HTTP.

    The message names the thing and the value and holds no personal data: it is stored and shown.
    """


class LaneRefusedError(RuntimeError):
    """A lane that must not be read on: its topic was made anew or the database was restored."""


class TaskEndedError(RuntimeError):
    """A loop that runs for the life of the process has returned."""


class StalledError(RuntimeError):
    """There are events to apply and no cursor has moved for longer than allowed."""


def is_transient(error: BaseException) -> bool:
    """Tell whether the same transaction may succeed when it is tried again.

    A server that dies amid a statement shows as one of four unrelated families, among them
    `InternalClientError` ("cannot switch to state ..."), which is neither of asyncpg's two.
    """
    match error:
        case asyncpg.InvalidCachedStatementError():  # a migration ran; the cache is dropped now
            return True
        case asyncpg.PostgresError():
            state: str = error.sqlstate or ""
            return state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES
        case asyncpg.InternalClientError() | OSError() | TimeoutError():
            return True
        case asyncpg.InterfaceError():
            # The rest of this family are misuses: a wrong count or type of arguments.
            return "connection" in str(error) or "pool" in str(error)
        case _:
            return False


def is_program_fault(error: BaseException) -> bool:
    """Tell whether the statement itself is wrong (SQLSTATE class 42), whatever the input."""
    return isinstance(error, asyncpg.SyntaxOrAccessError)


REASON_CHARACTERS_MAX = 500


def describe(error: BaseException) -> str:
    """Return a failure in one line without the row values that PostgreSQL puts into its DETAIL."""
    first_line = str(error).partition("\n")[0].replace("\x00", "�")
    return f"{type(error).__name__}: {first_line}"[:REASON_CHARACTERS_MAX]
