"""Which text features carry over from synthetic calls to real ones? See README.md."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from data.call import MAX_NARRATIVE, TARGETS
from data.dataset import Dataset
from data.sources.synthetic import synthesize
from data.splits import temporal_split
from data.text import tokenize
from model_service.model.classifier import as_labels
from model_service.model.concepts import concepts_text, matcher
from model_service.model.features import Concepts, Terms

HERE = Path(__file__).parent
STYLES = ("spoken", "shorthand", "log")
WINDOW, STEP = 24, 12
RESAMPLES = 500


@dataclass(frozen=True)
class Texts:
    """Texts with labels, and what must be resampled together."""

    texts: list[str]
    y: NDArray[np.float64]
    clusters: NDArray[np.object_]
    styles: NDArray[np.object_]


def split(dataset: Dataset) -> tuple[Texts, Texts]:
    """Learn from training and validation families; test on the last revision of test calls."""
    families = dataset.families()
    part = temporal_split(
        dataset.calls,
        validation_from=0.6,
        test_from=0.8,
        timezone="America/New_York",
        groups=[dataset.incidents(), families],
    )
    y = as_labels(dataset.targets())
    assert dataset.groups is not None
    styles = dataset.calls["call_id"].map(
        dataset.groups.drop_duplicates("call_id").set_index("call_id")["style"]
    )

    def take(rows: pd.Series) -> Texts:
        return Texts(
            dataset.calls.loc[rows, "narrative"].tolist(),
            y[rows.to_numpy()],
            families[rows].to_numpy(dtype=object),
            styles[rows].to_numpy(dtype=object),
        )

    last = ~dataset.calls["call_id"].duplicated(keep="last")
    return take(part.isin(["train", "validation"])), take((part == "test") & last)


def read_labelled(path: Path) -> Texts:
    """Read a CSV file of `narrative` and the two targets, blank where the label is missing."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    y = np.array([[float(row[t]) if row[t] else np.nan for t in TARGETS] for row in rows])
    each = np.arange(len(rows)).astype(object)
    return Texts([r["narrative"][:MAX_NARRATIVE] for r in rows], y, each, np.full(len(rows), ""))


Maker = Callable[[Texts, Sequence[Texts]], list[csr_matrix]]
"""Learn from the first, return the matrices of the first and of the others."""


def ngrams(longest: int, scale: float = 1.0) -> Maker:
    """TF-IDF of word n-grams at unit length."""

    def make(learn: Texts, others: Sequence[Texts]) -> list[csr_matrix]:
        fitted = TfidfVectorizer(analyzer=Terms(longest), min_df=5, sublinear_tf=True)
        first = fitted.fit_transform(learn.texts)
        return [scale * m for m in (first, *(fitted.transform(o.texts) for o in others))]

    return make


def concepts(learn: Texts, others: Sequence[Texts]) -> list[csr_matrix]:
    """Concepts with their polarities."""
    made = Concepts(concepts_text())
    return [made.transform(pd.Series(t.texts)) for t in (learn, *others)]


