"""A release through its gates into force, and the one before it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data.dataset import Dataset
from data.errors import InputError
from model_service.model.promotion import Gate, Promotion, promotions, record_promotion
from model_service.model.release import Release, ReleaseError, load_release
from model_service.model.store import champion, name_champion, release_folder
from training import gates
from training.compare import compare
from training.history import with_history

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def examine(
    before: Release,
    after: Release,
    dataset: Dataset,
    chosen: pd.Series,
    *,
    shadow: pd.DataFrame | None = None,
    seed: int = 0,
    progress: Progress = lambda items, _: items,
) -> tuple[list[Gate], dict[str, Any]]:
    """Measure every gate of a release that might follow the one in force.

    The limits are those of the plan in force: a release can't bring its own.

    Parameters
    ----------
    before, after : Release
    dataset : Dataset
    chosen : pandas.Series of bool, of shape (n_calls,)
        Later calls from which neither release has learned.
    shadow : pandas.DataFrame, optional
        As `training.gates.shadow` takes it.
    seed : int
    progress : callable

    Returns
    -------
    list of Gate, dict
        The gates in order, and the comparison that they rest on.
    """
    limits = before.plan.promotion
    compared = compare(before, after, dataset, chosen, seed=seed, progress=progress)
    some = dataset.calls[chosen].head(gates.SPEED_CALLS).index
    timed = {
        side: with_history(dataset.calls, release.scorer.history, dataset.labels).loc[some]
        for side, release in (("before", before), ("after", after))
    }
    found = [
        *gates.quality(compared, limits),
        gates.promise(compared, after),
        *gates.calibration(compared, limits),
        gates.behaviour(after, progress),
        gates.parity(after),
        gates.speed(before, after, timed, limits),
        gates.shadow(shadow, after, limits),
    ]
    return found, compared


def promote(
    store: Path,
    after: Release,
    found: list[Gate],
    *,
    by: str,
    reason: str,
    key: Ed25519PrivateKey,
    override: bool = False,
) -> Promotion:
    """Put a release in force, signed by a person.

    Parameters
    ----------
    store : Path
    after : Release
        Of this store.
    found : list of Gate
    by, reason : str
    key : Ed25519PrivateKey
    override : bool
        Put it in force although a gate was not passed; which, stays with the record and is shown
        on the card.

    Raises
    ------
    InputError
        If it is in force already, or a gate was not passed and that is not overridden.
    """
    before = _in_force(store)
    if before is not None and before.digest == after.digest:
        raise InputError(f"{after.name} is in force already")
    stopped = gates.not_passed(found)
    if stopped and not override:
        raise InputError(
            f"not promoted: {', '.join(gate.name for gate in stopped)}; a person may override "
            "gates with --override, which stays on record"
        )
    made = record_promotion(
        store,
        kind="promotion",
        release=after.digest,
        before=None if before is None else before.digest,
        by=by,
        reason=reason,
        key=key,
        gates=tuple(found),
    )
    name_champion(store, release_folder(store, after.digest))
    return made


def first_in_force(store: Path, release: Release, *, key: Ed25519PrivateKey) -> Promotion:
    """Put the first release of a store in force: there is none to compare it with."""
    made = record_promotion(
        store,
        kind="promotion",
        release=release.digest,
        before=None,
        by="crisiscall train",
        reason="no release was in force",
        key=key,
    )
    name_champion(store, release_folder(store, release.digest))
    return made


def roll_back(store: Path, *, by: str, reason: str, key: Ed25519PrivateKey) -> Promotion:
    """Bring back the release that was in force before the present one.

    Raises
    ------
    ReleaseError
        If no release was in force before, or it is not whole any more.
    """
    now = load_release(champion(store), trusted=None)
    former = former_champion(store, now.digest)
    back = load_release(release_folder(store, former), trusted=None)
    made = record_promotion(
        store,
        kind="rollback",
        release=back.digest,
        before=now.digest,
        by=by,
        reason=reason,
        key=key,
    )
    name_champion(store, release_folder(store, back.digest))
    return made


def former_champion(store: Path, now: str) -> str:
    """Tell the digest of the release that a rollback would bring back.

    Going back twice goes back two promotions, not to and fro: rollbacks are undone from the end,
    as a stack.

    Raises
    ------
    ReleaseError
        If there is none.
    """
    before: list[str | None] = []
    for made in promotions(store):
        if made.kind == "promotion":
            before.append(made.before)
        elif before:
            before.pop()
    former = before[-1] if before else None
    if former is None:
        raise ReleaseError(
            "no release was in force before this one; `crisiscall releases` lists them"
        )
    return former


def _in_force(store: Path) -> Release | None:
    try:
        folder = champion(store)
    except ReleaseError:
        return None
    return load_release(folder, trusted=None)
