"""A review of labels by an expert: which calls, what was answered, and what follows from it.

A **round** is drawn once and kept in the manifest: for each target the calls whose label is
suspected (by `training.label_audit`), and a random sample of all others, by the label that they
have. The suspects show where labels are wrong; the sample shows how many are missed where nobody
suspects anything, and only it can be generalised.

Answers are rows that are only ever added: one in `reviews.parquet` for each question, and for a yes
or no a label of the source `expert_review` with the reviewer's name and the time.

The estimate
------------
The calls of a target fall into strata `h` of size `N_h`: labelled positive, negative or not at all,
suspected or not. In each, `n_h` calls were answered, `k_h` of them yes and `u_h` unsure. With
`p_h = k_h / (n_h - u_h)` the missed calls are `M = sum(N_h p_h)` over the strata that are not
labelled positive, the hits `T = sum(N_h p_h)` over those that are, and the missed share is
`M / (M + T)`.

The interval needs no large numbers: each `p_h` gets the exact (Clopper-Pearson) interval of
`k_h` of `n_h` at the level `(1 - a)^(1/H)` for `H` strata of which only a sample was answered,
unsure counted as no at its lower and as yes at its upper end; a stratum that was answered whole has
no sampling error. As strata are drawn independently, all intervals hold together with at least
`1 - a`, and then so do the sums and the share, which falls in T and rises in M. It is wide, and
safe. (Clopper and Pearson 1934, Biometrika 26; for strata Wendell and Schmee 1996, JASA 91.)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from data.call import TARGETS
from data.dataset import REVIEW_DTYPES, Dataset, manifest_of
from data.errors import InputError
from data.labels import DTYPES, resolve

NOT_POSITIVE = ("suspect_negative", "negative", "missing")
POSITIVE = ("suspect_positive", "positive")
STRATA = (*NOT_POSITIVE, *POSITIVE)
"""Where a call stands for a target, by the label that it had when the round was drawn."""

TO_POSITIVES = 0.25
"""Share of the random sample that goes to calls labelled positive: enough to tell how many of them
are, while most of the work goes where crises are missed."""

LEVEL = 0.95
SAVE_EVERY = 5
"""Calls after which answers are written; a power cut loses fewer than these."""

Verdict = Literal["yes", "no", "unsure"]

QUESTIONS = {
    "mental_health_crisis": "Is it a mental-health crisis?",
    "safety_risk": "Does it carry a safety risk?",
}
ANSWERS: dict[str, Verdict] = {
    **dict.fromkeys(("y", "yes"), "yes"),
    **dict.fromkeys(("n", "no"), "no"),
    **dict.fromkeys(("?", "u", "unsure"), "unsure"),
}
HELP = "y yes, n no, ? unsure, s skip this call, q save and leave"

Ask = Callable[[str], str | None]
Show = Callable[[str], None]


@dataclass(frozen=True)
class Round:
    """What is to be reviewed.

    Parameters
    ----------
    number : int
        From 1.
    drawn : dict
        Target → stratum → calls, in the order in which they were drawn.
    sizes : dict
        Target → stratum → number of calls it was drawn from.
    seed : int
    """

    number: int
    drawn: dict[str, dict[str, list[str]]]
    sizes: dict[str, dict[str, int]]
    seed: int

    def queue(self) -> list[str]:
        """Give every call once, suspects and others mixed, so that nobody can tell which is which.

        The order is random: whoever stops early has answered a random part of each stratum.
        """
        ids = sorted({i for by in self.drawn.values() for calls in by.values() for i in calls})
        np.random.default_rng([self.seed, self.number]).shuffle(ids)
        return ids

    def as_manifest(self, at: datetime) -> dict[str, Any]:
        """Give the round as the manifest holds it."""
        return {
            "round": self.number,
            "seed": self.seed,
            "drawn_at": at.isoformat(timespec="seconds"),
            "sizes": self.sizes,
            "drawn": self.drawn,
        }


def rounds(dataset: Dataset) -> list[Round]:
    """Read the rounds of a data set from its manifest."""
    return [
        Round(int(entry["round"]), entry["drawn"], entry["sizes"], int(entry["seed"]))
        for entry in dataset.manifest.get("review_rounds", [])
    ]


def reviewable(dataset: Dataset) -> pd.DataFrame:
    """Give the last revision of each call that has a narrative to judge by."""
    last = dataset.calls.sort_values("revision", kind="stable").drop_duplicates(
        "call_id", keep="last"
    )
    return last[last["narrative"].str.strip() != ""].sort_index()


def draw(
    dataset: Dataset,
    suspects: Mapping[str, Sequence[str]],
    *,
    sample: int,
    seed: int,
) -> Round:
    """Draw a round.

    Parameters
    ----------
    dataset : Dataset
    suspects : mapping of str to sequence of str
        Target → calls whose label is suspected, all of which are to be reviewed.
    sample : int
        Calls per target to draw at random from all others.
    seed : int

    Returns
    -------
    Round
        Of calls with a narrative that no expert has labelled for that target yet.

    Raises
    ------
    InputError
        If there is no such call.
    """
    assert dataset.labels is not None and dataset.reviews is not None
    calls = reviewable(dataset)
    if calls.empty:
        raise InputError("no call has a narrative, so there is nothing that a person could judge")
    targets = resolve(dataset.labels, calls["call_id"])
    number = len(rounds(dataset)) + 1
    random = np.random.default_rng([seed, number, 1])
    drawn: dict[str, dict[str, list[str]]] = {}
    sizes: dict[str, dict[str, int]] = {}
    expert = dataset.labels[dataset.labels["source"] == "expert_review"]
    for target in TARGETS:
        done = set(expert.loc[expert["target"] == target, "call_id"])
        answered = dataset.reviews[dataset.reviews["target"] == target]
        open_ = ~calls["call_id"].isin(done | set(answered["call_id"]))
        label = targets.loc[open_, target]
        ids = calls.loc[open_, "call_id"]
        suspected = ids.isin(set(suspects.get(target, ())))
        positive = label.fillna(False).astype(bool)
        strata = {
            "suspect_negative": ids[suspected & ~positive],
            "suspect_positive": ids[suspected & positive],
            "positive": ids[~suspected & positive],
            "negative": ids[~suspected & ~positive & label.notna()],
            "missing": ids[~suspected & label.isna()],
        }
        sizes[target] = {name: len(strata[name]) for name in STRATA}
        shares = allocate(sample, {n: len(strata[n]) for n in ("positive", "negative", "missing")})
        drawn[target] = {}
        for name in STRATA:
            rows = strata[name].tolist()
            size = shares.get(name, len(rows))
            chosen = random.permutation(len(rows))[:size]
            drawn[target][name] = [rows[i] for i in chosen]
    if not any(ids for by in drawn.values() for ids in by.values()):
        raise InputError("no call is left to review: every one has been, or --sample is 0")
    return Round(number, drawn, sizes, seed)


def allocate(sample: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Divide a sample: a quarter to the positives, the rest by size, and none beyond a stratum.

    Examples
    --------
    >>> allocate(40, {"positive": 100, "negative": 800, "missing": 100})
    {'positive': 10, 'negative': 27, 'missing': 3}
    """
    others = {name: size for name, size in sizes.items() if name != "positive"}
    shares = {"positive": min(round(TO_POSITIVES * sample), sizes.get("positive", 0))}
    left = sample - shares["positive"]
    whole = sum(others.values())
    for name, size in sorted(others.items(), key=lambda item: item[1]):
        # The smaller first, so that what rounding leaves goes to the larger.
        shares[name] = min(size, round(left * size / whole)) if whole else 0
        left, whole = left - shares[name], whole - size
    return {name: shares[name] for name in sizes}


