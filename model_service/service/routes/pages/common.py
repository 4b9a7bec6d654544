"""What every role has: help, and what is in force."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from model_service.service.console.page import page_router, render

router = page_router()

KEYS = (
    ("F8", "queue, type a call", "accept the recommendation, or commit to what was chosen"),
    ("F9", "queue, type a call", "override it; then a number is the reason, a letter the team"),
    ("Esc", "while overriding", "leave it be"),
    ("F2", "queue", "a revision that waits to be shown, or the undecided call that waits longest"),
    ("↑ ↓", "queue", "one call up or down"),
    ("F2", "type a call", "a new call"),
    ("Ctrl Enter", "type a call", "assess at once"),
    ("F4", "everywhere", "lock: the page is hidden until you give your password again"),
)

TERMS = (
    ("Advisory", "Recommendations are shown. A person decides."),
    ("Shadow", "Recommendations are recorded and shown to nobody at a desk."),
    ("Off", "The model is not asked. Decisions are still recorded."),
    ("Held back", "On some calls advice is shown after you have decided, to see what it does."),
    (
        "Follow protocol",
        "This software can’t help now. Do what your centre does without it; decisions are kept "
        "and recorded when they can be.",
    ),
    (
        "Unlikely, possible, likely",
        "Where a probability lies between the limits of the response plan. “About 80 in 100 such "
        "calls” is the probability itself: of a hundred calls that look like this, so many were.",
    ),
    ("No prediction", "The model knows too little of what was said, or not the language."),
    ("✕ boxed words", "State a fact that rules a response out, whatever the model says."),
    ("▲ words, double line", "Speak for a safety risk."),
    ("● words, line", "Speak for a mental-health crisis."),
    ("− words, dotted line", "Speak against both."),
)


@router.get("/help", name="help")
async def help_page(request: Request) -> Response:
    """Tell the keys, and what the words mean."""
    return render(request, "help.html", keys=KEYS, terms=TERMS)


@router.get("/state", name="state")
async def state(request: Request) -> Response:
    """Tell what is in force now: a part of every page, which it asks for again and again."""
    return render(request, "state.html")
