"""The crisis head learned anew every week, from what was known by then, and what was tried on it.

Prequential (Dawid 1984): the calls of a week are scored by a model of all calls received before it
whose labels were known when it began; then they are learned from in their turn. Choices are made on
August and September alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from data.dataset import Dataset
from data.history import columns, history_frame
from data.labels import resolve
from model_service.model.classifier import CallClassifier, as_labels
from model_service.model.features import FeatureSettings, build_features

Floats = NDArray[np.float64]
Windows = tuple[int, ...]

CHOSEN_FROM, JUDGED_FROM, JUDGED_UNTIL = "2015-08-01", "2015-10-01", "2016-01-01"

USUAL = 0.035
"""About the share of crises among labelled calls; a prior, and no more."""

UNLABELLED = (2, 6)
"""From February to June no code stood for a crisis."""


@dataclass(frozen=True)
class Variant:
    """What is tried: blocks of features with their scales, and how it is learned.

    Parameters
    ----------
    scales : mapping of str to float
    C : float
    unlabelled : float
        Weight of the calls from February to June, taken as no crises; 0 leaves them out.
    half_life : float
        Days after which a call counts half; infinite: all count alike.
    """

    scales: Mapping[str, float] = field(default_factory=dict)
    C: float = 3.0
    unlabelled: float = 0.0
    half_life: float = np.inf

    def plus(self, **scales: float) -> Variant:
        """Add blocks, or change their scales; 0 leaves one out."""
        return replace(self, scales={**self.scales, **scales})


PLAIN = Variant({"call_type": 1, "hour": 0.3, "weekday": 0.3, "premise_id": 0.2})
WITH = PLAIN.plus(history_30_365=1)

SHARES = replace(PLAIN, C=1.0).plus(
    hour=0.25,
    weekday=0.25,
    premise_id=0.3,
    share_100m=1,
    share_500m=1,
    share_same_type=1,
    share_type=1,
    typed_crisis=1,
)

SHIPPED = "history, 30 and 365 days"
"""The one whose features are those of the shipped configuration."""

VARIANTS: dict[str, Variant] = {
    "February-June as no crises": replace(PLAIN, unlabelled=1.0),
    "February-June as no crises, weight 0.2": replace(PLAIN, unlabelled=0.2),
    "February-June unlabelled": PLAIN,
    "history of the premise, 365 days": PLAIN.plus(history_365=1),
    SHIPPED: WITH,
    "history, 90 and 365 days": PLAIN.plus(history_90_365=1),
    "history, 7, 30 and 365 days": PLAIN.plus(history_7_30_365=1),
    "smoothed share of crises at the premise": PLAIN.plus(rate=1),
    "+ history at half scale": PLAIN.plus(history_30_365=0.5),
    "+ C = 1": replace(WITH, C=1.0),
    "+ C = 10": replace(WITH, C=10.0),
    "+ premise at a quarter of its scale": WITH.plus(premise_id=0.05),
    "+ premise at twice its scale": WITH.plus(premise_id=0.4),
    "+ hour and weekday at full scale": WITH.plus(hour=1, weekday=1),
    "+ calls count half after 60 days": replace(WITH, half_life=60.0),
    "+ calls count half after 240 days": replace(WITH, half_life=240.0),
    "+ levels of the type": WITH.plus(levels=0.5),
    "+ hour × first level of the type": WITH.plus(hour_type=0.2),
    "+ history of the cell of about 500 m": WITH.plus(near=1),
    "+ history of the same type at the premise": WITH.plus(same_type=1),
    "+ cell, same type": WITH.plus(near=1, same_type=1),
    "+ cell, same type, levels": WITH.plus(near=1, same_type=1, levels=0.5),
    "+ cell, same type, levels, C = 10": replace(
        WITH.plus(near=1, same_type=1, levels=0.5), C=10.0
    ),
    "+ cell, same type, levels, premise at a quarter": WITH.plus(
        near=1, same_type=1, levels=0.5, premise_id=0.05
    ),
    # Found by adding one block after another on the same months, every two weeks.
    "smoothed shares: cells of 100 and 500 m, same type, type; calls typed CRISIS": SHARES,
    "the same, C = 3": replace(SHARES, C=3.0),
}
"""What is tried; a plus adds to what the shipped configuration has."""


@dataclass(frozen=True)
class Week:
    """A week's calls and what was known when it began.

    Parameters
    ----------
    learned, scored : ndarray of bool of shape (n_calls,)
    y : ndarray of shape (n_calls,)
        Labels known by then; NaN where there was none.
    blocks : dict of str to pair of sparse matrix
        Of the calls that are learned from and of those that are scored.
    """

    start: pd.Timestamp
    learned: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    y: Floats
    blocks: dict[str, tuple[csr_matrix, csr_matrix]]


class Weekly:
    """Seattle's year, week by week.

    Parameters
    ----------
    dataset : Dataset
    settings : FeatureSettings
        Of the shipped configuration; its fields are the base.
    """

    def __init__(self, dataset: Dataset, settings: FeatureSettings) -> None:
        assert dataset.labels is not None
        self.calls, self.labels = dataset.calls, dataset.labels
        self.received = self.calls["received_at"]
        local = self.received.dt.tz_convert(settings.timezone).dt
        self.unlabelled = local.month.between(*UNLABELLED).to_numpy()
        self.settings = settings.model_copy(update={"history": None, "weights": {}})
        self.counted = self._counted()
        levels = self.calls["call_type"].fillna("").str.split(" / ", expand=True).fillna("")
        self.named = {
            "levels": levels,
            "hour_type": (local.hour // 4).astype(str).to_frame("h") + "|" + levels[[0]].to_numpy(),
        }
        self.weeks = list(self._weeks(settings.timezone))

    def _counted(self) -> dict[str, csr_matrix]:
        """Make the blocks that count what came before each call; nothing is learned in them."""

        def counts(keys: pd.Series, windows: Windows, labels: pd.DataFrame) -> pd.DataFrame:
            there = self.calls.assign(premise_id=keys.astype("str"))
            return history_frame(there, labels, windows=windows)

        def share(keys: pd.Series, calls: float) -> pd.DataFrame:
            # As if so many calls of the usual share had come before; on the scale of log-odds.
            crises, known = (
                counts(keys, (365,), labels)["history_crises_365d"]
                for labels in (self.labels, self.labels.assign(value=True))
            )
            return np.log((crises / USUAL + calls) / (known + calls)).to_frame()

        premise, named = self.calls["premise_id"], self.calls["call_type"].fillna("")
        near, nearest = self._cell(200), self._cell(1000)
        typed = self.calls.loc[named.str.contains("CRISIS CALL"), ["call_id"]].assign(
            target="mental_health_crisis",
            value=True,
            source="final_call_type",
            as_of=self.received,
            confidence=1.0,
        )
        whole = counts(premise, (7, 30, 90, 365), self.labels)
        made = {
            f"history_{'_'.join(map(str, windows))}": np.log1p(whole[columns(windows)])
            for windows in ((365,), (30, 365), (90, 365), (7, 30, 365))
        }
        made |= {
            "near": np.log1p(counts(near, (365,), self.labels)),
            "same_type": np.log1p(counts(premise + "|" + named, (365,), self.labels)),
            "typed_crisis": np.log1p(
                counts(premise, (30, 365), typed)[["history_crises_30d", "history_crises_365d"]]
            ),
            "rate": share(premise, 20),
            "share_100m": share(nearest, 20),
            "share_500m": share(near, 50),
            "share_same_type": share(premise + "|" + named, 10),
            "share_type": share(named, 20),
        }
        return {name: csr_matrix(table.to_numpy()) for name, table in made.items()}

    def _cell(self, degree: float) -> pd.Series:
        """Name the cell of each call; `degree` cells make a degree of latitude."""
        parts = (self.calls["latitude"] * degree, self.calls["longitude"] * degree * 0.68)
        south, west = (part.round().astype("Int64").astype(str) for part in parts)
        return south + "/" + west

    def _weeks(self, timezone: str) -> Iterator[Week]:
        days = pd.date_range(CHOSEN_FROM, JUDGED_UNTIL, freq="7D", tz=timezone)
        cut = pd.Timestamp(JUDGED_FROM, tz=timezone)
        starts = sorted({*days, cut, pd.Timestamp(JUDGED_UNTIL, tz=timezone)})
        for start, end in zip(starts, starts[1:], strict=False):
            known = resolve(self.labels, self.calls["call_id"], known_by=start.to_pydatetime())
            y = as_labels(known)[:, 0]
            before = (self.received < start).to_numpy()
            learned = before & (~np.isnan(y) | self.unlabelled)
            scored = ((self.received >= start) & (self.received < end)).to_numpy()
            features = build_features(self.settings)
            seen = features.fit_transform(self.calls[learned])
            unseen = features.transform(self.calls[scored])
            places = features.named_steps["columns"].output_indices_
            blocks = {
                name: (seen[:, place], unseen[:, place])
                for name, place in places.items()
                if name in PLAIN.scales
            }
            for name, table in self.named.items():
                encoder = OneHotEncoder(
                    handle_unknown="infrequent_if_exist", min_frequency=self.settings.min_calls
                )
                fitted = encoder.fit_transform(table[learned].to_numpy())
                blocks[name] = fitted, encoder.transform(table[scored].to_numpy())
            for name, counted in self.counted.items():
                blocks[name] = counted[learned], counted[scored]
            yield Week(start, learned, scored, y, blocks)

    def scores(self, variant: Variant, *, since: str, until: str) -> Floats:
        """Score every call of a period by the model of its week.

        Returns
        -------
        ndarray of shape (n_calls,)
            Log-odds before any recalibration; NaN outside the period.
        """
        found = np.full(len(self.calls), np.nan)
        for week in self.weeks:
            if not pd.Timestamp(since) <= week.start.tz_localize(None) < pd.Timestamp(until):
                continue
            scales = {name: scale for name, scale in variant.scales.items() if scale}
            seen, unseen = (
                hstack([week.blocks[name][side] * scale for name, scale in scales.items()], "csr")
                for side in (0, 1)
            )
            y = week.y[week.learned]
            age = (week.start - self.received[week.learned]).dt.total_seconds() / 86_400
            weight = np.where(np.isnan(y), variant.unlabelled, 1.0)
            weight = weight * 0.5 ** (age.to_numpy() / variant.half_life)
            used = weight > 0
            model = LogisticRegression(C=variant.C, solver="newton-cg", max_iter=1000, tol=1e-6)
            model.fit(seen[used], np.nan_to_num(y[used]), sample_weight=weight[used])
            found[week.scored] = model.decision_function(unseen)
        return found

    def recalibrated(self, scores: Floats) -> Floats:
        """Turn scores into probabilities by Platt's method, from the scores of earlier weeks.

        Each week's slope and intercept are learned from all calls that were scored before it
        began, with the labels known by then.

        Returns
        -------
        ndarray of shape (n_calls,)
            NaN where nothing was scored, and in the first four weeks.
        """
        found = np.full(len(scores), np.nan)
        for week in self.weeks[4:]:
            before = week.learned & ~np.isnan(week.y) & ~np.isnan(scores)
            if not before.any() or np.isnan(scores[week.scored]).any():
                continue
            platt = CallClassifier(self.settings, C={})
            platt.calibration_ = {}
            both = np.column_stack([scores[before]] * 2), np.column_stack([week.y[before]] * 2)
            slope, intercept = platt.calibrate(*both).calibration_["mental_health_crisis"]
            found[week.scored] = expit(scores[week.scored] * slope + intercept)
        return found
