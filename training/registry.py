"""Runs and registered models in MLflow: the only module of training that knows its name.

MLflow is the data scientist's notebook and shelf. The service never asks it: what is served is
the release that the file `champion` names beside the releases.
"""

from __future__ import annotations

import io
import logging
import os
import subprocess
import tempfile
import warnings
from contextlib import redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.frame import DTYPES, to_frame
from model_service.model.release import Release
from model_service.model.store import CHAMPION
from training.config import TrainingConfig
from training.pipeline import Trained
from training.plots import draw


@dataclass(frozen=True)
class Registered:
    """Where a training run is kept."""

    run_id: str
    model: str
    version: str


def register(
    trained: Trained,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    home: Path,
    champion: bool,
) -> Registered:
    """Log a run with its parameters, figures and plots, and register its model.

    The backend is SQLite under `home`, the artefacts lie beside it, and nothing leaves the
    machine. The registered model is the release itself behind MLflow's pyfunc, loaded from code
    and plain files; the fitted pipeline is kept with joblib as an artefact for the data scientist.

    Parameters
    ----------
    trained : Trained
    dataset : Dataset
    config : TrainingConfig
    home : Path
    champion : bool
        Whether to give this version the alias `champion`.
    """
    mlflow = _mlflow(home)
    experiment = mlflow.get_experiment_by_name(config.name)
    experiment_id = (
        experiment.experiment_id
        if experiment is not None
        else mlflow.create_experiment(
            config.name, artifact_location=(home / "mlartifacts").resolve().as_uri()
        )
    )
    with mlflow.start_run(experiment_id=experiment_id, run_name=trained.release.name) as run:
        mlflow.log_params(_parameters(trained, config))
        mlflow.log_metrics(_figures(trained))
        mlflow.set_tags(
            {
                "release": trained.release.digest,
                "data.digest": dataset.digest,
                "data.source": str(dataset.manifest.get("source", "")),
                "code.version": code_version(),
                "plan.digest": trained.release.plan_digest,
            }
        )
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            draw(trained.metrics["test"], folder)
            joblib.dump(trained.fitted.classifier, folder / "pipeline.joblib", compress=3)
            (folder / "card.md").write_text(trained.release.card, encoding="utf-8")
            mlflow.log_artifacts(str(folder), "training")
        mlflow.log_dict(trained.metrics, "training/metrics.json")
        mlflow.log_dict({"candidates": trained.fitted.search}, "training/search.json")
        mlflow.log_dict(dataset.manifest, "training/data-manifest.json")
        mlflow.log_dict(config.model_dump(mode="json"), "training/configuration.json")
        # MLflow tells each step on standard error; the command line says it once, in its words.
        with redirect_stderr(io.StringIO()):
            info = mlflow.pyfunc.log_model(
                name="release",
                python_model=str(Path(__file__).with_name("pyfunc_model.py")),
                artifacts={"release": str(trained.folder)},
                signature=_signature(),
                input_example=_example(),
                pip_requirements=[f"crisiscall=={version('crisiscall')}"],
                registered_model_name=f"crisiscall-{config.name}",
            )
    name, number = f"crisiscall-{config.name}", str(info.registered_model_version)
    client = mlflow.MlflowClient()
    client.set_model_version_tag(name, number, "release", trained.release.digest)
    if champion:
        client.set_registered_model_alias(name, CHAMPION, number)
    return Registered(run.info.run_id, name, number)


def name_alias(home: Path, release: Release) -> bool:
    """Give the registered model of a release the alias `champion`.

    Returns
    -------
    bool
        False if no such model is registered here, as with a release that came from elsewhere.
    """
    if not (home / "mlflow.db").exists():
        return False
    name = f"crisiscall-{release.metrics.get('configuration')}"
    client = _mlflow(home).MlflowClient()
    for each in client.search_model_versions(f"name = '{name}'"):
        if each.tags.get("release") == release.digest:
            client.set_registered_model_alias(name, CHAMPION, each.version)
            return True
    return False


def tracking_uri(home: Path) -> str:
    """Where MLflow keeps runs and models: SQLite under `home`."""
    return f"sqlite:///{(home / 'mlflow.db').resolve()}"


def code_version() -> str:
    """Name the commit that ran, marked if the tree differs from it; else the package's version."""
    root = Path(__file__).resolve().parent.parent

    def git(*words: str) -> str:
        ran = subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return ran.stdout.strip()

    try:
        # An installed copy may lie inside somebody else's repository, whose commit is not ours.
        if Path(git("rev-parse", "--show-toplevel")).resolve() == root:
            return git("describe", "--always", "--dirty", "--abbrev=40")
    except (OSError, subprocess.SubprocessError):
        pass
    return version("crisiscall")


def _mlflow(home: Path) -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.pyfunc
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    home.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_uri(home))
    return mlflow


def _parameters(trained: Trained, config: TrainingConfig) -> dict[str, Any]:
    settings = trained.fitted.classifier.settings
    return {
        "configuration": config.name,
        "plan": config.plan,
        "seed": config.seed,
        "split.validation_from": config.split.validation_from,
        "split.test_from": config.split.test_from,
        **{f"C.{target}": trained.fitted.classifier.C[target] for target in TARGETS},
        **{f"weight.{name}": weight for name, weight in settings.weights.items()},
        "texts": ", ".join(text.column for text in settings.texts),
        "history": "" if settings.history is None else str(settings.history.windows),
        "categories": ", ".join(settings.categories)[:500],
    }


def _figures(trained: Trained) -> dict[str, float]:
    figures = {"parity.largest_difference": trained.parity}
    for name, count in trained.metrics["parts"].items():
        figures[f"calls.{name}"] = float(count)
    for target, head in trained.metrics["test"]["heads"].items():
        for name in ("auroc", "average_precision", "brier", "calibration_error"):
            for bound, value in head.get(name, {}).items():
                if value is not None:
                    suffix = "" if bound == "value" else f".{bound}"
                    figures[f"test.{target}.{name}{suffix}"] = value
    for target, thresholds in trained.release.thresholds.items():
        if thresholds.low is not None:
            figures[f"threshold.{target}.low"] = thresholds.low
        figures[f"threshold.{target}.high"] = thresholds.high
    return figures


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    # MLflow has no time with a zone: `received_at` goes in as ISO 8601 text with its offset.
    kinds = {"int64": DataType.long, "float64": DataType.double}
    inputs: list[Any] = [
        ColSpec(
            kinds.get(dtype, DataType.string),
            name,
            required=name in ("call_id", "received_at"),
        )
        for name, dtype in DTYPES.items()
    ]
    outputs: list[Any] = [ColSpec(DataType.double, target) for target in TARGETS]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def _example() -> Any:
    """One invented call: MLflow checks the signature with it and shows it."""
    call = Call(
        call_id="EXAMPLE-1",
        received_at=datetime(2026, 1, 5, 21, 30, tzinfo=UTC),
        narrative="caller says his brother has not slept for days and hears voices, no weapons",
        call_type="CHECK WELFARE",
        call_source="911",
        caller_role="family",
        answers={"weapon": "no"},
    )
    frame = to_frame([call]).dropna(axis="columns")
    frame["received_at"] = call.received_at.isoformat()
    return frame
