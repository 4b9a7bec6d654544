"""Seattle's police calls of 2015: import, train, evaluate, try, compare; writes results.md.

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
from weekly import CHOSEN_FROM, JUDGED_FROM, JUDGED_UNTIL, SHIPPED, VARIANTS, Weekly

from data.dataset import Dataset
from model_service.model.release import load_release
from model_service.model.store import champion
from training.config import load_config
from training.evaluate import assess_frame
from training.fit import split
from training.history import with_history
from training.metrics import (
    auroc,
    average_precision,
    calibration_error,
    cluster_weights,
    with_interval,
)

HERE = Path(__file__).parent
REFERENCE = "TF-IDF + logistic regression, hour and weekday"
OURS = "this project"
ANEW = "this project, learned anew every week"
BEST = "the best of what was tried, learned anew every week"
AVERAGED = 5
MEAN = f"the mean of the {AVERAGED} best, learned anew every week"
CRISIS = "^(?:BEHAVIORAL|MENTAL) HEALTH / "


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


def choose(weekly: Weekly, coded: np.ndarray) -> tuple[list[str], list[str]]:
    """Try everything on August and September; returns a table and the names, the best first."""
    found = {}
    for name, variant in VARIANTS.items():
        score = weekly.scores(variant, since=CHOSEN_FROM, until=JUDGED_FROM)
        there = ~np.isnan(score)
        order = np.argsort(-score[there], kind="stable")
        given = coded[there][order], score[there][order], np.ones(there.sum())
        found[name] = auroc(*given), average_precision(*given)
        print(f"  {name}: {found[name][0]:.4f} {found[name][1]:.4f}", file=sys.stderr)
    best, *others = sorted(found, key=lambda name: -sum(found[name]))
    rows = ["| August-September, week by week | AUROC | average precision |", "|---|--:|--:|"]
    for name, (area, precision) in found.items():
        said = f"**{name}**" if name == best else name
        rows.append(f"| {said} | {area:.4f} | {precision:.4f} |")
    return rows, [best, *others]


def gains(draws: dict[str, dict[str, list[float]]], ours: str, theirs: str) -> list[str]:
    """Say by how much one ranks better than another, over the same bootstrap draws."""
    over = "the reference" if theirs == REFERENCE else "the release that is learned once"
    rows = []
    for measure in ("auroc", "average_precision"):
        paired = np.subtract(draws[ours][measure], draws[theirs][measure])
        gain = np.percentile(paired, [50, 2.5, 97.5])
        rows += [
            "",
            f"Paired gain over {over}, {measure.replace('_', ' ')}: "
            f"{gain[0]:+.4f} ({gain[1]:+.4f} to {gain[2]:+.4f}).",
        ]
    return rows


def goals(scores: dict[str, np.ndarray], truth: np.ndarray) -> str:
    """Say to four places what was reached of AUROC 0.925, average precision 0.56, error 0.01."""
    said = []
    for name in (OURS, ANEW, BEST, MEAN):
        order = np.argsort(-scores[name], kind="stable")
        given = truth[order], scores[name][order], np.ones(len(order))
        area, precision = auroc(*given), average_precision(*given)
        error = calibration_error(*given)
        met = area >= 0.925 and precision >= 0.56 and error <= 0.01
        said.append(
            f"{name}: {area:.4f}, {precision:.4f} and {error:.4f}, {'met' if met else 'missed'}"
        )
    return (
        "AUROC 0.925, average precision 0.56, calibration error at most 0.01. "
        + "; ".join(said)
        + "."
    )


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
    # What a former run left must not stay in force: this is a study, not a promotion.
    (options.home / "releases" / "champion").unlink(missing_ok=True)
    crisiscall(
        "train",
        "--data",
        str(folder),
        "--config",
        "seattle",
        "--home",
        str(options.home),
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
    assert dataset.outcomes is not None
    config = load_config("seattle")
    part = split(dataset, config)
    learn, test = part.isin(["train", "validation"]).to_numpy(), (part == "test").to_numpy()
    calls = dataset.calls
    month = calls["received_at"].dt.tz_convert(config.features.timezone).dt.month
    final = dataset.outcomes.set_index("call_id")["final_call_type"].reindex(calls["call_id"])
    # What the codes say, also in the months in which they could not say it: as the references do.
    coded = final.str.contains(CRISIS, na=False).to_numpy().astype(float)
    labelled = learn & ~month.between(2, 6).to_numpy()
    crisis_type = calls["call_type"].str.contains("CRISIS", na=False).to_numpy()

    release = load_release(champion(options.home / "releases"), trusted=None)
    known = with_history(calls, release.scorer.history, dataset.labels)
    weekly = Weekly(dataset, config.features)
    tried, ranked = choose(weekly, coded)
    scores = {
        "initial type says CRISIS": crisis_type[test].astype(float),
        REFERENCE: reference(calls, coded, learn, test),
        f"{REFERENCE}, February-June left out": reference(calls, coded, labelled, test),
        OURS: assess_frame(release, known[test])["mental_health_crisis"].to_numpy(),
    }
    for name, variants in ((ANEW, [SHIPPED]), (BEST, ranked[:1]), (MEAN, ranked[:AVERAGED])):
        raw = np.mean(
            [
                weekly.scores(VARIANTS[variant], since=CHOSEN_FROM, until=JUDGED_UNTIL)
                for variant in variants
            ],
            axis=0,
        )
        scores[name] = weekly.recalibrated(raw)[test]
    probabilities = {OURS, ANEW, BEST, MEAN}
    truth = coded[test]
    weights = cluster_weights(
        dataset.incidents().to_numpy(dtype=object)[test], np.random.default_rng(0)
    )
    draws: dict[str, dict[str, list[float]]] = {}
    rows = [
        "| crisis head, October-December | AUROC | average precision | calibration error |",
        "|---|--:|--:|--:|",
    ]
    for name, score in scores.items():
        order = np.argsort(-score, kind="stable")
        cells, one = [], np.ones(len(order))
        for measure in (auroc, average_precision, calibration_error):
            if measure is calibration_error and name not in probabilities:
                cells.append("–")
                continue
            draws.setdefault(name, {})[measure.__name__] = [
                measure(truth[order], score[order], w[order]) for w in weights
            ]
            figure = with_interval(
                measure(truth[order], score[order], one), draws[name][measure.__name__]
            )
            cells.append(f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})")
        rows.append(f"| {name} | {' | '.join(cells)} |")
    rows += gains(draws, OURS, REFERENCE)

    precision = truth[crisis_type[test]].mean()
    recall = crisis_type[test][truth == 1].mean()
    shares = pd.DataFrame(
        {"calls": month.value_counts(), "crises": pd.Series(coded).groupby(month).sum()}
    )
    rows += ["", f"The rule alone: precision {precision:.2f}, recall {recall:.2f}."]
    rows += ["", f"Goals: {goals(scores, truth)}"]
    for name in (ANEW, BEST, MEAN):
        rows += ["", f"**{name[0].upper()}{name[1:]}:**", *gains(draws, name, REFERENCE)]
        rows += gains(draws, name, OURS)
    rows += [
        "",
        "| month | calls | cleared as a mental-health crisis | share |",
        "|--:|--:|--:|--:|",
    ]
    rows += [
        f"| {number} | {row['calls']:,.0f} | {row['crises']:,.0f} | "
        f"{row['crises'] / row['calls']:.2%} |"
        for number, row in shares.sort_index().iterrows()
    ]
    rows += [
        "",
        "## What was tried",
        "",
        "August and September, every week scored by a model of what was known when it began; "
        "nothing here has seen October-December. The best by the mean of both figures is in bold.",
        "",
        *tried,
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