# --- answers --------------------------------------------------------------------------------------


@dataclass
class Session:
    """One person working through a round; answers are written to the folder as they come.

    Parameters
    ----------
    folder : Path
    dataset : Dataset
        As read from it.
    by : str
        The reviewer's name.
    clock : callable
        Tells the time, in UTC.
    """

    folder: Path
    dataset: Dataset
    by: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self.by = " ".join(self.by.split())
        if not 0 < len(self.by) <= 80 or not self.by.isprintable():
            raise InputError("the reviewer's name has 1 to 80 printable characters")
        self._answers: list[dict[str, Any]] = []

    def begin(self, made: Round) -> None:
        """Write a new round into the manifest."""
        entry = made.as_manifest(self.clock())
        known = self.dataset.manifest.get("review_rounds", [])
        self._write(f"drew review round {made.number}", {"review_rounds": [*known, entry]})

    def open_calls(self, of: Round) -> list[str]:
        """Name the calls of a round that nobody has answered."""
        assert self.dataset.reviews is not None
        mine = self.dataset.reviews[self.dataset.reviews["round"] == of.number]
        done = set(mine["call_id"]) | {answer["call_id"] for answer in self._answers}
        return [call_id for call_id in of.queue() if call_id not in done]

    def answer(self, of: Round, call_id: str, verdicts: Mapping[str, Verdict]) -> None:
        """Take the answers on one call; see `save`."""
        now = self.clock()
        for target, verdict in verdicts.items():
            self._answers.append(
                {
                    "round": of.number,
                    "call_id": call_id,
                    "target": target,
                    "verdict": verdict,
                    "by": self.by,
                    "reviewed_at": now,
                }
            )
        if len({answer["call_id"] for answer in self._answers}) >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Add what was answered to the folder, which is written anew, whole or not at all."""
        if not self._answers:
            return
        rows = pd.DataFrame(self._answers).astype(REVIEW_DTYPES)
        told = rows[rows["verdict"] != "unsure"]
        labels = pd.DataFrame(
            {
                "call_id": told["call_id"],
                "target": told["target"],
                "value": told["verdict"] == "yes",
                "source": "expert_review",
                "as_of": told["reviewed_at"],
                "confidence": 1.0,
                "by": told["by"],
            }
        ).astype(DTYPES)
        self._check_unchanged()  # before anything of ours is added
        self.dataset.reviews = pd.concat([self.dataset.reviews, rows], ignore_index=True)
        self.dataset.labels = pd.concat([self.dataset.labels, labels], ignore_index=True)
        n = rows["call_id"].nunique()
        self._write(f"reviewed {n} calls: {len(labels)} labels", {})
        self._answers = []

    def _check_unchanged(self) -> None:
        there = manifest_of(self.folder)
        # A round that was drawn changes no table: the history tells of it.
        if (there.get("digest"), len(there.get("history", []))) != (
            self.dataset.digest,
            len(self.dataset.manifest.get("history", [])),
        ):
            raise InputError(
                f"{self.folder} was changed by somebody else meanwhile; "
                "what was not saved is lost, start the review again"
            )

    def _write(self, what: str, more: dict[str, Any]) -> None:
        self._check_unchanged()
        entry = {
            "at": self.clock().isoformat(timespec="seconds"),
            "by": self.by,
            "what": what,
            "digest_before": self.dataset.digest,
        }
        history = [*self.dataset.manifest.get("history", []), entry]
        self.dataset.manifest = {**self.dataset.manifest, **more, "history": history}
        self.dataset.write(self.folder)


def work(session: Session, of: Round, *, show: Show, ask: Ask) -> int:
    """Let a person answer call after call.

    The label and the score of a call are not shown: they would sway the reviewer.

    Parameters
    ----------
    session : Session
    of : Round
    show : callable
        Writes a text on the reviewer's screen. Narratives go nowhere else.
    ask : callable
        Writes a question and gives the answer; None if there is none to come.

    Returns
    -------
    int
        The number of calls answered.
    """
    texts = reviewable(session.dataset).set_index("call_id").to_dict("index")
    queue = session.open_calls(of)
    answered = 0
    try:
        for position, call_id in enumerate(queue, 1):
            show(page(texts[call_id], position, len(queue)))
            verdicts = _verdicts(show, ask)
            if verdicts is None:
                break
            if verdicts:
                session.answer(of, call_id, verdicts)
                answered += 1
    finally:
        session.save()
    return answered


def _verdicts(show: Show, ask: Ask) -> dict[str, Verdict] | None:
    """Ask both questions; nothing for a call that is skipped, None at the end."""
    verdicts: dict[str, Verdict] = {}
    for target in TARGETS:
        while True:
            answer = ask(f"{QUESTIONS[target]} [y/n/?/s/q] ")
            if answer is None:
                return None
            answer = answer.strip().casefold()
            if answer in ("q", "quit"):
                return None
            if answer in ("s", "skip"):
                return {}
            if answer in ANSWERS:
                verdicts[target] = ANSWERS[answer]
                break
            show(HELP + "\n")
    return verdicts


def page(call: Mapping[Any, Any], position: int, total: int) -> str:
    """Lay out a call for the screen: what was known before dispatch, and nothing of its label."""
    lines = [f"--- call {position} of {total} " + "-" * 40]
    for name in ("call_type", "call_source", "priority", "caller_role", "language"):
        if isinstance(call[name], str):
            lines.append(f"{name}: {plain(call[name])}")
    answers = [
        f"{str(name).removeprefix('answer_')} {value}"
        for name, value in call.items()
        if str(name).startswith("answer_") and isinstance(value, str)
    ]
    if answers:
        lines.append("asked: " + ", ".join(answers))
    return "\n".join([*lines, "", plain(call["narrative"]), "", ""])


def plain(text: str) -> str:
    r"""Make a text safe for a terminal: control and invisible signs become visible.

    Examples
    --------
    >>> plain("a\x1b[2Jb")
    'a\ufffd[2Jb'
    """
    return "".join(
        c
        if c == "\n" or not unicodedata.category(c).startswith("C")
        else "\N{REPLACEMENT CHARACTER}"
        for c in text.replace("\r\n", "\n").replace("\t", " ")
    )


# --- the estimate ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; `value` is None while a stratum has no answer."""

    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Missed:
    """What a round says of one target.

    Parameters
    ----------
    strata : pandas.DataFrame
        One row per stratum: size, drawn, answered, yes, unsure.
    missed : Estimate
        Share of the calls not labelled positive that are, 0 to 1.
    missed_share : Estimate
        Share of the calls that are positive that are not labelled so, 0 to 1.
    wrong : Estimate
        Share of the calls labelled positive that are not, 0 to 1.
    """

    strata: pd.DataFrame
    missed: Estimate
    missed_share: Estimate
    wrong: Estimate


