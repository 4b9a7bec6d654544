"""A response plan in words, and step by step why it says what it says of a call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import get_args

from data.call import QUESTION_TEXTS, TARGETS, Call
from data.premise import Counts
from model_service.model.assess import advise
from model_service.model.facts import FACTS, Fact
from model_service.model.places import spelled
from model_service.model.plan import PROTOCOL, Band, Response, ResponsePlan
from model_service.model.questions import Consequence, NextQuestion
from model_service.model.recommend import Recommendation
from model_service.model.release import Release
from model_service.model.rota import DAYS, HOLIDAY, Shift
from model_service.model.teams import Teams

MODES = {
    "off": "The model is not asked.",
    "shadow": "Calls are scored and recorded; recommendations are shown to nobody at a desk.",
    "advisory": "Recommendations are shown to the dispatcher, who decides.",
}
EFFECTS = {
    "risk_high": "the safety band counts as high",
    "protocol": "the call is left to the centre's own protocol",
}


def plan_in_words(plan: ResponsePlan) -> str:
    """Write a plan in sentences, for people who read no YAML.

    Parameters
    ----------
    plan : ResponsePlan

    Returns
    -------
    str
        Markdown; no line says more than the plan.
    """
    return "\n".join(_plan(plan)) + "\n"


def _plan(plan: ResponsePlan) -> Iterator[str]:
    yield f"# {plan.title}"
    yield f"\nPlan `{plan.plan}`, version {plan.version}; dates and hours in {plan.timezone}."
    yield f"\nMode: {plan.mode}. {MODES[plan.mode]}"
    if plan.hold_back:
        yield (
            f"On {plan.hold_back:.0%} of the calls advice is shown only after the dispatcher has "
            "committed."
        )
    yield "\n## What the bands promise\n"
    for target in TARGETS:
        promises = plan.bands[target]  # type: ignore[index]
        of = "with 95% confidence at least" if promises.low.of == "lower_bound" else "at least"
        yield (
            f"- {_spoken(target)}: {of} {promises.low.sensitivity:.0%} of the true cases are in "
            f"medium or high; at least {promises.high.precision:.0%} of the calls in high are true "
            "cases."
        )
    yield "\n## When the model is not asked\n"
    yield (
        f"- Fewer than {plan.abstain.min_known_words} words are known to it, or nothing was said."
    )
    if plan.abstain.min_known_share:
        yield f"- Fewer than {plan.abstain.min_known_share:.0%} of the narrative's words are known."
    yield f"- The call is in a language other than {_list(plan.abstain.languages)}."
    yield "- Answers and narrative contradict each other."
    if plan.disqualifiers:
        yield "\n## What stands above the model\n"
        for question, effect in plan.disqualifiers.items():
            said = ", or said in the narrative" if question in FACTS else ""
            yield f"- “{QUESTION_TEXTS[question]}” answered yes{said}: {EFFECTS[effect]}."
    yield "\n## Who is recommended, in order of preference\n"
    for number, response in enumerate(plan.responses, 1):
        yield f"{number}. **{response.name}** (`{response.id}`). {_response(plan, response)}"
    yield f"\nNo team that fits: {plan.protocol.name}."
    stand_in = plan.stand_in
    yield (
        "Teams fit and none of them can be sent: "
        f"{plan.protocol.name if stand_in is None else stand_in.name}."
    )
    if plan.holidays:
        yield "\n## Holidays\n"
        for day, name in sorted(plan.holidays.items()):
            yield f"- {_day(day)}: {name}"
    if plan.areas:
        yield f"\nDrawn on the map: {_list(sorted(plan.areas))}."
    yield "\n## What the audit of fairness holds it to\n"
    for limit in plan.audit.limits:
        yield (
            f"- {_code(limit.subject)}, {_code(limit.measure)}: no group by "
            f"{_list(plan.audit.by, 'or')} may lie more than {limit.gap * 100:g} points above all "
            "other calls."
        )
    if plan.audit.limits and plan.audit.needs_evidence:
        yield "- A group with too few calls to tell breaks a limit too."
    smallest = f"{plan.audit.smallest_gap * 100:g} points"
    yield f"- The smallest gap between shares that matters: {smallest}."


def _response(plan: ResponsePlan, response: Response) -> str:
    crisis, risk = _list(response.mental_health_crisis), _list(response.safety_risk)
    said = [
        "With police officers." if response.police else "Without police officers.",
        f"For calls whose crisis band is {crisis} and whose safety band is {risk}.",
    ]
    if response.since is None:
        said.append("Planned: no date is set, and it is recommended to nobody.")
    else:
        until = "" if response.until is None else f" to {_day(response.until)}"
        said.append(f"From {_day(response.since)}{until}.")
    if response.hours is None:
        said.append("Day and night.")
    else:
        said.append(f"On duty {'; '.join(_shift(shift) for shift in response.hours)}.")
        if plan.holidays and not any(HOLIDAY in shift.days for shift in response.hours):
            said.append("Not on holidays.")
    said.append(
        "Everywhere." if response.places is None else f"In {_list(sorted(response.places))}."
    )
    if response.needs:
        needed = _list([f"“{QUESTION_TEXTS[question]}”" for question in response.needs], "and")
        said.append(f"Only once {needed} is known to be no.")
    if response.units is not None:
        said.append(f"{response.units} units; only while one is reported free.")
    return " ".join(said)


def _shift(shift: Shift) -> str:
    days = "every day" if set(DAYS) <= set(shift.days) else ", ".join(shift.days)
    return f"{days} {shift.start:%H:%M}-{shift.end:%H:%M}"


def notes(plan: ResponsePlan, today: date) -> list[str]:
    """List what a plan may not have meant: nothing that is wrong, all that is worth a look.

    Parameters
    ----------
    plan : ResponsePlan
    today : date
    """
    found = []
    some: tuple[Band, ...] = ("high", "medium")
    nobody = [
        f"crisis {crisis}, safety {risk}"
        for crisis, risk in product(some, get_args(Band))
        if not any(r.takes({TARGETS[0]: crisis, TARGETS[1]: risk}) for r in plan.responses)
    ]
    if nobody:
        found.append(f"left to the protocol, since no response takes them: {'; '.join(nobody)}")
    for number, response in enumerate(plan.responses):
        if response.since is None:
            found.append(f"{response.id}: has no first day, and is recommended to nobody")
        elif response.until is not None and response.until < today:
            found.append(f"{response.id}: ended on {response.until}")
        before = [r for r in plan.responses[:number] if _always(r, today)]
        bands = product(response.mental_health_crisis, response.safety_risk)
        taken = [
            any(r.takes({TARGETS[0]: crisis, TARGETS[1]: risk}) for r in before)
            for crisis, risk in bands
        ]
        if all(taken):
            found.append(f"{response.id}: never its turn; earlier ones that are always there take")
    named = {place for response in plan.responses for place in response.places or ()}
    drawn = {spelled(name) for name in plan.areas}
    undrawn = sorted(place for place in named if spelled(place) not in drawn)
    if plan.areas and undrawn:
        found.append(f"not drawn, and known by name alone: {', '.join(undrawn)}")
    idle = sorted(name for name in plan.areas if spelled(name) not in set(map(spelled, named)))
    if idle:
        found.append(f"drawn, and served by nobody in particular: {', '.join(idle)}")
    last = plan.last_holiday()
    if last is not None and last < today:
        found.append(f"the last holiday that is listed, {last}, is over")
    return found


def _always(response: Response, today: date) -> bool:
    return (
        response.since is not None
        and response.since <= today
        and not any((response.until, response.hours, response.places, response.units))
    )


def explained(
    release: Release,
    plan: ResponsePlan,
    call: Call,
    history: Counts | None = None,
    *,
    quoting: bool = False,
) -> str:
    """Write step by step why a plan says what it says of a call.

    Parameters
    ----------
    release : Release
        Its model and thresholds.
    plan : ResponsePlan
        Its own, or another.
    call : Call
    history : tuple of int, optional
    quoting : bool
        Whether to repeat the words that say or deny a fact. Else nothing of the narrative is in it.

    Returns
    -------
    str
    """
    return "\n".join(_steps(release, plan, call, history, quoting)) + "\n"


def _steps(
    release: Release, plan: ResponsePlan, call: Call, history: Counts | None, quoting: bool
) -> Iterator[str]:
    scored = release.scorer.score(call, history)
    made, questions = advise(release, plan, call, scored)
    local = call.received_at.astimezone(plan.zone)
    holiday = plan.holidays.get(local.date())
    place = call.neighborhood or "neighbourhood not known"
    point = "no point" if call.latitude is None else "with a point"
    yield f"Call {call.call_id}, revision {call.revision}; plan {plan.plan} {plan.version}"
    yield (
        f"1. when and where   {local:%A %Y-%m-%d %H:%M %Z}"
        + (f" ({holiday})" if holiday else "")
        + f"; {place}, {point}"
    )
    if made.abstained:
        why = next(r for r in made.reasons if r.code.startswith(("abstained:", "unsupported:")))
        yield f"2. model             not used: {why.text} [{why.code}]"
    else:
        yield f"2. model             {scored.known_words} known words"
        for target, p in scored.prediction._asdict().items():
            limits = release.thresholds[target]
            assert limits.low is not None
            band = limits.band(p)
            high = "never" if limits.high > 1 else f"{limits.high:.3f}"
            yield (
                f"   {_spoken(target):<17} {p:.3f}: {band} (medium from {limits.low:.3f}, high "
                f"from {high})"
            )
    yield from _facts(plan, call, made, quoting)
    yield from _responses(plan, call, made)
    yield f"5. recommendation    {made.name} [{made.response}]"
    for reason in made.reasons:
        yield f"   - {reason.text} [{reason.code}]"
    yield from _questions(questions)
    if plan.mode != "advisory":
        yield f"   {plan.mode}: {MODES[plan.mode]}"
    elif plan.hold_back:
        yield f"   held back on {plan.hold_back:.0%} of the calls, until a decision is in"
    if made.response == PROTOCOL:
        yield "   the protocol is what the centre would do without this software"


def _facts(plan: ResponsePlan, call: Call, made: Recommendation, quoting: bool) -> Iterator[str]:
    effects = {hit.code: f": {EFFECTS[hit.effect]}" for hit in made.disqualifiers}
    spoken_of = [fact for fact in made.facts if fact.answer is not None or fact.spans]
    silent = [fact.code for fact in made.facts if fact not in spoken_of]
    if spoken_of:
        yield "3. facts"
    else:
        yield "3. facts             nothing was answered or said of any"
    for fact in spoken_of:
        mark = "!" if fact.code in effects else " "
        value = fact.value + (", contradictory" if fact.contradictory else "")
        yield f"   {mark} {fact.code:<20} {value}{effects.get(fact.code, '')}"
        yield f"     by {'; '.join(_evidence(fact, call, quoting))}"
    if spoken_of and silent:
        yield f"     not known: {', '.join(silent)}"


def _evidence(fact: Fact, call: Call, quoting: bool) -> Iterator[str]:
    if fact.answer is not None:
        yield f"answers.{fact.code}: {fact.answer}"
    for span in fact.spans:
        place = f"{span.column} {span.start}-{span.end}, {span.polarity}"
        words = getattr(call, span.column)[span.start : span.end]
        yield f"{place}: “{words}”" if quoting else place


def _responses(plan: ResponsePlan, call: Call, made: Recommendation) -> Iterator[str]:
    if made.bands is None or any(hit.effect == "protocol" for hit in made.disqualifiers):
        yield "4. responses         not asked"
        return
    yield "4. responses         in order of preference; units are not asked for here"
    teams = Teams(plan, call)
    values = {fact.code: fact.value for fact in made.facts}
    for response in plan.responses:
        if not response.takes(made.bands):
            verdict = "does not take " + ", ".join(
                f"{_spoken(target)} {band}"
                for target, band in made.bands.items()
                if band not in getattr(response, target)
            )
        elif stated := [code for code in response.needs if values[code] == "yes"]:
            verdict = f"does not take a yes to {', '.join(stated)}"
        elif obstructed := teams.obstacle(response):
            verdict = f"fits, and can't be sent: {obstructed}"
        elif lacking := [code for code in response.needs if values[code] == "unknown"]:
            verdict = f"fits, but for what is not known: {', '.join(lacking)}"
        else:
            verdict = "fits"
        mark = "→" if response.id == made.response else " "
        yield f"   {mark} {response.id:<20} {verdict}"


def _questions(questions: tuple[NextQuestion, ...]) -> Iterator[str]:
    if not questions:
        yield "6. next question     none whose answer is likely to change this"
        return
    yield "6. next question     by how likely its answer changes this"
    for asked in questions:
        likely = f"{asked.change_probability:.0%}"
        yield f"   {asked.text} ({likely}) {asked.why.text} [{asked.why.code}]"
        for answer, then in (("yes", asked.if_yes), ("no", asked.if_no)):
            yield f"     {answer:<3} → {then.name} [{then.response}]{_moves(then)}"


def _moves(then: Consequence) -> str:
    moved = [
        f"{_spoken(target)} {getattr(then, target):+.3f}"
        for target in TARGETS
        if abs(getattr(then, target)) >= 0.0005
    ]
    return f"; {', '.join(moved)}" if moved else ""


def _spoken(target: str) -> str:
    return {"mental_health_crisis": "crisis", "safety_risk": "safety risk"}[target]


def _code(name: str) -> str:
    return f"`{name}`"


def _list(items: tuple[str, ...] | list[str], word: str = "or") -> str:
    *first, last = items
    return f"{', '.join(first)} {word} {last}" if first else last


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
