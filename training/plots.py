"""Plots of an evaluation: reliability, precision-recall, and the price of safety."""

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
        One file per head that could be measured, and `price.png` where there is a price curve.
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
        if "price" in head:
            paths.append(_price(head["price"], folder / "price.png"))
    return paths


def _price(curve: list[dict[str, Any]], path: Path) -> Path:
    """Draw what each step of sensitivity costs in needless police sends."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, name, label in (
        (left, "needless_share", "share of the calls without a risk that police are sent to"),
        (right, "price", "needless police sends per missed risk avoided"),
    ):
        steps = [step for step in curve if step[name]["value"] is not None]
        _with_bars(axes, steps, name, color="#0b5394", marker="o", linewidth=1)
        _with_bars(
            axes,
            [step for step in steps if step["in_force"]],
            name,
            color="#b45f06",
            marker="s",
            linestyle="",
            label="threshold in force",
        )
        axes.set(xlabel="sensitivity: share of the risks that are not missed", ylabel=label)
        axes.set_ylim(bottom=0)
        if any(step["in_force"] for step in steps):
            axes.legend(loc="upper left", frameon=False)
    figure.suptitle("The price of a lower safety threshold, with 95% intervals")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path


def _with_bars(axes: Any, steps: list[dict[str, Any]], name: str, **style: Any) -> None:
    values = [step[name]["value"] for step in steps]
    bars = [
        [max(0.0, abs(s[name][bound] - s[name]["value"])) if s[name][bound] is not None else 0.0
         for s in steps]
        for bound in ("low", "high")
    ]  # fmt: skip
    axes.errorbar(
        [step["sensitivity"]["value"] for step in steps], values, yerr=bars, capsize=2, **style
    )


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