def estimate(dataset: Dataset, of: Round, target: str, *, level: float = LEVEL) -> Missed:
    """Estimate what the labels miss; the formula is at the head of this module.

    Parameters
    ----------
    dataset : Dataset
    of : Round
    target : str
    level : float
        Of the intervals, 0 to 1.

    Returns
    -------
    Missed
        Of the calls that have a narrative and had not been reviewed before the round.
    """
    verdicts = _verdicts_of(dataset, of, target)
    rows: list[dict[str, int]] = []
    for name in STRATA:
        told = verdicts.reindex(of.drawn[target][name]).dropna()
        counts = told.value_counts()
        rows.append(
            {
                "size": of.sizes[target][name],
                "drawn": len(of.drawn[target][name]),
                "answered": len(told),
                "yes": int(counts.get("yes", 0)),
                "unsure": int(counts.get("unsure", 0)),
            }
        )
    sampled = sum(row["size"] > row["answered"] for row in rows)
    each = level ** (1 / max(sampled, 1))
    low: dict[str, float | None] = {}
    value: dict[str, float | None] = {}
    high: dict[str, float | None] = {}
    for name, row in zip(STRATA, rows, strict=True):
        size, sure = row["size"], row["answered"] - row["unsure"]
        ends_ = exact_bounds(row["yes"], row["unsure"], row["answered"], size, each)
        low[name], high[name] = size * ends_[0], size * ends_[1]
        value[name] = size * row["yes"] / sure if sure else (None if size else 0.0)

    def total(of: Mapping[str, float | None], names: Sequence[str]) -> float | None:
        parts = [of[name] for name in names]
        return None if None in parts else float(sum(part for part in parts if part is not None))

    def share(part: float | None, whole: float | None) -> float | None:
        return None if part is None or whole is None or not whole else part / whole

    ends = {
        key: (total(ends, NOT_POSITIVE), total(ends, POSITIVE))
        for key, ends in (("low", low), ("value", value), ("high", high))
    }
    (m_low, t_low), (m, t), (m_high, t_high) = ends["low"], ends["value"], ends["high"]
    assert m_low is not None and t_low is not None and m_high is not None and t_high is not None
    strata = pd.DataFrame(rows, index=pd.Index(STRATA, name="stratum"))
    unlabelled = float(strata.loc[list(NOT_POSITIVE), "size"].sum())
    labelled = float(strata.loc[list(POSITIVE), "size"].sum())
    all_found = None if m is None or t is None else m + t
    return Missed(
        strata,
        Estimate(
            share(m, unlabelled), share(m_low, unlabelled) or 0, share(m_high, unlabelled) or 0
        ),
        Estimate(
            share(m, all_found),
            share(m_low, m_low + t_high) or 0,
            share(m_high, m_high + t_low) or 0,
        ),
        Estimate(
            None if t is None or not labelled else 1 - t / labelled,
            1 - t_high / labelled if labelled else 0,
            1 - t_low / labelled if labelled else 0,
        ),
    )


