"""From a folder of calls to a written release: fit, compile, check, evaluate, sign."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data.call import TARGETS
from data.dataset import Dataset
from model_service.model.classifier import CallClassifier
from model_service.model.compile import compile_scorer
from model_service.model.plan import load_plan
from model_service.model.release import (
    RULES,
    Release,
    canonical,
    load_release,
    scorer_files,
    write_release,
)
from model_service.model.rules import rule_reader, rules_text
from model_service.model.scorer import Scorer
from training.card import model_card
from training.config import TrainingConfig
from training.evaluate import evaluate
from training.fit import Fitted, fit
from training.history import calls_and_counts, with_history

PARITY_ROWS = 2000
PARITY_TOLERANCE = 1e-9


class ParityError(RuntimeError):
    """The compiled scorer does not say what the fitted pipeline says; nothing is released."""


@dataclass(frozen=True)
class Trained:
    """What one training run made."""

    fitted: Fitted
    folder: Path
    release: Release
    metrics: dict[str, Any]
    parity: float


def train(
    dataset: Dataset,
    config: TrainingConfig,
    *,
    store: Path,
    key: Ed25519PrivateKey,
    report: Callable[[str], None] = lambda _: None,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, _: items,
) -> Trained:
    """Train on a dataset and write a signed release.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig
    store : Path
        Folder of releases.
    key : Ed25519PrivateKey
    report : callable
        Told in a few words what is being done.
    progress : callable
        Wraps an iterable and draws its progress.

    Raises
    ------
    InputError
        If the calls or the plan don't allow it.
    ParityError
        If scorer and pipeline differ by more than 1e-9 on any of up to 2,000 calls.
    """
    plan, plan_text = load_plan(config.plan)
    fitted = fit(dataset, config, plan, report=report)
    report("compiling the pipeline into plain weights")
    learned = fitted.part.isin(["train", "validation"])
    calls = with_history(dataset.calls, config.features.history, dataset.labels)
    scorer = compile_scorer(fitted.classifier, calls[learned])
    parity = check_parity(fitted.classifier, scorer, calls, seed=config.seed)

    report("evaluating on test calls")
    candidate = Release(
        digest="",
        signer=None,
        scorer=scorer,
        rules=rule_reader(rules_text()),
        plan=plan,
        plan_digest="",
        thresholds=fitted.thresholds,
        metrics={},
        card="",
    )
    metrics = _metrics(candidate, dataset, calls, config, fitted, progress)
    metrics["parity"] = {"calls": min(PARITY_ROWS, len(calls)), "tolerance": PARITY_TOLERANCE}
    card = model_card(config, plan, dataset.manifest, metrics)
    files = {
        **scorer_files(scorer),
        RULES: rules_text().encode(),
        "thresholds.json": canonical(metrics["thresholds"]),
        "plan.yaml": plan_text.encode(),
        "metrics.json": canonical(metrics),
        "card.md": card.encode(),
    }
    report("writing and checking the release")
    folder = write_release(store, files, key)
    release = load_release(folder, trusted=[key.public_key().public_bytes_raw().hex()])
    return Trained(fitted, folder, release, metrics, parity)


def check_parity(
    classifier: CallClassifier, scorer: Scorer, calls: pd.DataFrame, *, seed: int
) -> float:
    """Compare scorer and pipeline on up to 2,000 calls drawn from all parts.

    Parameters
    ----------
    classifier : CallClassifier
    scorer : Scorer
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        With the history of premises where the scorer uses one.
    seed : int

    Returns
    -------
    float
        The largest difference between two probabilities.

    Raises
    ------
    ParityError
        If it is above 1e-9, or not a number.
    """
    rows = calls.sample(min(PARITY_ROWS, len(calls)), random_state=seed)
    expected = classifier.predict_proba(rows)
    asked = calls_and_counts(rows, scorer.history)
    scored = np.array([scorer.score(call, counts).prediction for call, counts in asked])
    worst = float(np.abs(scored - expected).max())
    if not worst <= PARITY_TOLERANCE:
        raise ParityError(
            f"the compiled scorer differs from the fitted pipeline by {worst:.3g} "
            f"(at most {PARITY_TOLERANCE:g} is allowed); no release was written"
        )
    return worst


def _metrics(
    candidate: Release,
    dataset: Dataset,
    calls: pd.DataFrame,
    config: TrainingConfig,
    fitted: Fitted,
    progress: Callable[[Iterable[Any], str], Iterable[Any]],
) -> dict[str, Any]:
    targets = dataset.targets()
    clusters = dataset.families().fillna(dataset.incidents())
    test = fitted.part == "test"
    metrics: dict[str, Any] = {
        "configuration": config.name,
        "warning": config.warning,
        "data": {"source": dataset.manifest.get("source"), "digest": dataset.digest},
        "parts": {name: int(n) for name, n in fitted.part.value_counts().sort_index().items()},
        "chosen": {
            "C": {target: fitted.classifier.C[target] for target in TARGETS},
            "weights": dict(fitted.classifier.settings.weights),
            "candidates": len(fitted.search),
            "terms": {text.column: len(text.terms) for text in candidate.scorer.texts},
        },
        "thresholds": {
            target: {
                "low": thresholds.low,
                "high": thresholds.high,
                "evidence": {k: asdict(v) for k, v in fitted.evidence[target].items()},
            }
            for target, thresholds in fitted.thresholds.items()
        },
        "test": evaluate(
            candidate,
            calls[test],
            targets[test],
            clusters[test],
            seed=config.seed,
            progress=progress,
        ),
    }
    first_test = calls.loc[test, "received_at"].min()
    familiar = (
        (fitted.part == "purged")
        & (calls["received_at"] >= first_test)
        & dataset.families().isin(set(dataset.families()[fitted.part == "train"].dropna()))
    )
    if familiar.any():
        metrics["test_seen_families"] = evaluate(
            candidate,
            calls[familiar],
            targets[familiar],
            clusters[familiar],
            seed=config.seed,
            progress=progress,
        )
    return metrics
