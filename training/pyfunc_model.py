"""A release behind MLflow's pyfunc: MLflow runs this file, and nothing is unpickled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from data.call import TARGETS
from data.frame import with_dtypes
from model_service.model.release import load_release
from training.history import calls_and_counts, with_history

# Else MLflow's message about a column of the wrong type repeats the calls, narratives and all.
os.environ.setdefault("MLFLOW_DISABLE_SCHEMA_DETAILS", "true")


class ReleaseModel(PythonModel):
    """Probabilities of the two targets for a frame of calls."""

    def load_context(self, context: Any) -> None:
        """Read the release that was logged as an artefact."""
        self.release = load_release(Path(context.artifacts["release"]), trusted=None)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score calls.

        Parameters
        ----------
        context : mlflow.pyfunc.PythonModelContext
        model_input : pandas.DataFrame of shape (n_calls, n_columns)
            A release that uses the history of premises takes it from these calls alone, without
            any label.
        params : dict, optional
            Not used.

        Returns
        -------
        pandas.DataFrame of shape (n_calls, 2)
        """
        calls = model_input.copy()
        calls["received_at"] = pd.to_datetime(calls["received_at"], utc=True, format="ISO8601")
        scorer = self.release.scorer
        frame = with_history(with_dtypes(calls).reset_index(drop=True), scorer.history)
        asked = calls_and_counts(frame, scorer.history)
        scored = [scorer.score(call, counts).prediction for call, counts in asked]
        return pd.DataFrame(scored, columns=list(TARGETS), index=model_input.index)


set_model(ReleaseModel())
