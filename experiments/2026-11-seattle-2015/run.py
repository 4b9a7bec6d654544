"""Seattle's police calls of 2015: import, train, evaluate, compare; writes results.md beside this.

Run from the project's root:

    python experiments/2026-11-seattle-2015/run.py --input PATH/calls_2015.csv.gz
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from data.dataset import Dataset
from model_service.model.classifier import as_labels
from model_service.model.release import load_release
from model_service.model.store import champion
from training.config import load_config
from training.evaluate import assess_frame
from training.fit import split
from training.metrics import auroc, average_precision, cluster_weights, with_interval

HERE = Path(__file__).parent
REFERENCE = "TF-IDF + logistic regression, hour and weekday"


def crisiscall(*arguments: str) -> None:
    """Run a verb of the command line, as a user would."""
    subprocess.run([sys.executable, "-m", "training.cli", *arguments], check=True)


def reference(
    calls: pd.DataFrame, y: np.ndarray, learn: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Rank test calls by the reference: no place, nothing tuned."""
    local = calls["received_at"].dt.tz_convert("America/Los_Angeles").dt
    table = pd.DataFrame(
        {"type": calls["call_type"].fillna(""), "hour": local.hour, "weekday": local.day_of_week}
    )
    columns = make_column_transformer(
        (TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), "type"),
        (OneHotEncoder(), ["hour", "weekday"]),
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=5000))
    return model.fit(table[learn], y[learn]).decision_function(table[test])


def main() -> None:
    """Import, train, evaluate and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", required=True, type=Path, help="calls_2015.csv.gz")
    parser.add_argument("--home", default=Path("var/seattle-study"), type=Path)
    options = parser.parse_args()
    folder = options.home / "data"

    crisiscall(
        "data", "import", "--source", "seattle", "--input", str(options.input), "--out", str(folder)
    )
    crisiscall(
        "train",
        "--data",
        str(folder),
        "--config",
        "seattle",
        "--home",
        str(options.home),
        "--champion",
    )
    crisiscall(
        "evaluate",
        "--data",
        str(folder),
        "--config",
        "seattle",
        "--home",
        str(options.home),
        "--out",
        str(options.home / "evaluation"),
    )

    dataset = Dataset.read(folder)
    config = load_config("seattle")
    part = split(dataset, config)
    learn, test = part.isin(["train", "validation"]).to_numpy(), (part == "test").to_numpy()
    y = as_labels(dataset.targets())[:, 0]
    calls = dataset.calls
    crisis_type = calls["call_type"].str.contains("CRISIS", na=False).to_numpy()

    release = load_release(champion(options.home / "releases"), trusted=None)
    month = calls["received_at"].dt.tz_convert(config.features.timezone).dt.month
    coded = learn & ~month.between(2, 6).to_numpy()
    scores = {
        "initial type says CRISIS": crisis_type[test].astype(float),
        REFERENCE: reference(calls, y, learn, test),
        f"{REFERENCE}, February-June left out": reference(calls, y, coded, test),
        "this project": assess_frame(release, calls[test])["mental_health_crisis"].to_numpy(),
    }
    truth = y[test]
    weights = cluster_weights(
        dataset.incidents().to_numpy(dtype=object)[test], np.random.default_rng(0)
    )
    draws: dict[str, dict[str, list[float]]] = {}
    rows = ["| crisis head, October-December | AUROC | average precision |", "|---|--:|--:|"]
    for name, score in scores.items():
        order = np.argsort(-score, kind="stable")
        cells, one = [], np.ones(len(order))
        for measure in (auroc, average_precision):
            draws.setdefault(name, {})[measure.__name__] = [
                measure(truth[order], score[order], w[order]) for w in weights
            ]
            figure = with_interval(
                measure(truth[order], score[order], one), draws[name][measure.__name__]
            )
            cells.append(f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})")
        rows.append(f"| {name} | {' | '.join(cells)} |")
    ours, theirs = draws["this project"], draws[REFERENCE]
    for measure in ours:
        gain = np.percentile(np.subtract(ours[measure], theirs[measure]), [50, 2.5, 97.5])
        rows.append("")
        rows.append(
            f"Paired gain over the reference, {measure.replace('_', ' ')}: "
            f"{gain[0]:+.4f} ({gain[1]:+.4f} to {gain[2]:+.4f})."
        )

    precision = truth[crisis_type[test]].mean()
    recall = crisis_type[test][truth == 1].mean()
    shares = pd.DataFrame(
        {"calls": month.value_counts(), "crises": pd.Series(y).groupby(month).sum()}
    )
    rows += [
        "",
        f"The rule alone: precision {precision:.2f}, recall {recall:.2f}.",
        "",
        "| month | calls | cleared as a mental-health crisis | share |",
        "|--:|--:|--:|--:|",
    ]
    rows += [
        f"| {number} | {row['calls']:,.0f} | {row['crises']:,.0f} | "
        f"{row['crises'] / row['calls']:.2%} |"
        for number, row in shares.sort_index().iterrows()
    ]

    evaluation = (options.home / "evaluation" / "evaluation.md").read_text(encoding="utf-8")
    tables = evaluation.split("\n![")[0]
    (HERE / "results.md").write_text(
        "<!-- Written by run.py; do not edit. -->\n# Results\n\n"
        + "\n".join(rows)
        + "\n\n#"
        + tables.rstrip()
        + "\n",
        encoding="utf-8",
    )
    print(json.dumps({"written": str(HERE / "results.md")}))


if __name__ == "__main__":
    main()
