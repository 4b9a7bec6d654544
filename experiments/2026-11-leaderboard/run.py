"""The shipped text model beside simpler and larger ones, on the same texts; see README.md."""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from data.call import MAX_NARRATIVE, TARGETS, Call
from data.dataset import Dataset
from data.document import read_document
from model_service.model.classifier import as_labels
from model_service.model.release import load_release
from model_service.model.store import champion
from training.config import load_config
from training.fit import split
from training.metrics import auroc, average_precision, cluster_weights, with_interval

HERE = Path(__file__).parent
OURS = "**this project**"
CS = (0.3, 1.0, 3.0, 10.0)
TIMED = 200
NOON = datetime(2026, 3, 4, 17, tzinfo=UTC)

Floats = NDArray[np.float64]
Score = Callable[[Sequence[str]], Floats]
"""Texts → scores of shape (n_texts, 2)."""


@dataclass(frozen=True)
class Texts:
    """Texts with labels (1, 0 or NaN, shape (n, 2)), and what must be resampled together."""

    texts: list[str]
    y: Floats
    clusters: NDArray[np.object_]


@dataclass(frozen=True)
class Parts:
    """What may be learned from, what chooses, and what judges."""

    train: Texts
    validation: Texts
    judges: dict[str, Texts]

    @property
    def both(self) -> tuple[list[str], Floats]:
        """Training and validation together."""
        return (
            self.train.texts + self.validation.texts,
            np.vstack([self.train.y, self.validation.y]),
        )


def crisiscall(*arguments: str) -> None:
    """Run a verb of the command line, as a user would."""
    subprocess.run([sys.executable, "-m", "training.cli", *arguments], check=True)


def parts_of(dataset: Dataset, transcripts: Path | None) -> Parts:
    """Split as training does; judge by the last revision of unseen families, and by other sets."""
    part = split(dataset, load_config("synthetic"))
    y, families = as_labels(dataset.targets()), dataset.families()
    last = ~dataset.calls["call_id"].duplicated(keep="last")
    written = families.str.startswith("written_")

    def take(rows: NDArray[np.bool_]) -> Texts:
        texts = dataset.calls.loc[rows, "narrative"].tolist()
        return Texts(texts, y[rows], families[rows].to_numpy(dtype=object))

    test = (part == "test") & last
    judges = {
        "grammar, unseen families": take((test & ~written).to_numpy()),
        "written, unseen leaves": take((test & written).to_numpy()),
    }
    for file in sorted(HERE.glob("sets/*.tsv")):
        judges[file.stem] = read_set(file)
    if transcripts is not None:
        judges["real transcripts"] = read_transcripts(transcripts)
    return Parts(
        take((part == "train").to_numpy()), take((part == "validation").to_numpy()), judges
    )


def _alone(texts: list[str], y: list[list[float]]) -> Texts:
    each = np.arange(len(texts)).astype(object)
    return Texts(texts, np.array(y), each)


def read_set(path: Path) -> Texts:
    """Read a set of invented texts: crisis, risk (1, 0 or blank), text, with tabs between."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    y = [[float(cell) if cell else np.nan for cell in row[:2]] for row in rows]
    return _alone([row[2] for row in rows], y)


def read_transcripts(path: Path) -> Texts:
    """Read a CSV file of `narrative` and the two targets, blank where the label is missing."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    y = [[float(row[t]) if row[t] else np.nan for t in TARGETS] for row in rows]
    return _alone([row["narrative"][:MAX_NARRATIVE] for row in rows], y)


# --- the contestants --------------------------------------------------------------------------


def keywords(_: Parts) -> Score:
    """How many of a list's words and phrases occur; nothing is learned."""
    lists = read_document((HERE / "keywords.yaml").read_text(encoding="utf-8"))
    found = [
        re.compile(r"\b(?:" + "|".join(map(re.escape, lists[target])) + ")", re.I)
        for target in TARGETS
    ]

    def score(texts: Sequence[str]) -> Floats:
        return np.array(
            [[len({m[0].lower() for m in f.finditer(t)}) for f in found] for t in texts]
        )

    return score


def _logistic(vectors: Callable[[Sequence[str]], object], fitted: Parts) -> Score:
    """Two logistic regressions, each with the penalty that ranks validation texts best."""
    seen, unseen = vectors(fitted.train.texts), vectors(fitted.validation.texts)
    together, y = vectors(fitted.both[0]), fitted.both[1]
    heads = []
    for column in range(2):
        there = ~np.isnan(fitted.train.y[:, column])
        judged = ~np.isnan(fitted.validation.y[:, column])
        reached = []
        for C in CS:
            head = LogisticRegression(C=C, max_iter=2000)
            head.fit(seen[there], fitted.train.y[there, column])  # type: ignore[index]
            ranks = head.decision_function(unseen[judged])  # type: ignore[index]
            reached.append(average_precision_score(fitted.validation.y[judged, column], ranks))
        head = LogisticRegression(C=CS[int(np.argmax(reached))], max_iter=2000)
        there = ~np.isnan(y[:, column])
        heads.append(head.fit(together[there], y[there, column]))  # type: ignore[index]
    return lambda texts: np.column_stack([h.decision_function(vectors(texts)) for h in heads])


def tfidf(parts: Parts) -> Score:
    """TF-IDF of words and pairs, logistic regression."""
    made = TfidfVectorizer(ngram_range=(1, 2), min_df=5, sublinear_tf=True)
    made.fit(parts.both[0])
    return _logistic(made.transform, parts)


