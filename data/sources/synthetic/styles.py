"""The ways in which a call's text is written down."""

from __future__ import annotations

from typing import Literal, get_args

Style = Literal["spoken", "shorthand", "log"]
"""What a caller says, what a call-taker types, what a log holds."""

STYLES: tuple[Style, ...] = get_args(Style)
