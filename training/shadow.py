"""What a challenger said in shadow, from an export of the decision log."""

from __future__ import annotations

from pathlib import Path

import orjson
import pandas as pd

from data.errors import InputError

COLUMNS = ("at", "challenger", "response", "challenger_response")


def read_shadow(export: Path) -> pd.DataFrame:
    """Read the assessments of an export on which a challenger was scored beside the champion.

    Parameters
    ----------
    export : Path
        JSONL, made by `crisiscall log export`.

    Returns
    -------
    pandas.DataFrame
        `at` (UTC), `challenger` (digest of its release), `response`, `challenger_response`.

    Raises
    ------
    InputError
        If it is no such export; nothing of a row is repeated.
    """
    rows = []
    for number, line in enumerate(export.read_bytes().splitlines(), 1):
        try:
            row = orjson.loads(line)
            challenger = row.get("challenger")
            if challenger is not None:
                response = (row.get("recommendation") or {}).get("response")
                rows.append((row["at"], challenger["digest"], response, challenger["response"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise InputError(f"{export}: line {number} is no row of a decision log") from None
    seen = pd.DataFrame(rows, columns=list(COLUMNS))
    return seen.assign(at=pd.to_datetime(seen["at"], utc=True, format="ISO8601"))
