"""What every role has: help, and what is in force."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from model_service.service.console.page import page_router, render

router = page_router()

KEYS = (
    ("F4", "everywhere", "lock: the page is hidden until you give your password again"),
    ("Tab, Enter, Space", "everywhere", "reach and press whatever there is"),
)

TERMS = (
    ("Advisory", "Recommendations are shown. A person decides."),
    ("Shadow", "Recommendations are recorded and shown to nobody at a desk."),
    ("Off", "The model is not asked. Decisions are still recorded."),
    (
        "Follow protocol",
        "This software can’t help now. Do what your centre does without it; decisions are kept "
        "and recorded when they can be.",
    ),
)


@router.get("/help", name="help")
async def help_page(request: Request) -> Response:
    """Tell the keys, and what the words mean."""
    return render(request, "help.html", keys=KEYS, terms=TERMS)


@router.get("/state", name="state")
async def state(request: Request) -> Response:
    """Tell what is in force now: a part of every page, which it asks for again and again."""
    return render(request, "state.html")
