"""What goes wrong on a page is told as a page, and on a part of one as a part."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from model_service.service import problems
from model_service.service.accounts import AccountsUnavailable
from model_service.service.console.page import PageRoute, render
from model_service.service.cookies import HEADER

SIGN_IN = "/sign-in"


async def handle(request: Request, error: Exception) -> Response:
    """Answer with the problem that stands for an error, in the form in which was asked."""
    answer = await problems.handle(request, error)
    if not isinstance(request.scope.get("route"), PageRoute):
        return answer
    problem = problems.as_problem(error)
    part = HEADER in request.headers
    if problem.status_code == 401 and not part:
        return RedirectResponse(SIGN_IN, 303)
    if part or isinstance(error, AccountsUnavailable):
        return answer  # the page that asked says what it means; without users there is no frame
    return render(request, "error.html", status=problem.status_code, problem=problem)
