"""Whether people's decisions narrow the gaps of the recommendation, or widen them.

On calls whose dispatcher had seen advice, each group's gap to the rest is taken twice: of what was
recommended, and of what was decided, on the same calls. The change is the second less the first;
its interval comes of a bootstrap of incidents, in which both are drawn together. Over all groups
and shares the false discovery rate is held as in `training.audit.verdicts`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment
from numpy.typing import NDArray
from scipy.stats import norm

from training.audit import verdicts, words
from training.audit.audit import Audit
from training.audit.groups import LEAST, TITLES, grouping
from training.audit.measures import DECISION, RECOMMENDATION, Rate, rates
from training.audit.period import Period
from training.audit.report import Section
from training.audit.uncertainty import RESAMPLES, Clusters, percentiles, variance

Floats = NDArray[np.float64]

SHARES = {
    "police_without_need": "Police to crises without a safety risk",
    "false_negative_rate": "No police to safety risks",
}
NARROWS, WIDENS = "narrows", "widens"
NO_CHANGE = "no change found"


def changes(
    period: Period, by: str, *, seed: int = 0, resamples: int = RESAMPLES, matters: float = 0.1
) -> pd.DataFrame:
    """Compare the gaps of recommendation and decision on the same calls.

    Parameters
    ----------
    period : Period
    by : str
        As `training.audit.groups.grouping` takes it.
    seed : int
    resamples : int
    matters : float
        The smallest change that matters; one within it on both sides is *no change found*.

    Returns
    -------
    pandas.DataFrame
        One row per group and share: `group`, `share`, `among`, the share and the gap as
        `recommended`, `decided`, `gap_recommended`, `gap_decided`; `change`, `low`, `high`, `p`,
        `p_adjusted`, `verdict`. Empty where nobody decided with advice.
    """
    calls = period.calls
    calls = calls[calls["advised"].astype(bool) & calls["decision"].notna()]
    calls = calls[calls["recommended_police"].notna() & calls["decided_police"].notna()]
    if calls.empty:
        return pd.DataFrame(columns=["group", "share", "verdict"])
    made = grouping(calls, by)
    n_groups = len(made.names)
    clusters = Clusters(
        made.codes,
        n_groups,
        pd.factorize(calls["incident"])[0],
        calls["weight"].to_numpy(),
    )
    recommended, decided = rates(calls, RECOMMENDATION), rates(calls, DECISION)
    rng = np.random.default_rng(seed)
    parts = []
    for share in SHARES:
        types = _types(recommended[share], decided[share])
        counts, drawn = clusters.resampled(types, 4, rng, resamples)
        figures = _gaps(counts[:, None, :])
        change = _gaps(drawn.astype(np.float64))["change"]
        low, high = percentiles(change)
        error = np.sqrt(variance(change))
        among = np.bincount(made.codes[types >= 0], minlength=n_groups)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * norm.sf(np.abs(figures["change"][:, 0]) / error)
        few = (among < LEAST) | (len(types[types >= 0]) - among < LEAST)
        table = {name: np.where(few, np.nan, values[:, 0]) for name, values in figures.items()}
        table |= {"low": np.where(few, np.nan, low), "high": np.where(few, np.nan, high)}
        table["p"] = np.where(few | (error == 0), np.nan, p)
        parts.append(pd.DataFrame({"group": made.names, "share": share, "among": among, **table}))
    found = pd.concat(parts, ignore_index=True)
    found["p_adjusted"] = verdicts.adjusted(found["p"].to_numpy(), np.zeros(len(found), dtype=bool))
    found["verdict"] = [_verdict(row, matters) for row in found.to_dict("records")]
    return found


def _types(recommended: Rate, decided: Rate) -> NDArray[np.intp]:
    """Code what was recommended (2) and what was decided (1); -1 for calls that do not count."""
    hits = 2 * recommended.hits.astype(np.intp) + decided.hits.astype(np.intp)
    return np.where(recommended.among & decided.among, hits, -1)


def _gaps(counts: Floats) -> dict[str, Floats]:
    """Compute shares and gaps of counts by type, of shape (n_groups, n, 4)."""
    whole = counts.sum(axis=2)
    everybody = whole.sum(axis=0) - whole
    made: dict[str, Floats] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, cells in (("recommended", [2, 3]), ("decided", [1, 3])):
            hits = counts[:, :, cells].sum(axis=2)
            made[name] = hits / whole
            made[f"gap_{name}"] = made[name] - (hits.sum(axis=0) - hits) / everybody
    made["change"] = made["gap_decided"] - made["gap_recommended"]
    return made


def _verdict(row: dict[Any, Any], matters: float) -> str:
    if row["p_adjusted"] <= verdicts.FALSE_DISCOVERIES:
        before, after = row["gap_recommended"], row["gap_decided"]
        if abs(after) > abs(before):
            return WIDENS
        return NARROWS
    if row["low"] > -matters and row["high"] < matters:
        return NO_CHANGE
    return verdicts.INSUFFICIENT


def section(period: Period, made: Audit) -> Section | None:
    """Make the section of the report; None where nobody decided with advice.

    Parameters
    ----------
    period : Period
    made : Audit
    """
    by = made.words["by"][0]
    found = changes(
        period,
        by,
        seed=made.words["seed"],
        resamples=made.words["resamples"],
        matters=made.rule.smallest_gap,
    )
    if found.empty:
        return None
    rows = [
        {
            **row,
            **{
                name: words.gap(row[name], "share")
                for name in ("gap_recommended", "gap_decided", "change", "low", "high")
            },
            "moved": row["verdict"] in (NARROWS, WIDENS),
        }
        for row in found.to_dict("records")
    ]
    html = _TEMPLATE.render(
        shares=[(title, [r for r in rows if r["share"] == name]) for name, title in SHARES.items()],
        by=TITLES.get(by, by),
    )
    return Section(
        "people",
        "Do decisions narrow or widen the gaps?",
        _summary(found, by),
        html,
        {"by": by, "changes": found.to_dict("records")},
        {"changes": found},
    )


def _summary(found: pd.DataFrame, by: str) -> str:
    said = []
    for verdict, does in ((WIDENS, "widen"), (NARROWS, "narrow")):
        for row in found[found["verdict"] == verdict].to_dict("records"):
            said.append(
                f"Decisions {does} the gap {words.where(by, row['group'])} "
                f"({SHARES[row['share']].lower()}): from "
                f"{words.gap(row['gap_recommended'], 'share')} to "
                f"{words.gap(row['gap_decided'], 'share')} points."
            )
    open_ = int((found["verdict"] == verdicts.INSUFFICIENT).sum())
    if not said:
        said.append("No decision is known to narrow or widen a gap of the recommendation.")
    if open_:
        said.append(f"Of {open_} of {len(found)} there is too little evidence to say.")
    return " ".join(said)


_TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """<p>On calls whose dispatcher had seen advice: the group's gap to the rest in what was
recommended, and in what was decided, in points; <em>change</em> is the second less the first.</p>
{% for title, rows in shares %}
<figure><figcaption><h4>{{ title }}</h4></figcaption><div class="wide"><table>
<thead><tr><th scope="col">{{ by }}</th><th scope="col" class="n">calls that count</th>
<th scope="col" class="n">gap recommended</th><th scope="col" class="n">gap decided</th>
<th scope="col" class="n">change, 95% interval</th><th scope="col">verdict</th></tr></thead><tbody>
{% for row in rows %}
<tr{% if row.moved %} class="hit"{% endif %}><th scope="row">{{ row.group }}</th>
<td class="n">{{ "{:,}".format(row.among) }}</td><td class="n">{{ row.gap_recommended }}</td>
<td class="n">{{ row.gap_decided }}</td>
<td class="n">{{ row.change }}
{% if row.low != "–" %}({{ row.low }} to {{ row.high }}){% endif %}</td>
<td>{% if row.moved %}<strong class="differs">◆ {{ row.verdict }}</strong>
{% elif row.verdict == "no change found" %}<span class="no">● {{ row.verdict }}</span>
{% else %}<span class="insufficient">○ {{ row.verdict }}</span>{% endif %}</td></tr>
{% endfor %}
</tbody></table></div></figure>
{% endfor %}
"""
)