def boosting(parts: Parts) -> Score:
    """Gradient boosting on which of the 1,500 most frequent words occur."""
    made = CountVectorizer(binary=True, max_features=1500, dtype=np.uint8)
    texts, y = parts.both
    matrix = made.fit_transform(texts).toarray()
    heads = []
    for column in range(2):
        there = ~np.isnan(y[:, column])
        head = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, random_state=0)
        heads.append(head.fit(matrix[there], y[there, column]))
    return lambda texts: np.column_stack(
        [h.decision_function(made.transform(texts).toarray()) for h in heads]
    )


class Embeddings:
    """Sentence embeddings that `embed.py` made in an environment of its own."""

    def __init__(self, python: Path, work: Path) -> None:
        self.python, self.work = python, work
        self.known: dict[str, Floats] = {}
        self.milliseconds = float("nan")

    def learn(self, texts: Sequence[str]) -> None:
        """Embed texts that are not known yet, all in one go."""
        new = sorted(set(texts) - set(self.known))
        (self.work / "texts.json").write_text(json.dumps(new), encoding="utf-8")
        subprocess.run(
            [self.python, HERE / "embed.py", self.work / "texts.json", self.work / "vectors.npz"],
            check=True,
        )
        with np.load(self.work / "vectors.npz") as file:
            self.known.update(zip(new, file["vectors"], strict=True))
            self.milliseconds = float(file["milliseconds"])

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Give the vectors of texts that were learned, of shape (n_texts, 384)."""
        return np.array([self.known[text] for text in texts])


def ours(home: Path) -> Score:
    """Ask the release that `crisiscall train` wrote, with the narrative alone."""
    scorer = load_release(champion(home / "releases"), trusted=None).scorer

    def score(texts: Sequence[str]) -> Floats:
        calls = [Call(call_id="x", received_at=NOON, narrative=text) for text in texts]
        return np.array([scorer.score(call).log_odds for call in calls])

    return score


# --- measuring --------------------------------------------------------------------------------


def microseconds(score: Score, texts: Sequence[str]) -> float:
    """Median time of one text at a time."""
    took = []
    for text in texts:
        begin = time.perf_counter()
        score([text])
        took.append(time.perf_counter() - begin)
    return float(np.median(took)) * 1e6


def table(judge: Texts, column: int, scores: dict[str, Floats]) -> list[str]:
    """Rows of one set and one target: figures with intervals, and the gain of ours over each."""
    there = ~np.isnan(judge.y[:, column])
    y = judge.y[there, column]
    draws = cluster_weights(judge.clusters[there], np.random.default_rng(0))
    figures: dict[str, list[list[float]]] = {}
    for name, score in scores.items():
        s = score[there, column]
        order = np.argsort(-s, kind="stable")
        one = np.ones(len(s))
        figures[name] = [
            [m(y[order], s[order], w[order]) for w in (one, *draws)]
            for m in (auroc, average_precision)
        ]
    rows = []
    for name, (areas, precisions) in figures.items():
        gain = [a - b for a, b in zip(figures[OURS][1], precisions, strict=True)]
        cells = [_figure(areas), _figure(precisions)]
        cells.append("" if name == OURS else _figure(gain, "+.3f"))
        rows.append("| " + " | ".join([name, *cells]) + " |")
    return rows


def _figure(values: list[float], form: str = ".3f") -> str:
    value, low, high = with_interval(values[0], values[1:])
    return f"{value:{form}} ({low:{form}} to {high:{form}})"


def main() -> None:
    """Make the calls, train everything, write results.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--transcripts", type=Path, help="labelled CSV of real calls")
    parser.add_argument("--embeddings", type=Path, help="the Python that can run embed.py")
    parser.add_argument("--calls", default=30_000, type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data, home = work / "data", work / "home"
        crisiscall("data", "synthesize", "--calls", str(options.calls), "--out", str(data))
        crisiscall("train", "--data", str(data), "--home", str(home))
        parts = parts_of(Dataset.read(data), options.transcripts)
        contestants: dict[str, Score] = {
            "keyword list": keywords(parts),
            "TF-IDF + logistic regression": tfidf(parts),
            "gradient boosting on words": boosting(parts),
        }
        costs = {}
        if options.embeddings is not None:
            vectors = Embeddings(options.embeddings, work)
            everything = parts.both[0] + [t for j in parts.judges.values() for t in j.texts]
            vectors.learn(everything)
            name = "sentence embeddings + logistic regression"
            contestants[name] = _logistic(vectors, parts)
            costs[name] = vectors.milliseconds * 1000
        contestants[OURS] = ours(home)
        scores = {
            judge: {name: score(texts.texts) for name, score in contestants.items()}
            for judge, texts in parts.judges.items()
        }
        sample = next(iter(parts.judges.values())).texts[:TIMED]
        for name, score in contestants.items():
            costs.setdefault(name, microseconds(score, sample))
    write(parts, scores, costs)


def write(parts: Parts, scores: dict[str, dict[str, Floats]], costs: dict[str, float]) -> None:
    """Write results.md."""
    lines = [
        "<!-- Written by run.py; do not edit. -->",
        "# Results",
        "",
        "The narrative alone; 95% intervals from a bootstrap of whole families where there are",
        "any, else of texts. Gain: average precision of this project less that of the row.",
        "",
    ]
    for judge, texts in parts.judges.items():
        for column, target in enumerate(TARGETS):
            there = texts.y[:, column]
            positive, known = int(np.nansum(there)), int((~np.isnan(there)).sum())
            lines += [
                f"## {judge}: {target} ({positive:,} of {known:,})",
                "",
                "| model | AUROC | average precision | gain |",
                "|---|--:|--:|--:|",
                *table(texts, column, scores[judge]),
                "",
            ]
    lines += ["## Cost of one text", "", "| model | against this project |", "|---|--:|"]
    lines += [f"| {name} | {cost / costs[OURS]:.2f} × |" for name, cost in costs.items()]
    (HERE / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
