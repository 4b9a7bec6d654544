"""Two calibrated heads on one feature matrix."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from data.call import TARGETS
from model_service.model.features import FeatureSettings, Prior, build_features, concept_prior


class TooFewLabels(ValueError):
    """A head has too few calls of one of its classes to learn or calibrate from."""


def labelled(y: NDArray[np.float64], target: str) -> NDArray[np.bool_]:
    """Mark the rows whose label is there, and refuse a target with a single class.

    Parameters
    ----------
    y : ndarray of shape (n_calls,)
        1, 0 or NaN.
    target : str
        For the message.

    Raises
    ------
    TooFewLabels
        If fewer than two calls are positive, or fewer than two negative.
    """
    there = ~np.isnan(y)
    positive, negative = int((y[there] == 1).sum()), int((y[there] == 0).sum())
    if min(positive, negative) < 2:
        raise TooFewLabels(
            f"{target}: {positive} positive and {negative} negative labels; "
            "at least 2 of each are needed"
        )
    return there


def as_labels(targets: pd.DataFrame) -> NDArray[np.float64]:
    """Turn nullable boolean targets into an array of shape (n_calls, 2) of 1, 0 and NaN."""
    return targets[list(TARGETS)].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)


def _platt(scores: NDArray[np.float64], y: NDArray[np.float64]) -> LogisticRegression:
    """Fit slope and intercept to Platt's targets, (n+ + 1)/(n+ + 2) and 1/(n- + 2).

    With 1 and 0 as targets there would be no finite slope where the scores separate the classes.
    """
    positive = y == 1
    n = int(positive.sum())
    target = np.where(positive, (n + 1) / (n + 2), 1 / (len(y) - n + 2))
    # A call of target t counts t times as a positive and 1 - t times as a negative.
    return LogisticRegression(C=np.inf).fit(
        np.r_[scores, scores][:, None],
        np.r_[np.ones(len(y)), np.zeros(len(y))],
        sample_weight=np.r_[target, 1 - target],
    )


class CallClassifier(BaseEstimator):  # type: ignore[misc]
    """Two logistic regressions on one feature matrix, each with Platt's calibration.

    A head learns only from the calls whose label it has; the features are learned from all. The
    calibration maps a head's score s to P = expit(slope · s + intercept) (Platt 1999), learned by
    `calibrate` from calls that the head has not seen, and it stays when the heads are fitted anew.
    Being linear in log-odds throughout, a fitted classifier is a table of weights
    (`model_service.model.compile`).

    Parameters
    ----------
    settings : FeatureSettings
    C : mapping of target to float
        Inverse strength of the L2 penalty, per head.
    tol : float
        Where the solver stops: the largest component of the gradient.
    max_iter : int
        Bound on the solver's iterations.

    Attributes
    ----------
    features_ : sklearn.pipeline.Pipeline
    heads_ : dict of target to LogisticRegression
    calibration_ : dict of target to (slope, intercept)
    """

    def __init__(
        self,
        settings: FeatureSettings,
        *,
        C: Mapping[str, float],
        tol: float = 1e-6,
        max_iter: int = 1000,
    ) -> None:
        self.settings = settings
        self.C = C
        self.tol = tol
        self.max_iter = max_iter

    def fit(
        self, X: pd.DataFrame, y: NDArray[np.float64], *, weights: NDArray[np.float64] | None = None
    ) -> CallClassifier:
        """Learn the features and both heads.

        Parameters
        ----------
        X : pandas.DataFrame
            Calls as `data.frame.to_frame` makes them.
        y : ndarray of shape (n_calls, 2)
            1, 0 or NaN for a missing label, in the order of `TARGETS`.
        weights : ndarray of shape (n_calls,), optional
            For how many calls each counts in both heads; one each where left out.

        Raises
        ------
        TooFewLabels
            If a head has a single class.
        """
        self.features_ = build_features(self.settings)
        matrix = self.features_.fit_transform(X)
        prior = concept_prior(self.features_, self.settings, matrix)
        return self.fit_heads(matrix, y, prior=prior, weights=weights)

    def fit_heads(
        self,
        matrix: csr_matrix,
        y: NDArray[np.float64],
        *,
        prior: Prior | None = None,
        start: Mapping[str, LogisticRegression] | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> CallClassifier:
        """Learn both heads from a matrix that the features made; `calibration_` stays.

        Parameters
        ----------
        matrix : sparse matrix of shape (n_calls, n_features)
        y : ndarray of shape (n_calls, 2)
        prior : Prior, optional
            What is held of the concepts beforehand; each counts for so many calls more.
        start : mapping of target to LogisticRegression, optional
            Heads learned from nearly the same calls: the solver begins where they ended.
        weights : ndarray of shape (n_calls,), optional
            For how many calls each counts; one each where left out.
        """
        counts = np.ones(len(y)) if weights is None else weights
        self.heads_ = {}
        for column, target in enumerate(TARGETS):
            there = labelled(y[:, column], target)
            # newton-cg: exact to rounding and repeatable; lbfgs stops earlier and slower here.
            head = LogisticRegression(
                C=self.C[target],
                solver="newton-cg",
                max_iter=self.max_iter,
                tol=self.tol,
                warm_start=True,
            )
            if start is not None:
                head.coef_ = start[target].coef_.copy()
                head.intercept_ = start[target].intercept_.copy()
            if prior is None:
                self.heads_[target] = head.fit(matrix[there], y[there, column], counts[there])
                continue
            share = prior.share[:, column]
            # A call of which a share is positive counts that share as a positive, the rest not.
            self.heads_[target] = head.fit(
                vstack([matrix[there], prior.matrix, prior.matrix], format="csr"),
                np.r_[y[there, column], np.ones(len(share)), np.zeros(len(share))],
                sample_weight=np.r_[counts[there], prior.calls * share, prior.calls * (1 - share)],
            )
        if not hasattr(self, "calibration_"):
            self.calibration_ = dict.fromkeys(TARGETS, (1.0, 0.0))
        return self

    def calibrate(self, scores: NDArray[np.float64], y: NDArray[np.float64]) -> CallClassifier:
        """Learn Platt's slope and intercept of each head.

        Parameters
        ----------
        scores : ndarray of shape (n_calls, 2)
            Scores of calls that the head that gave them had not seen.
        y : ndarray of shape (n_calls, 2)
            1, 0 or NaN.

        Raises
        ------
        TooFewLabels
            If a head has a single class in `y`.
        """
        for column, target in enumerate(TARGETS):
            there = labelled(y[:, column], target)
            platt = _platt(scores[there, column], y[there, column])
            self.calibration_[target] = (float(platt.coef_[0, 0]), float(platt.intercept_[0]))
        return self

    def matrix_scores(self, matrix: csr_matrix) -> NDArray[np.float64]:
        """Scores before calibration, of shape (n_calls, 2), of what the features made of calls."""
        return np.column_stack([self.heads_[t].decision_function(matrix) for t in TARGETS])

    def scores(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Scores before calibration, of shape (n_calls, 2)."""
        return self.matrix_scores(self.features_.transform(X))

    def calibrated(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn scores of shape (n_calls, 2) into calibrated probabilities of that shape."""
        slopes, intercepts = np.array([self.calibration_[t] for t in TARGETS]).T
        probabilities: NDArray[np.float64] = expit(scores * slopes + intercepts)
        return probabilities

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Calibrated probabilities of shape (n_calls, 2), in the order of `TARGETS`.

        Unlike a single scikit-learn classifier's, the columns are the two targets, each the
        probability of its positive class.
        """
        return self.calibrated(self.scores(X))

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn whether `fit` was called."""
        return hasattr(self, "heads_")
