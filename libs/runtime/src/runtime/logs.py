"""Logs: one JSON object a line on standard output; ids only, never what a consumer typed."""

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from backbone.failures import describe
from runtime import clock

FRAMES_MAX = 12
CAUSES_MAX = 5
# Libraries that tell at INFO what only their authors want to know.
QUIET = ("aiokafka", "asyncio", "alembic", "faststream", "uvicorn.error")

# What every record has; the rest was given by `extra`. uvicorn repeats its message in colours.
_RECORD_FIELDS = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"}

_encoder = msgspec.json.Encoder(enc_hook=str)


def logger() -> FilteringBoundLogger:
    """Return the logger; keyword arguments become fields: `logger().info("held", order_id=...)`."""
    log: FilteringBoundLogger = structlog.get_logger()
    return log


def configure(service: str, level: str = "info") -> None:
    """Send structlog's and the standard library's logs to standard output as JSON lines."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _with_exception,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    root = logging.getLogger()
    root.handlers = [_Handler()]
    root.setLevel(number)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(capture=True)


class _Handler(logging.Handler):
    """Hands records of the standard library to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: each for name, each in vars(record).items() if name not in _RECORD_FIELDS}
        log = logger().bind(logger=record.name, **fields)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _render(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    line = {"time": clock.now(), "level": event.pop("level"), "event": event.pop("event"), **event}
    return _encoder.encode(line)


def _with_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an exception by its description and frames: no values of rows, no local variables."""
    error = _exception(event.pop("exc_info", None))
    if error is not None:
        event["error"] = [
            {"what": describe(each), "where": list(_frames(each))} for each in _chain(error)
        ]
    return event


def _exception(found: object) -> BaseException | None:
    match found:
        case BaseException():
            return found
        case tuple():
            return cast("tuple[object, BaseException | None, object]", found)[1]
        case True:
            return sys.exc_info()[1]
        case _:
            return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if following is None:
            return
        yield following
        following = _cause(following)


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        first: BaseException = error.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] the group's type argument is not known here
        return first  # pyright: ignore[reportUnknownVariableType]
    if error.__cause__ is None and not error.__suppress_context__:
        return error.__context__
    return error.__cause__


def _frames(error: BaseException) -> Iterator[str]:
    walk = traceback.walk_tb(error.__traceback__)
    for frame in traceback.StackSummary.extract(walk, lookup_lines=False)[-FRAMES_MAX:]:
        yield f"{frame.filename}:{frame.lineno} {frame.name}"
