"""Ids that sort by time."""

from __future__ import annotations

import os
import re
from datetime import datetime

_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id(at: datetime) -> str:
    """Make a UUID of version 7 (RFC 9562): milliseconds, then 74 random bits.

    Examples
    --------
    >>> from datetime import UTC
    >>> new_id(datetime(2021, 8, 1, tzinfo=UTC))[:13]
    '017aff02-a000'
    """
    milliseconds = int(at.timestamp() * 1000)
    bits = int.from_bytes(os.urandom(10)) & ((1 << 74) - 1)
    value = milliseconds << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & ((1 << 62) - 1)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: str) -> bool:
    """Say whether a text has the form of an id.

    Examples
    --------
    >>> is_id("017aff46-9000-7000-8000-000000000000"), is_id("1 OR 1=1")
    (True, False)
    """
    return _FORM.fullmatch(text) is not None
