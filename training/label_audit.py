"""Which labels are likely wrong: confident learning over out-of-fold probabilities.

Each labelled call is scored by a model that has learned from none of its incident and no copy of
its text. With `t_j` the mean probability of class `j` among the calls labelled `j`, a call is
suspected if it is labelled `i`, and `j` other than `i` is the most probable class with
`p_j >= t_j` (Northcutt, Jiang and Chuang 2021, JAIR 70, 1373-1411, as `cleanlab` does it). The
probabilities are of a plain model of this module, not of a release: a second opinion should not be
the first one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from data.call import TARGETS
from data.dataset import Dataset
from data.frame import ANSWER_COLUMNS
from data.labels import resolve
from data.review import reviewable
from data.text import tokenize

FOLDS = 5
MIN_EACH = 20
"""Labels that each class must have before an audit says anything."""


def suspects(
    dataset: Dataset, *, report: Callable[[str], None] = lambda _: None
) -> dict[str, list[str]]:
    """Name calls whose label is likely wrong.

    Parameters
    ----------
    dataset : Dataset
    report : callable
        Told in a few words what is being done.

    Returns
    -------
    dict of str to list of str
        Target → `call_id`, those labelled negative and positive by turns, of each the
        least credible label first; empty where there are fewer than 20 labels of a class. Only
        calls with a narrative, at their last revision.
    """
    from cleanlab.filter import find_label_issues

    assert dataset.labels is not None
    calls = reviewable(dataset)
    targets = resolve(dataset.labels, calls["call_id"])
    incidents = dataset.incidents()[calls.index]
    report("vectorising")
    found: dict[str, list[str]] = {target: [] for target in TARGETS}
    matrix = None
    for target in TARGETS:
        known = targets[target].notna().to_numpy()
        labels = targets.loc[known, target].astype(int).to_numpy()
        if len(labels) == 0 or min(np.bincount(labels, minlength=2)) < MIN_EACH:
            continue
        if matrix is None:
            matrix = TfidfVectorizer(analyzer=list, min_df=2, sublinear_tf=True).fit_transform(
                _words(calls)
            )
        report(f"auditing {target}")
        groups = _groups(calls["narrative"][known], incidents[known])
        p = out_of_fold(matrix[known], labels, groups)
        issues = find_label_issues(
            labels,
            np.column_stack([1 - p, p]),
            filter_by="confident_learning",
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
        found[target] = calls.loc[known, "call_id"].iloc[by_turns(issues, labels)].tolist()
    return found


def by_turns(issues: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> list[int]:
    """Take suspects labelled negative and positive by turns, each in their order.

    By credibility alone those of the rarer class come first, and missed crises last.

    Examples
    --------
    >>> by_turns(np.array([4, 2, 0, 1]), np.array([0, 0, 1, 0, 1]))
    [0, 4, 1, 2]
    """
    negative = [int(i) for i in issues if labels[i] == 0]
    positive = [int(i) for i in issues if labels[i] == 1]
    pairs = zip_longest(negative, positive)
    return [i for pair in pairs for i in pair if i is not None]


def out_of_fold(
    matrix: object, labels: NDArray[np.integer[Any]], groups: pd.Series
) -> NDArray[np.float64]:
    """Score each call by a logistic regression that has seen none of its group.

    Parameters
    ----------
    matrix : sparse array of shape (n_calls, n_terms)
    labels : array of shape (n_calls,)
        0 or 1.
    groups : pandas.Series of shape (n_calls,)

    Returns
    -------
    array of shape (n_calls,)
        Probabilities of 1.
    """
    p = np.full(len(labels), labels.mean())
    folds = min(FOLDS, groups.nunique())
    if folds < 2:
        return p
    for others, held_out in GroupKFold(folds).split(labels, groups=groups):
        if len(np.unique(labels[others])) < 2:
            continue
        model = LogisticRegression(C=10.0, solver="liblinear")  # quick on sparse rows
        model.fit(matrix[others], labels[others])  # type: ignore[index]
        p[held_out] = model.predict_proba(matrix[held_out])[:, 1]  # type: ignore[index]
    return p


def _words(calls: pd.DataFrame) -> list[list[str]]:
    rows = []
    for narrative in calls["narrative"]:
        words = [token.text for token in tokenize(narrative)]
        pairs = [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
        rows.append(words + pairs)
    for name in ("call_type", *ANSWER_COLUMNS):
        for row, value in zip(rows, calls[name], strict=True):
            if isinstance(value, str):
                row.append(f"{name}={value}")
    return rows


def _groups(narratives: pd.Series, incidents: pd.Series) -> pd.Series:
    """Group calls that share an incident or a text."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(narratives)
    a, b = pd.factorize(incidents)[0], pd.factorize(narratives)[0]
    rows = np.concatenate([np.arange(n), np.arange(n)])
    columns = np.concatenate([n + a, n + a.max() + 1 + b])
    size = n + int(a.max()) + int(b.max()) + 2
    graph = coo_array((np.ones(2 * n), (rows, columns)), shape=(size, size))
    return pd.Series(connected_components(graph, directed=False)[1][:n])
