"""Dots and whiskers as SVG within a table, without a script."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT, EDGE = 260.0, 18.0, 6.0


@dataclass(frozen=True)
class Scale:
    """From figures to places; the same for all rows of a table.

    Parameters
    ----------
    low, high : float
        Ends of the axis.
    """

    low: float
    high: float

    def __call__(self, value: float) -> float:
        """Give the place of a figure, in units of the drawing."""
        span = self.high - self.low or 1.0
        share = (min(max(value, self.low), self.high) - self.low) / span
        return EDGE + share * (WIDTH - 2 * EDGE)


def scale(values: list[float], *, unit: str) -> Scale:
    """Find an axis with round ends that takes in all values; shares begin at 0 where it is near."""
    there = [value for value in values if math.isfinite(value)]
    if not there:
        return Scale(0.0, 1.0)
    low, high = min(there), max(there)
    if unit == "share" and low < 0.5 * high:
        low = 0.0
    span = high - low or 1.0
    step: float = 10.0 ** math.floor(math.log10(span))
    step = next(step * part for part in (0.1, 0.2, 0.5, 1.0, 2.0) if span / (step * part) <= 8)
    ends = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(max(0.0, ends[0]), min(1.0, ends[1])) if unit == "share" else Scale(*ends)


def whisker(
    value: float, low: float, high: float, all_calls: float, on: Scale, verdict: str
) -> Markup:
    """Draw a figure with its interval, and a line where all calls lie.

    Parameters
    ----------
    value, low, high, all_calls : float
        NaN is left out.
    on : Scale
    verdict : str
        May be empty; its first word is a class, for the style sheet.
    """
    kind = verdict.partition(" ")[0]
    middle = HEIGHT / 2
    parts = []
    if math.isfinite(all_calls):
        x = on(all_calls)
        parts.append(f'<line class="all" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT:.0f}"/>')
    if math.isfinite(low) and math.isfinite(high):
        parts.append(
            f'<line class="range" x1="{on(low):.1f}" x2="{on(high):.1f}" y1="{middle:.0f}" '
            f'y2="{middle:.0f}"/>'
        )
    if math.isfinite(value):
        x = on(value)
        if kind == "differs":
            d = f"M{x:.1f} {middle - 6:.0f}l6 6-6 6-6-6z"
            parts.append(f'<path class="dot" d="{d}"/>')
        else:
            parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{middle:.0f}" r="4"/>')
    return Markup(  # numbers and fixed words alone
        f'<svg class="{kind}" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" aria-hidden="true">'
        + "".join(parts)
        + "</svg>"
    )
