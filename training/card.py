"""The model card, under the headings of Mitchell et al., "Model Cards for Model Reporting" (2019).

It is made from the run alone: every figure in it was measured by the training that wrote the
release, so that no card can differ from its model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_service.model.features import PLACES
from model_service.model.plan import ResponsePlan
from model_service.model.promotion import Gate, Promotion
from training.config import TrainingConfig
from training.price import price_table


def model_card(
    config: TrainingConfig,
    plan: ResponsePlan,
    manifest: dict[str, Any],
    metrics: dict[str, Any],
) -> str:
    """Write the card.

    Parameters
    ----------
    config : TrainingConfig
    plan : ResponsePlan
    manifest : dict
        Of the calls.
    metrics : dict
        As `training.pipeline` puts it into metrics.json.

    Returns
    -------
    str
        Markdown.
    """
    test = metrics["test"]
    sections = [
        f"# Model card: {config.title}",
        f"> **{config.warning}**",
        "## Model details",
        _details(config, metrics),
        "## Intended use",
        "Decision support: a dispatcher reads the recommendation beside their own judgement and "
        "accepts or overrides it. Not intended: sending or withholding a unit without a person's "
        "decision, judging the person the call is about, or use at a centre on whose own labelled "
        "calls it was not measured.",
        "## Factors",
        _factors(config),
        "## Training data",
        _data(config, manifest, metrics),
        "## Evaluation data",
        f"{test['calls']:,} revisions of calls, {test['received_at'][0][:10]} to "
        f"{test['received_at'][1][:10]}, later than every call that was learned from; none shares "
        "an incident, a scenario family or a repeated narrative with one. They took part in no "
        "choice.",
        "## Metrics",
        "95% intervals are percentiles of 1,000 bootstrap draws of whole clusters "
        f"({test['clusters']:,} clusters: scenario families where there are any, else incidents). "
        "Calibration error is the expected calibration error over ten bins of equal size.",
        head_table(test),
    ]
    if seen := metrics.get("test_seen_families"):
        sections += [
            "For comparison, calls of the same period whose scenario family *was* learned from "
            "(with their label noise):",
            head_table(seen),
        ]
    sections += [
        "## Thresholds and bands",
        _thresholds(metrics["thresholds"]),
        *_price(test),
        f"## What the plan “{plan.title}” makes of it",
        recommendation_tables(test["recommendation"]),
        "## Ethical considerations",
        "A missed crisis sends police where a clinician was needed; a missed safety risk sends a "
        "clinician into danger. The labels themselves come from people and codes that miss "
        "crises. Differences between neighbourhoods are not measured on this card.",
        "## Caveats and recommendations",
        f"{config.warning} A call of which little is known scores low on both heads; the plan "
        f"therefore abstains below {plan.abstain.min_known_words} known words and outside "
        f"{', '.join(plan.abstain.languages)}. The bands' promises were kept on validation calls "
        "and need not hold on others: compare with the sensitivities above.",
    ]
    return "\n\n".join(sections) + "\n"


def in_force_section(made: Sequence[Promotion]) -> str:
    """Write who put a release in force, why, and what its gates said; nothing if nobody did.

    Parameters
    ----------
    made : sequence of Promotion
        Those of this release.
    """
    if not made:
        return ""
    parts = ["", "## In force"]
    for one in made:
        what = "Put in force" if one.kind == "promotion" else "Brought back"
        parts.append(f"{what} {one.at} by {one.by}: {one.reason}")
        if one.overridden:
            parts.append(
                f"**Gates that a person overrode: {', '.join(one.overridden)}.** They were not "
                "passed, or could not be measured."
            )
        if one.gates:
            parts.append(gates_table(one.gates))
    return "\n\n".join(parts) + "\n"


def gates_table(gates: Sequence[Gate]) -> str:
    """Tabulate gates in Markdown."""
    said = {True: "passed", False: "**not passed**", None: "**not measured**"}
    rows = ["| gate | | what was measured | what is asked |", "|---|---|---|---|"]
    rows += [f"| {g.name} | {said[g.passed]} | {g.figure} | {g.limit} |" for g in gates]
    return "\n".join(rows)


def _details(config: TrainingConfig, metrics: dict[str, Any]) -> str:
    chosen = metrics["chosen"]
    strengths = ", ".join(f"{target} C = {C:g}" for target, C in chosen["C"].items())
    scales = ", ".join(f"{name} × {w:g}" for name, w in chosen["weights"].items())
    return (
        "Two logistic regressions on one feature matrix, each calibrated by Platt's method; "
        f"shipped as plain weights. L2 penalty: {strengths}."
        + (f" Scales: {scales}." if scales else "")
        + f" Validation calls chose among {chosen['candidates']} candidates. "
        f"Vocabulary: {', '.join(f'{n:,} terms of {t}' for t, n in chosen['terms'].items())}."
    )


def _factors(config: TrainingConfig) -> str:
    texts = ", ".join(f"`{text.column}`" for text in config.features.texts)
    categories = ", ".join(f"`{name}`" for name in config.features.categories)
    concepts = (
        ""
        if config.features.concepts is None
        else f" Concepts of the shipped list in `{config.features.concepts.column}`."
    )
    return f"Words of {texts}.{concepts} Categories: {categories}. {_place(config)}"


def _place(config: TrainingConfig) -> str:
    """Say what the model knows of where a call comes from."""
    history = config.features.history
    places = [name for name in PLACES if name in config.features.categories]
    if places:
        names = ", ".join(f"`{name}`" for name in places)
        said = f"**{names} says where a call comes from and is a feature of this model.**"
    elif history is not None:
        said = "Neighbourhood and coordinates are **not** features, nor is the premise's name."
    else:
        return "Neighbourhood, coordinates and premise are **not** features."
    if history is None:
        return said
    days = ", ".join(map(str, history.windows))
    crises = "; ".join(f"`{name}` {' or '.join(v)}" for name, v in history.crises.items())
    return (
        f"{said} **The history of the premise is a feature of this model**: earlier calls and "
        f"known crises of the same premise in the last {days} days, as of each call. An address's "
        "past follows whoever lives there now. When served, an outcome is known as a crisis by "
        f"its {crises}."
    )


def _data(config: TrainingConfig, manifest: dict[str, Any], metrics: dict[str, Any]) -> str:
    parts = ", ".join(f"{n:,} {name}" for name, n in metrics["parts"].items())
    rows = ["| target | positive | negative | missing |", "|---|--:|--:|--:|"] + [
        f"| {target} | {c['positive']:,} | {c['negative']:,} | {c['missing']:,} |"
        for target, c in manifest["labels"].items()
    ]
    return (
        f"{config.data}\n\nSource `{manifest.get('source', 'unknown')}`, "
        f"{manifest['calls']:,} calls in {manifest['revisions']:,} revisions ({parts}), "
        f"digest `{manifest['digest'][:16]}`. Labels:\n\n" + "\n".join(rows)
    )


def head_table(evaluation: dict[str, Any]) -> str:
    """Tabulate the figures of both heads, in Markdown."""
    names = {
        "auroc": "AUROC",
        "average_precision": "average precision",
        "brier": "Brier score",
        "calibration_error": "calibration error",
    }
    rows = [
        "| head | labelled | positive | " + " | ".join(names.values()) + " |",
        "|---|--:|--:|" + "--:|" * len(names),
    ]
    for target, head in evaluation["heads"].items():
        cells = [number(head[name]) if name in head else "–" for name in names]
        rows.append(
            f"| {target} | {head['labelled']:,} | {head['positive']:,} | "
            + " | ".join(cells)
            + " |"
        )
    rows += [
        "",
        "| head | band | threshold | sensitivity | precision | specificity |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for target, head in evaluation["heads"].items():
        for name, label in (("low", "medium or high"), ("high", "high")):
            if band := head.get("bands", {}).get(name):
                cells = [number(band[rate]) for rate in ("sensitivity", "precision", "specificity")]
                at = "never" if band["threshold"] > 1 else f"{band['threshold']:.3f}"
                rows.append(f"| {target} | {label} | {at} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _price(test: dict[str, Any]) -> list[str]:
    """Say what the safety threshold costs, on the test calls."""
    curve = test["heads"]["safety_risk"].get("price")
    if curve is None:
        return []
    return [
        "### The price of safety",
        "What lowering the safety threshold step by step costs on the test calls: how many calls "
        "without a risk it takes in for every risk that is no longer missed, against the line "
        "above. Of all labelled calls, whomever the plan would send; intervals as above. The "
        "curve is drawn in `price.png` of the run.",
        price_table(curve),
    ]


def _thresholds(thresholds: dict[str, Any]) -> str:
    rows = [
        "Chosen on validation calls by a model that had not seen them, for the plan's promises. "
        "The bound is the one-sided lower 95% bound of Clopper and Pearson, the sample shrunk to "
        "what its clusters are worth (Korn and Graubard 1998); a promise of a bound is kept by it.",
        "",
        "| head | threshold of | at | promise | reached on validation | lower bound | calls "
        "| clusters |",
        "|---|---|--:|---|---|--:|--:|--:|",
    ]
    unkept = []
    for target, entry in thresholds.items():
        for name, label, kind in (
            ("low", "medium", "sensitivity"),
            ("high", "high", "precision"),
        ):
            evidence = entry["evidence"][name]
            if entry[name] is None:
                unkept.append(target)
                at, reached = "none", "out of reach: the head is not used"
            elif evidence["reached"] is None:
                at, reached = "never", "out of reach: the band is never used"
            else:
                at = f"{entry[name]:.3f}"
                reached = "{:.3f} ({:.3f}–{:.3f})".format(
                    evidence["reached"], *evidence["interval"]
                )
            bound = "–" if evidence["bound"] is None else f"{evidence['bound']:.3f}"
            of = "lower bound of " if evidence["of"] == "lower_bound" else ""
            rows.append(
                f"| {target} | {label} | {at} | {of}{kind} ≥ {evidence['promise']:.2f} | {reached} "
                f"| {bound} | {evidence['calls']:,} | {evidence['clusters']:,} |"
            )
    for target in unkept:
        rows += ["", f"**{unkept_promise(target, thresholds[target]['evidence']['low'])}**"]
    return "\n".join(rows)


def unkept_promise(target: str, evidence: dict[str, Any]) -> str:
    """Say plainly that the calls can't support a promise, and what follows."""
    return (
        f"{target}: no threshold keeps the promise of a sensitivity of at least "
        f"{evidence['promise']:.2f} (best lower bound {evidence['bound']:.3f}, from "
        f"{evidence['calls']:,} true cases in {evidence['clusters']:,} clusters). The head is not "
        "used: every call is left to the centre's own protocol, with what was answered beside it, "
        "until there are more labelled calls."
    )


def recommendation_tables(recommendation: dict[str, Any]) -> str:
    """Tabulate what was recommended in which situation, and the rates that matter."""
    table = recommendation["table"]
    responses = sorted({response for row in table.values() for response in row})
    rows = ["| what the labels say | " + " | ".join(responses) + " |"]
    rows.append("|---|" + "--:|" * len(responses))
    for situation, row in table.items():
        if sum(row.values()):
            cells = " | ".join(f"{row.get(response, 0):,}" for response in responses)
            rows.append(f"| {situation} | {cells} |")
    rows += ["", "| rate | value | of |", "|---|--:|--:|"]
    for name, figure in recommendation["rates"].items():
        rows.append(f"| {name} | {number(figure)} | {figure['k']:,} / {figure['n']:,} |")
    return "\n".join(rows)


def number(figure: dict[str, Any]) -> str:
    """Write a figure with its interval, or a dash where there is none."""
    if figure["value"] is None:
        return "–"
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
