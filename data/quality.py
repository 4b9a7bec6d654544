"""What is wrong with a folder of calls: copies, leaks, gaps, labels that can't be learned from.

A finding is an error if a model trained on these calls would be worthless or flattered, a warning
if someone should look, and a note if it is as it should be but worth knowing. No finding holds a
word of a narrative.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from data.call import TARGETS
from data.cut import cut, standard_rules
from data.dataset import Dataset
from data.frame import ANSWER_COLUMNS
from data.text import same_words

LATER_PART = 0.2
"""The share of calls, last in time, that stands for a test set here."""

MIN_WORDS = 6
"""Shorter texts are alike by chance ("burglar alarm"), and tell nothing of a copy."""

MAX_SEEN = 0.05
MAX_TOLD = 0.05
"""Largest shares of the narratives that may be copies of earlier ones, or tell an outcome. Above
them the measured quality is no longer that of new calls. Judgements, not measurements."""

MAX_REJECTED = 0.5
COMMON = 0.9
"""An outcome that is the same in a larger share of the calls is told by anything."""

TELLTALE = 0.99
"""AUROC above which a single field is taken to have been filled in after the fact. On real calls
of 2015 the initial type alone reaches 0.92 for mental-health crises."""

MIN_POSITIVES = 20
MIN_OUTCOME = 5
"""Characters; a shorter code stands in many a word."""
MAX_SHIFT = 1.5

_TOLD: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "arrested or in custody": r"\b(?:(?:is|are|now|one|suspect) in custody|was detained)\b",
        "arrived, on scene": r"\b(?:officers?|units?|medics) (?:arrived|(?:is |are )?on scene)\b",
        "gone on arrival": r"\b(?:gone on arrival|GOA|UTL|unable to locate)\b",
        "transported": r"\btransported (?:to|by)\b",
        "unfounded, no action": r"\b(?:unfounded|no (?:police )?action (?:taken|necessary))\b",
        "report, case number": r"\b(?:report (?:taken|written)|case (?:number|no\.?|#)\s*\d+)",
        "cleared, disposition": r"\b(?:dispo(?:sition)?|call cleared|cleared by|code 4)\b",
        "hold placed": r"\b(?:placed (?:on|under) (?:an? )?(?:involuntary|hold|5150|section 12))",
        "pronounced": r"\bpronounced (?:dead|deceased)\b",
    }.items()
}
"""Phrases of what is only known after dispatch, under the names by which they are counted; found
anywhere, as a second net behind the rules of `data.cut`, which know where a segment begins."""

FUTURE = 0.9
"""AUROC above which a field is taken to tell what only happened later at the same premise, among
calls before which nothing had happened there. By chance it is 0.5. A judgement."""

OWN_WORDS = 0.05
"""Largest share of the narratives that may hold the words of their own final type or disposition
more often than those of another call's."""

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was found, in one line."""

    level: Level
    code: str
    message: str


@dataclass
class Report:
    """What `check` found.

    Attributes
    ----------
    calls, revisions : int
    period : tuple of str
        First and last day, local where the manifest names a time zone; empty without calls.
    labels : dict
        Target → counts of calls: positive, negative, missing.
    missing : dict
        Field → share of the revisions in which it is missing, 0 to 1.
    findings : list of Finding
    """

    calls: int
    revisions: int
    period: tuple[str, ...]
    labels: dict[str, dict[str, int]]
    missing: dict[str, float]
    findings: list[Finding] = field(default_factory=list)

    @property
    def spoilt(self) -> bool:
        """Whether training on these calls would be spoilt."""
        return any(finding.level == "error" for finding in self.findings)

    def add(self, level: Level, code: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, code, message))


def check(
    dataset: Dataset, *, progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None
) -> Report:
    """Examine a folder of calls.

    Parameters
    ----------
    dataset : Dataset
    progress : callable, optional
        Wraps the iteration over narratives.

    Returns
    -------
    Report
        Errors first, then warnings, then notes.
    """
    calls, targets = dataset.calls, dataset.targets()
    times = _local_times(dataset)
    span = () if calls.empty else (str(times.min().date()), str(times.max().date()))
    number = int(calls["call_id"].nunique())
    report = Report(number, len(calls), span, dataset.label_counts(), _missing(calls))
    if calls.empty:
        report.add("error", "no_calls", "there are no calls")
        return report
    later = pd.Series(times > times.quantile(1 - LATER_PART), index=calls.index)
    narratives = calls["narrative"]
    texts = [same_words(text) for text in (progress(narratives) if progress else narratives)]
    normal = pd.Series(texts, index=calls.index, dtype="str")

    _check_rejected(dataset, report)
    _check_copies(calls, report)
    _check_sides(dataset, normal, later, report)
    _check_labels(dataset, targets, report)
    _check_log(dataset, report)
    _check_shift(targets, later, report)
    _check_times(dataset, report)
    _check_told(narratives, report)
    _check_own_words(dataset, report)
    _check_final_type(dataset, report)
    _check_tells_outcome(dataset, later, report)
    _check_future(dataset, targets, report)
    _check_telltale(calls, targets, later, report)
    _check_constant(calls, report)
    report.findings.sort(key=lambda finding: ("error", "warning", "note").index(finding.level))
    return report


def _local_times(dataset: Dataset) -> pd.Series:
    zone = str(dataset.manifest.get("time_zone", "UTC"))
    return pd.Series(dataset.calls["received_at"].dt.tz_convert(zone))


def _missing(calls: pd.DataFrame) -> dict[str, float]:
    shares = calls.isna().mean()
    shares["narrative"] = (calls["narrative"].str.strip() == "").mean()
    return {str(name): 0.0 if np.isnan(share) else float(share) for name, share in shares.items()}


def _check_rejected(dataset: Dataset, report: Report) -> None:
    assert dataset.rejected is not None
    rejected = len(dataset.rejected)
    copies = int(dataset.rejected["reason"].isin(["exact duplicate", "duplicate call_id"]).sum())
    lost = rejected - copies
    if copies:
        report.add("note", "copies_dropped", f"{copies:,} repeated rows were left out when read")
    if lost:
        share = lost / (lost + report.revisions)
        reason, n = next(
            (reason, n)
            for reason, n in dataset.rejected["reason"].value_counts().items()
            if reason not in ("exact duplicate", "duplicate call_id")
        )
        report.add(
            "error" if share > MAX_REJECTED else "warning",
            "rejected",
            f"{lost:,} rows ({share:.1%}) were rejected, most often ({n:,}): {reason}",
        )


def _check_copies(calls: pd.DataFrame, report: Report) -> None:
    twice = int(calls.duplicated(["call_id", "revision"]).sum())
    if twice:
        report.add(
            "error",
            "duplicate_id",
            f"calls that repeat a call_id and revision: {twice:,}; import again",
        )
    rest = [name for name in calls.columns if name not in ("call_id", "revision")]
    alike = int((calls.duplicated(rest) & ~calls.duplicated(["call_id"], keep=False)).sum())
    if alike:
        report.add(
            "warning",
            "duplicate_content",
            f"calls that equal another in all but the call_id: {alike:,}",
        )


def _check_sides(dataset: Dataset, normal: pd.Series, later: pd.Series, report: Report) -> None:
    """Look for what ties the calls before a cut in time to those after it."""
    where = f"the last {LATER_PART:.0%} of the calls"
    incidents, families = dataset.incidents(), dataset.families()
    shared = int((later & incidents.isin(set(incidents[~later]))).sum())
    if shared:
        report.add(
            "note",
            "incident_on_both_sides",
            f"{shared:,} of {where} belong to an incident that began before; "
            "split by incident purges them",
        )
    known = families.notna()
    shared = int((later & known & families.isin(set(families[~later & known]))).sum())
    if shared:
        report.add(
            "note",
            "family_on_both_sides",
            f"{shared:,} of {where} share their scenario family with earlier calls; "
            "split by family as well to measure unseen ones",
        )
    telling = normal.str.count(" ") >= MIN_WORDS - 1
    seen = later & telling & normal.isin(set(normal[~later & telling]))
    # Calls of one incident are purged by the split; only other copies flatter.
    seen &= ~incidents.isin(set(incidents[~later]))
    n, total = int(seen.sum()), int((later & telling).sum())
    if n:
        report.add(
            "error" if n / total > MAX_SEEN else "warning",
            "text_on_both_sides",
            f"{n:,} of {total:,} narratives in {where} ({n / total:.1%}) repeat an earlier one "
            "but for digits and case",
        )


def _check_labels(dataset: Dataset, targets: pd.DataFrame, report: Report) -> None:
    assert dataset.labels is not None and dataset.outcomes is not None
    for target, counts in report.labels.items():
        if not counts["positive"] or not counts["negative"]:
            lacking = "positive" if not counts["positive"] else "negative"
            report.add(
                "error", "one_class", f"{target}: no {lacking} label, so nothing can be learned"
            )
        elif counts["positive"] < MIN_POSITIVES:
            report.add(
                "warning",
                "few_positives",
                f"{target}: only {counts['positive']} positive labels",
            )
    ids = set(dataset.calls["call_id"])
    for name, rows in (("labels", dataset.labels), ("outcomes", dataset.outcomes)):
        strangers = int((~rows["call_id"].isin(ids)).sum())
        if strangers:
            report.add("error", f"{name}_without_call", f"{strangers:,} {name} belong to no call")
    received = dataset.calls.groupby("call_id")["received_at"].min()
    for name, rows, column in (
        ("labels", dataset.labels, "as_of"),
        ("outcomes", dataset.outcomes, "recorded_at"),
    ):
        early = int((rows[column] < rows["call_id"].map(received)).sum())
        if early:
            report.add(
                "error", f"{name}_too_early", f"{early:,} {name} were known before their call"
            )
    values = dataset.labels.groupby(["call_id", "target"])["value"].nunique()
    conflicts = int((values > 1).sum())
    if conflicts:
        report.add(
            "note",
            "labels_disagree",
            f"{conflicts:,} calls have labels that disagree; the most trusted source is used",
        )


def _check_log(dataset: Dataset, report: Report) -> None:
    """Look for what the calls of a decision log could not have known, or must not teach."""
    assert dataset.labels is not None and dataset.assessed is not None
    assessed = dataset.assessed.set_index("call_id")
    decided = assessed[assessed["decided_at"].notna()]
    last = dataset.calls["call_id"].map(decided["revision"])
    later = int((dataset.calls["revision"] > last).sum())
    if later:
        report.add(
            "error",
            "revision_after_decision",
            f"{later:,} revisions were written after the call was decided: they may tell what was "
            "found on scene",
        )
    swayed = set(assessed.index[assessed["advised"].fillna(False)])
    taught = dataset.labels[dataset.labels["source"] == "decision_unadvised"]
    leaks = int(taught["call_id"].isin(swayed).sum())
    if leaks:
        report.add(
            "error",
            "label_after_advice",
            f"{leaks:,} labels are decisions that were made after advice was seen, though they say "
            "that it was not",
        )


def _check_shift(targets: pd.DataFrame, later: pd.Series, report: Report) -> None:
    for target in TARGETS:
        known = targets[target].notna()
        before = targets.loc[known & ~later, target].astype(float)
        after = targets.loc[known & later, target].astype(float)
        if not before.any() or not after.any():
            continue
        pooled = pd.concat([before, after]).mean()
        error = np.sqrt(pooled * (1 - pooled) * (1 / len(before) + 1 / len(after)))
        ratio = after.mean() / before.mean()
        # Five standard errors, so that it is not chance; and large enough to matter.
        far = abs(after.mean() - before.mean()) > 5 * error
        if far and max(ratio, 1 / ratio) > MAX_SHIFT:
            report.add(
                "warning",
                "share_shifts",
                f"{target}: the share of positives goes from {before.mean():.1%} to "
                f"{after.mean():.1%} in the last {LATER_PART:.0%} of the calls; "
                "calibrate on recent ones",
            )


def _check_times(dataset: Dataset, report: Report) -> None:
    times = _local_times(dataset)
    if len(times) > MIN_POSITIVES and (times == times.dt.normalize()).all():
        report.add(
            "warning", "day_only", "received_at tells only the day; the hour must not be a feature"
        )


def _check_told(narratives: pd.Series, report: Report) -> None:
    given = narratives[narratives.str.strip() != ""]
    if given.empty:
        return
    counts: Counter[str] = Counter()
    total = 0
    rules = standard_rules()
    for text in given:
        names = {name for name, pattern in _TOLD.items() if pattern.search(text)}
        names.update(cut(text, rules).rules)
        total += bool(names)
        counts.update(names)
    if total:
        found = ", ".join(f"{name} ({n:,})" for name, n in counts.most_common())
        share = total / len(given)
        report.add(
            "error" if share > MAX_TOLD else "warning",
            "narrative_tells_outcome",
            f"{total:,} of {len(given):,} narratives ({share:.1%}) hold words of what is known "
            f"only after dispatch: {found}; cut them (narrative_cut in the mapping)",
        )


def _check_own_words(dataset: Dataset, report: Report) -> None:
    """Look for narratives that hold the words of their own outcome, more than by chance."""
    assert dataset.outcomes is not None
    outcomes = dataset.outcomes.drop_duplicates("call_id").set_index("call_id")
    texts = dataset.calls["narrative"].str.casefold()
    for name in ("final_call_type", "disposition"):
        words = dataset.calls["call_id"].map(outcomes[name]).astype("str").str.casefold()
        both = (words.str.len() >= MIN_OUTCOME) & (texts.str.strip() != "")
        if int(both.sum()) < MIN_POSITIVES:
            continue
        text, word = texts[both].tolist(), words[both].tolist()
        # Another call's words, half the list away, tell how often it happens by chance.
        half = len(word) // 2
        own = float(np.mean([w in t for w, t in zip(word, text, strict=True)]))
        other = float(
            np.mean([w in t for w, t in zip(word[half:] + word[:half], text, strict=True)])
        )
        if own - other > OWN_WORDS:
            report.add(
                "error",
                "narrative_holds_outcome",
                f"{own:.1%} of the narratives hold the words of their own {name} (by chance "
                f"{other:.1%}): it was written into them after dispatch",
            )


def _check_final_type(dataset: Dataset, report: Report) -> None:
    assert dataset.outcomes is not None
    final = dataset.outcomes.drop_duplicates("call_id").set_index("call_id")["final_call_type"]
    pairs = pd.DataFrame(
        {"first": dataset.calls["call_type"], "final": dataset.calls["call_id"].map(final)}
    ).dropna()
    if len(pairs) >= MIN_POSITIVES and pairs["first"].nunique() > 1:
        same = float((pairs["first"] == pairs["final"]).mean())
        if same > TELLTALE:
            report.add(
                "error",
                "type_is_final",
                f"call_type equals the final type in {same:.1%} of the calls: "
                "it was overwritten at clearance, and is no input",
            )


def _plain_fields(calls: pd.DataFrame) -> dict[str, pd.Series]:
    """Give the fields that hold one of a few values."""
    names = ("call_type", "call_source", "priority", "caller_role", "language", *ANSWER_COLUMNS)
    return {name: calls[name].fillna("") for name in names}


def _check_tells_outcome(dataset: Dataset, later: pd.Series, report: Report) -> None:
    """Look for a field that is an outcome under another name, or in other codes."""
    assert dataset.outcomes is not None
    outcomes = dataset.outcomes.drop_duplicates("call_id").set_index("call_id")
    for learned in ("final_call_type", "disposition", "clinician_finding"):
        truth = dataset.calls["call_id"].map(outcomes[learned])
        known = truth.notna()
        before, after = known & ~later, known & later
        if int(after.sum()) < MIN_POSITIVES or int(before.sum()) < MIN_POSITIVES:
            continue
        common = float((truth[after] == truth[before].mode().iloc[0]).mean())
        if common > COMMON:
            continue  # hardly anything to tell
        for name, values in _plain_fields(dataset.calls).items():
            if values.nunique() < 2:
                continue
            # Values that occur once tell nothing but themselves.
            guess = truth[before].groupby(values[before]).agg(lambda told: told.mode().iloc[0])
            told = values[after].map(guess)
            right = float((told == truth[after])[told.notna()].mean()) if told.notna().any() else 0
            if right > TELLTALE and float(told.notna().mean()) > COMMON:
                report.add(
                    "error",
                    "field_tells_outcome",
                    f"{name} tells the {learned} of {right:.1%} of the later calls: "
                    "it was filled in after dispatch",
                )


def _check_future(dataset: Dataset, targets: pd.DataFrame, report: Report) -> None:
    """Look for a field that tells what only happened later at the same premise.

    A flag on an address that was drawn up from the whole export marks calls of years before.
    Asked only of calls before which no positive label of the premise was known: a flag that was
    there at the time says nothing about these.
    """
    calls = dataset.calls
    if calls["premise_id"].nunique() < MIN_POSITIVES:
        return
    for target in TARGETS:
        positive = targets[target].fillna(False).astype(bool)
        first = _received(calls, positive, "min")
        last = _received(calls, positive, "max")
        # Nothing of the kind up to the call itself; and then, was there anything?
        asked = calls["premise_id"].notna() & ~(first <= calls["received_at"])
        truth = last > calls["received_at"]
        groups = calls["premise_id"].map(
            {name: i % 2 for i, name in enumerate(calls["premise_id"].dropna().unique())}
        )
        learn, test = asked & (groups == 0), asked & (groups == 1)
        if min(int((truth & test).sum()), int((~truth & test).sum())) < MIN_POSITIVES:
            continue
        for name, values in _plain_fields(calls).items():
            rates = truth[learn].groupby(values[learn]).mean()
            score = values[test].map(rates).fillna(truth[learn].mean()).astype(float)
            quality = _auroc(score, truth[test])
            if quality > FUTURE:
                report.add(
                    "error",
                    "field_tells_future",
                    f"{name} tells what happened only later at the same premise ({target}, AUROC "
                    f"{quality:.3f}): it was drawn up from the whole record, not as of the call",
                )


def _received(calls: pd.DataFrame, positive: pd.Series, which: str) -> pd.Series:
    """Tell of each call when the first or last positive one of its premise was received."""
    times = calls[positive].groupby("premise_id")["received_at"].agg(which)
    return pd.to_datetime(calls["premise_id"].map(times), utc=True)


def _check_telltale(
    calls: pd.DataFrame, targets: pd.DataFrame, later: pd.Series, report: Report
) -> None:
    """Look for a single field that tells the label: it was filled in after the fact."""
    fields = _plain_fields(calls)
    fields["whether there is a narrative"] = calls["narrative"].str.strip() != ""
    fields["whether there are coordinates"] = calls["latitude"].notna()
    fields["whether there is a premise_id"] = calls["premise_id"].notna()
    for target in TARGETS:
        known = targets[target].notna()
        truth = targets[target].fillna(False).astype(bool)
        positives = int((truth & later & known).sum())
        if positives < MIN_POSITIVES or int((~truth & later & known).sum()) < MIN_POSITIVES:
            continue
        for name, values in fields.items():
            rates = truth[known & ~later].groupby(values[known & ~later]).mean()
            score = values[known & later].map(rates).fillna(truth[known & ~later].mean())
            quality = _auroc(score.astype(float), truth[known & later])
            if quality > TELLTALE:
                report.add(
                    "error",
                    "field_tells_label",
                    f"{name} alone tells {target} (AUROC {quality:.3f}): "
                    "it is not known before dispatch",
                )


def _auroc(score: pd.Series, truth: pd.Series) -> float:
    ranks = score.rank()
    positives, negatives = int(truth.sum()), int((~truth).sum())
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _check_constant(calls: pd.DataFrame, report: Report) -> None:
    empty, same = [], []
    for name in calls.columns:
        values = calls[name]
        if name == "narrative":
            values = values.mask(values.str.strip() == "")
        if values.isna().all():
            empty.append(str(name))
        elif len(calls) > 1 and values.nunique(dropna=False) == 1 and name != "revision":
            same.append(str(name))
    if empty:
        report.add("note", "empty_field", f"never given: {', '.join(empty)}")
    if same:
        report.add("warning", "constant_field", f"always the same: {', '.join(same)}")