def chances(dataset: Dataset, of: Round, target: str) -> pd.DataFrame:
    """Tell of each call that got a yes or no in a round how likely it was to get one.

    Within a stratum calls were drawn and answered in random order, so that each of its `N` calls
    had the same chance to be one of the `n` that got a yes or no. With the weights `N / n` the
    Horvitz-Thompson estimate is that of `estimate`.

    Parameters
    ----------
    dataset : Dataset
    of : Round
    target : str

    Returns
    -------
    pandas.DataFrame
        By `call_id`: `truth` (bool) and `chance`, above 0 and up to 1.

    Raises
    ------
    InputError
        If none of a stratum got one: then nothing stands for its calls.
    """
    verdicts = _verdicts_of(dataset, of, target)
    parts = [pd.DataFrame({"truth": pd.Series(dtype=bool), "chance": pd.Series(dtype=float)})]
    for name in STRATA:
        told = verdicts.reindex(of.drawn[target][name])
        told = told[told.isin(["yes", "no"])]
        size = of.sizes[target][name]
        if size and told.empty:
            raise InputError(
                f"round {of.number} has no yes or no yet among the {size:,} calls that are "
                f"{name.replace('_', ' ')} for {target}: nothing stands for them; answer more calls"
            )
        if size:
            parts.append(pd.DataFrame({"truth": told == "yes", "chance": len(told) / size}))
    return pd.concat(parts[1:] or parts).rename_axis("call_id")


