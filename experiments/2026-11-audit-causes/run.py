"""Try every part of the audit's causes on synthetic calls; writes results.md beside this.

Run from the project's root:

    python experiments/2026-11-audit-causes/run.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from data import review
from data.call import TARGETS
from data.dataset import Dataset
from data.sources.synthetic import synthesize
from model_service.model.classifier import as_labels
from model_service.model.plan import load_plan
from model_service.model.release import Release, load_release
from training.audit.causes import drive as driving
from training.audit.causes import label_bias as bias
from training.audit.causes import left_out as leaving
from training.audit.causes import standardised as standard
from training.audit.causes import swaps as swapping
from training.audit.causes import switched_on as switching
from training.audit.causes.section import Section
from training.config import TrainingConfig, load_config
from training.evaluate import assess_frame
from training.keys import signing_key
from training.pipeline import train

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 24, tzinfo=UTC)
MISSING_IN, MISSING = "Mattapan", 0.4
"""Where labels of crises are planted as missing, and what share of them."""


def say(words: str) -> None:
    """Say what is being done."""
    print(f"  {words}", file=sys.stderr, flush=True)


def period(release: Release, dataset: Dataset, calls: pd.DataFrame) -> pd.DataFrame:
    """Make the audit's table of some calls: one row each, with labels, scores and flags."""
    assessed = assess_frame(release, calls)
    y = as_labels(dataset.targets().loc[calls.index])
    zone = release.scorer.timezone
    table = calls[["call_id", "neighborhood", "call_type", "call_source", "caller_role"]].assign(
        incident=dataset.incidents().loc[calls.index],
        hour=calls["received_at"].dt.tz_convert(zone).dt.hour,
        weight=1.0,
        # The centre's own protocol counts as police: that is what happens today.
        recommended_police=assessed["police"].fillna(True),
    )
    for column, (name, target) in enumerate(zip(("crisis", "risk"), TARGETS, strict=True)):
        table[name] = y[:, column]
        table[f"{name}_score"] = assessed[target]
        flag = (assessed[target] >= (release.thresholds[target].low or 0.0)).astype("boolean")
        table[f"{name}_flag"] = flag.mask(assessed["abstained"])
    return table


def planted_review(dataset: Dataset, seed: int) -> Dataset:
    """Take crises' labels from one place, and review calls by what is true."""
    calls = review.reviewable(dataset)
    truth = (
        dataset.targets().loc[calls.index].fillna(False).astype(bool).set_index(calls["call_id"])
    )
    home = calls.set_index("call_id")["neighborhood"]
    random = np.random.default_rng(seed)
    labels = dataset.labels
    assert labels is not None
    gone = (
        (labels["target"] == TARGETS[0])
        & labels["value"]
        & (labels["call_id"].map(home) == MISSING_IN)
        & (random.random(len(labels)) < MISSING)
    )
    labels = labels.assign(value=labels["value"] & ~gone)
    bare = Dataset(calls, labels=labels, groups=dataset.groups, manifest={})
    of = review.draw(bare, dict.fromkeys(TARGETS, ()), sample=2500, seed=seed)
    rows = [
        {
            "round": 1,
            "call_id": call_id,
            "target": target,
            "verdict": "yes" if truth.loc[call_id, target] else "no",
            "by": "the generator",
            "reviewed_at": NOW,
        }
        for target in TARGETS
        for ids in of.drawn[target].values()
        for call_id in ids
    ]
    bare.manifest["review_rounds"] = [of.as_manifest(NOW)]
    return Dataset(
        calls,
        labels=labels,
        groups=dataset.groups,
        reviews=pd.DataFrame(rows),
        manifest=bare.manifest,
    )


def small(config: TrainingConfig) -> TrainingConfig:
    """Fix the penalty, so that a study of many fits needs no search."""
    return config.model_copy(update={"search": config.search.model_copy(update={"C": (0.3,)})})


def main() -> None:
    """Train the shipped release, run every part, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", default=30_000, type=int, help="calls of the release")
    parser.add_argument("--swapped", default=3000, type=int, help="calls that swaps are made in")
    parser.add_argument("--refitted", default=6000, type=int, help="calls that studies refit on")
    parser.add_argument("--places", default=6, type=int, help="places to leave out")
    parser.add_argument("--seed", default=0, type=int)
    parser.add_argument("--release", type=Path, help="a release's folder, instead of training")
    options = parser.parse_args()
    config = load_config("synthetic")
    plan, _ = load_plan(config.plan)
    say("making calls")
    dataset = synthesize(options.calls, seed=options.seed)
    if options.release:
        release = load_release(options.release, trusted=None)
    else:
        with tempfile.TemporaryDirectory() as work:
            dataset.write(Path(work) / "data")
            key = signing_key(Path(work) / "keys")
            release = train(
                dataset, config, store=Path(work) / "releases", key=key, report=say
            ).release
    last = dataset.calls.sort_values("revision", kind="stable").drop_duplicates(
        "call_id", keep="last"
    )
    tested = last[last["received_at"] >= last["received_at"].quantile(config.split.test_from)]
    incidents = dataset.incidents()
    sections: list[Section] = []

    say(f"assessing the {len(tested):,} calls of the test period")
    table = period(release, dataset, tested)
    sections.append(standard.section(standard.standardised(table)))
    say("taking scores apart")
    found = driving.drive(release, tested, tested["neighborhood"], incidents.loc[tested.index])
    sections.append(driving.section(found))
    say("swapping")
    some = last.sample(min(options.swapped, len(last)), random_state=options.seed)
    swaps = swapping.swap(release, some, incidents.loc[some.index])
    few = some.head(500)
    languages = swapping.unsupported(release, few, incidents.loc[few.index])
    sections.append(swapping.section(swaps, languages))
    part = synthesize(options.refitted, seed=options.seed + 1)
    sections.append(switching.section(switching.switched_on(part, small(config), plan, report=say)))
    sections.append(
        leaving.section(
            leaving.left_out(part, small(config), plan, most=options.places, report=say)
        )
    )
    say("reviewing")
    sections.append(bias.section(bias.label_bias(planted_review(dataset, options.seed))))
    head = (
        "<!-- Written by run.py; do not edit. -->\n# Results\n\n"
        f"{options.calls:,} synthetic calls, seed {options.seed}; the parts that refit models use "
        f"{options.refitted:,} others. In {MISSING_IN} the labels of {MISSING:.0%} of the crises "
        "were taken away for the last part.\n\n"
    )
    (HERE / "results.md").write_text(
        head + "\n".join(one.markdown() for one in sections), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
