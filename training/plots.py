"""Plots of an evaluation: reliability and precision-recall, one file per head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402 - the backend is chosen first


def draw(evaluation: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the plots of an evaluation.

    Parameters
    ----------
    evaluation : dict
        What `training.evaluate.evaluate` returned.
    folder : Path
        Where the PNG files go; it must exist.

    Returns
    -------
    list of Path
        One file per head that could be measured.
    """
    paths = []
    for target, head in evaluation["heads"].items():
        if "auroc" not in head:
            continue
        figure = Figure(figsize=(10, 4.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        _reliability(left, head)
        _precision_recall(right, head)
        figure.suptitle(
            f"{target.replace('_', ' ')}: {head['labelled']:,} labelled calls, "
            f"{head['positive']:,} of them positive"
        )
        path = folder / f"{target}.png"
        figure.savefig(path, dpi=110, metadata={"Software": None})
        paths.append(path)
    return paths


def _reliability(axes: Any, head: dict[str, Any]) -> None:
    points = head["reliability"]
    top = max(0.05, *(max(p["predicted"], p["observed"]) for p in points)) * 1.05
    axes.plot([0, top], [0, top], color="0.6", linewidth=1, linestyle="--", label="calibrated")
    axes.plot(
        [p["predicted"] for p in points],
        [p["observed"] for p in points],
        marker="o",
        color="#0b5394",
        label="tenths of the calls",
    )
    axes.set(
        xlabel="mean predicted probability",
        ylabel="observed share",
        title=f"Reliability (calibration error {_words(head['calibration_error'])})",
        xlim=(0, top),
        ylim=(0, top),
    )
    axes.legend(loc="upper left", frameon=False)


def _precision_recall(axes: Any, head: dict[str, Any]) -> None:
    points = head["precision_recall"]
    axes.plot([p["recall"] for p in points], [p["precision"] for p in points], color="#0b5394")
    share = head["positive"] / head["labelled"]
    axes.axhline(share, color="0.6", linewidth=1, linestyle="--", label="share of positives")
    for name, band in head["bands"].items():
        if band["precision"]["value"] is not None:
            axes.plot(
                band["sensitivity"]["value"],
                band["precision"]["value"],
                marker="o" if name == "low" else "s",
                linestyle="",
                color="#b45f06",
                label=f"threshold of the band above “{name}”"
                if name == "low"
                else "threshold of the band “high”",
            )
    axes.set(
        xlabel="recall (sensitivity)",
        ylabel="precision",
        title=f"Precision-recall (average precision {_words(head['average_precision'])})",
        xlim=(0, 1.01),
        ylim=(0, 1.01),
    )
    axes.legend(loc="lower left", frameon=False)


def _words(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "not measurable"
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f}, 95% {figure['low']:.3f}–{figure['high']:.3f}"