def _verdicts_of(dataset: Dataset, of: Round, target: str) -> pd.Series:
    """Give the last answer on each call of a round, by call."""
    assert dataset.reviews is not None
    mine = dataset.reviews[
        (dataset.reviews["round"] == of.number) & (dataset.reviews["target"] == target)
    ].drop_duplicates("call_id", keep="last")
    return mine.set_index("call_id")["verdict"]


def exact_bounds(
    yes: int, unsure: int, answered: int, size: int, level: float
) -> tuple[float, float]:
    """Bound a share by Clopper and Pearson; unsure is no at the lower end, yes at the upper.

    Returns
    -------
    tuple of float
        0 to 1. Without an answer nothing is known; answered whole there is nothing to infer.

    Examples
    --------
    >>> [round(bound, 4) for bound in exact_bounds(0, 0, 30, 1000, 0.95)]
    [0.0, 0.1157]
    >>> exact_bounds(3, 1, 10, 10, 0.95)
    (0.3, 0.4)
    """
    from scipy.stats import beta

    if not size:
        return 0.0, 0.0
    if not answered:
        return 0.0, 1.0
    if answered >= size:
        return yes / answered, (yes + unsure) / answered
    tail, most = (1 - level) / 2, yes + unsure
    low = 0.0 if yes == 0 else float(beta.ppf(tail, yes, answered - yes + 1))
    high = 1.0 if most == answered else float(beta.ppf(1 - tail, most + 1, answered - most))
    return low, high
