"""The application's own log lines: JSON on standard error, one object a line.

They hold no narrative, note, name, phone or address: what is logged is chosen field by field, and
of an error only its class and the place in the code, never its message.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any, BinaryIO

import orjson
import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str = "info", stream: BinaryIO | None = None) -> None:
    """Send the log lines of the service and of uvicorn to a stream.

    Parameters
    ----------
    level : str
        One of `LEVELS`.
    stream : binary file, optional
        Standard error if not given.
    """
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(file=stream or sys.stderr.buffer),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Forward()], level=LEVELS[level], force=True)
    logging.getLogger("uvicorn.access").disabled = True


def whereabouts(error: BaseException) -> dict[str, Any]:
    """Describe an error without its message, which may hold what somebody typed."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return {
        "error": type(error).__name__,
        "where": [
            f"{frame.name} ({frame.filename.rsplit('/', 3)[-1]}:{frame.lineno})" for frame in frames
        ],
    }


def _dumps(value: Any, **_: Any) -> bytes:
    return orjson.dumps(value, default=str)


class _Forward(logging.Handler):
    """Hands the standard library's log lines on, without the text of exceptions."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(source=record.name)
        more = whereabouts(record.exc_info[1]) if record.exc_info and record.exc_info[1] else {}
        message = record.msg if more else record.getMessage()
        log.log(max(10, record.levelno // 10 * 10), message, **more)
