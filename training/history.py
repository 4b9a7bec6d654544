"""The history of premises beside a frame of calls: for training, measuring and batches."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.call import Call
from data.frame import DTYPES, to_calls
from data.history import history_frame
from data.labels import DTYPES as LABEL_DTYPES
from data.premise import Counts
from model_service.model.features import HistoryFeature
from model_service.model.scorer import HistoryTable


def with_history(
    calls: pd.DataFrame,
    history: HistoryTable | HistoryFeature | None,
    labels: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Add the history of its premise to every call, if a model uses one.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        All calls that are known, in any order: those before a call are its history.
    history : HistoryTable or HistoryFeature, optional
        What the model uses; None adds nothing.
    labels : pandas.DataFrame, optional
        As `data.labels.DTYPES` declares; without any, no crisis is known.

    Returns
    -------
    pandas.DataFrame of shape (n_calls, n_columns + 2 * n_windows)
        The calls, with the columns of `data.history.columns`.
    """
    if history is None:
        return calls
    if labels is None:
        labels = pd.DataFrame(columns=list(LABEL_DTYPES)).astype(LABEL_DTYPES)
    return calls.join(history_frame(calls, labels, windows=history.windows))


def calls_and_counts(
    frame: pd.DataFrame, history: HistoryTable | None
) -> list[tuple[Call, Counts | None]]:
    """Turn a frame into calls, each with the counts that a scorer asks for.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `with_history` makes it.
    history : HistoryTable, optional
        Of the scorer; None: no counts are looked for.

    Raises
    ------
    KeyError
        If the frame lacks the columns: the caller's mistake.
    """
    return list(zip(to_calls(frame[list(DTYPES)]), counts_of(frame, history), strict=True))


def counts_of(frame: pd.DataFrame, history: HistoryTable | None) -> list[Counts | None]:
    """Read the counts of every call; None where it has no premise, or no counts are looked for.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `with_history` makes it.
    history : HistoryTable, optional
        Of the scorer.

    Raises
    ------
    KeyError
        If the frame lacks the columns: the caller's mistake.
    """
    if history is None:
        return [None] * len(frame)
    counts = frame[history.columns].to_numpy(dtype="float64")
    known = ~np.isnan(counts).any(axis=1)
    return [
        tuple(map(int, row)) if there else None
        for row, there in zip(counts.tolist(), known.tolist(), strict=True)
    ]