def said_only(learn: Texts, others: Sequence[Texts]) -> list[csr_matrix]:
    """Concepts without their polarities: denied and asked count as said."""
    columns = len(matcher(concepts_text()).columns)
    fold = csr_matrix(
        (np.ones(columns), (np.arange(columns), np.arange(columns) // 3 * 3)), (columns, columns)
    )
    return [m @ fold for m in concepts(learn, others)]


class Vectors:
    """Word vectors of a file that `vectors.py` made."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self.index = {word: i for i, word in enumerate(file["words"].tolist())}
            self.vectors = file["vectors"].astype(np.float64)

    def mean(self, texts: Sequence[list[str]]) -> NDArray[np.float64]:
        """Sum of the words' weighted vectors at unit length, of shape (n_texts, 256)."""
        known = [[self.index[w] for w in words if w in self.index] for words in texts]
        counts = csr_matrix(
            (
                np.ones(sum(map(len, known))),
                (
                    np.repeat(np.arange(len(known)), [len(k) for k in known]),
                    [i for k in known for i in k],
                ),
            ),
            shape=(len(known), len(self.vectors)),
        )
        sums = counts @ self.vectors
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)

    def make(self, learn: Texts, others: Sequence[Texts]) -> list[csr_matrix]:
        """One mean vector per text."""
        return [csr_matrix(self.mean([words(x) for x in t.texts])) for t in (learn, *others)]


def words(text: str) -> list[str]:
    """Split a text into words as the model reads them."""
    return [token.text for token in tokenize(text)]


def together(*makers: Maker) -> Maker:
    """Several features side by side."""

    def make(learn: Texts, others: Sequence[Texts]) -> list[csr_matrix]:
        blocks = [maker(learn, others) for maker in makers]
        return [hstack(parts, format="csr") for parts in zip(*blocks, strict=True)]

    return make


def fit_head(
    matrix: csr_matrix, y: NDArray[np.float64], column: int, *, C: float, prior_calls: float
) -> LogisticRegression:
    """Fit one head; the first columns are the concepts if `prior_calls` is not zero."""
    there = ~np.isnan(y[:, column])
    head = LogisticRegression(C=C, solver="newton-cg", tol=1e-4, max_iter=500)
    if not prior_calls:
        return head.fit(matrix[there], y[there, column])
    found = matcher(concepts_text())
    n = len(found.names)
    said = [found.columns.index((name, "said")) for name in found.names]
    rows = csr_matrix((np.ones(n), (np.arange(n), said)), shape=(n, matrix.shape[1]))
    share = np.array(found.given)[:, column]
    return head.fit(
        vstack([matrix[there], rows, rows], format="csr"),
        np.r_[y[there, column], np.ones(n), np.zeros(n)],
        sample_weight=np.r_[np.ones(there.sum()), prior_calls * share, prior_calls * (1 - share)],
    )


def judged(matrix: csr_matrix, column: int) -> NDArray[np.float64]:
    """Score by the list's own judgement alone; nothing is learned.

    What is open counts a third of what is said, what is denied a fifth the other way.
    """
    found = matcher(concepts_text())
    share = np.array(found.given)[:, column]
    base = (0.10, 0.15)[column]
    odds = np.log(share / (1 - share)) - np.log(base / (1 - base))
    weights = np.zeros(len(found.columns))
    for name, weight in zip(found.names, odds, strict=True):
        weights[found.columns.index((name, "said"))] = weight
        weights[found.columns.index((name, "open"))] = weight / 3
        weights[found.columns.index((name, "denied"))] = -max(weight, 0.0) / 5
    return np.asarray(matrix @ weights)


Metric = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def interval(texts: Texts, column: int, score: NDArray[np.float64], metric: Metric) -> str:
    """Point and 95% bootstrap interval, resampled by cluster."""
    there = ~np.isnan(texts.y[:, column])
    y, s, clusters = texts.y[there, column], score[there], texts.clusters[there]
    names, code = np.unique(clusters.astype(str), return_inverse=True)
    members = [np.flatnonzero(code == i) for i in range(len(names))]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        if 0 < y[rows].sum() < len(rows):
            drawn.append(metric(y[rows], s[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{metric(y, s):.3f} [{low:.2f}, {high:.2f}]"


def row(name: str, scores: Sequence[NDArray[np.float64]], sets: Sequence[Texts], j: int) -> str:
    """One line of the table of a target."""
    test, s = sets[0], scores[0]
    cells = [name, interval(test, j, s, roc_auc_score)]
    for style in STYLES:
        mine = (test.styles == style) & ~np.isnan(test.y[:, j])
        cells.append(f"{roc_auc_score(test.y[mine, j], s[mine]):.3f}")
    for real, r in zip(sets[1:], scores[1:], strict=True):
        cells += [
            interval(real, j, r, roc_auc_score),
            interval(real, j, r, average_precision_score),
        ]
    return "| " + " | ".join(cells) + " |"


def window_scores(
    vectors: Vectors, learn: Texts, others: Sequence[Texts], column: int
) -> list[NDArray[np.float64]]:
    """Fit on whole texts, score by the highest of a text's windows of 24 words."""
    head = fit_head(vectors.make(learn, [])[0], learn.y, column, C=10.0, prior_calls=0)
    result = []
    for texts in others:
        owner: list[int] = []
        parts: list[list[str]] = []
        for number, text in enumerate(texts.texts):
            said = words(text)
            for begin in range(0, max(1, len(said) - STEP), STEP):
                owner.append(number)
                parts.append(said[begin : begin + WINDOW])
        best = np.full(len(texts.texts), -np.inf)
        np.maximum.at(best, owner, head.decision_function(vectors.mean(parts)))
        result.append(best)
    return result


def main() -> None:
    """Run the study and write results.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=Path, help="synthetic calls; made anew without it")
    parser.add_argument("--transcripts", type=Path, help="labelled CSV of real calls")
    parser.add_argument("--vectors", type=Path, help="what vectors.py wrote")
    parser.add_argument("--words", type=Path, help="write the words of all texts and stop")
    arguments = parser.parse_args()
    dataset = Dataset.read(arguments.calls) if arguments.calls else synthesize(30_000, seed=0)
    learn, test = split(dataset)
    others = [test] + ([read_labelled(arguments.transcripts)] if arguments.transcripts else [])
    if arguments.words:
        seen = sorted({w for t in (learn, *others) for text in t.texts for w in words(text)})
        arguments.words.write_text("\n".join(seen), encoding="utf-8")
        return

    tried: list[tuple[str, Maker, float, float]] = [
        ("words", ngrams(1), 1.0, 0),
        ("words and pairs", ngrams(2), 1.0, 0),
        ("concepts, said or not", said_only, 0.3, 0),
        ("concepts", concepts, 0.3, 0),
        ("concepts, prior of 100 calls", concepts, 0.3, 100),
        ("concepts, prior of 500 calls", concepts, 0.3, 500),
        ("concepts + pairs", together(concepts, ngrams(2)), 1.0, 0),
        ("**concepts + pairs, prior of 100 calls**", together(concepts, ngrams(2)), 1.0, 100),
        ("concepts + pairs × ½, prior of 100", together(concepts, ngrams(2, 0.5)), 1.0, 100),
    ]
    vectors = Vectors(arguments.vectors) if arguments.vectors else None
    if vectors is not None:
        tried += [
            ("vectors, mean", vectors.make, 1.0, 0),
            ("concepts + vectors, prior of 100", together(concepts, vectors.make), 1.0, 100),
            (
                "concepts + pairs + vectors, prior of 100",
                together(concepts, ngrams(2), vectors.make),
                1.0,
                100,
            ),
        ]
    rows: dict[int, list[str]] = {0: [], 1: []}
    ready = concepts(learn, others)
    for j in (0, 1):
        scores = [judged(m, j) for m in ready[1:]]
        rows[j].append(row("the list's own judgement, nothing learned", scores, others, j))
    for name, maker, C, prior_calls in tried:
        matrices = maker(learn, others)
        for j in (0, 1):
            head = fit_head(matrices[0], learn.y, j, C=C, prior_calls=prior_calls)
            scores = [head.decision_function(m) for m in matrices[1:]]
            rows[j].append(row(name, scores, others, j))
            print(rows[j][-1], flush=True)  # noqa: T201
    if vectors is not None:
        for j in (0, 1):
            scores = window_scores(vectors, learn, others, j)
            rows[j].append(row("vectors, highest window of 24 words", scores, others, j))
    head_ = "| features | synthetic test families | " + " | ".join(STYLES) + " |"
    rule = "|---|---|" + "--:|" * len(STYLES)
    if arguments.transcripts:
        head_ += " real transcripts, AUROC | real transcripts, AP |"
        rule += "---|---|"
    parts = ["# Results", "", "Made by `run.py`; see README.md. AUROC unless it says AP.", ""]
    for j, target in enumerate(TARGETS):
        parts += [f"## {target}", "", head_, rule, *rows[j], ""]
    (HERE / "results.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
