"""From raw bytes to a strict record."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from starlette.requests import Request

from data.call import Call, Record
from data.sources import eido
from model_service.service.problems import FieldError, invalid, invalid_record, unsupported

R = TypeVar("R", bound=Record)


def is_json(content_type: str) -> bool:
    """Say whether a content type is JSON in UTF-8, which is the only JSON there is (RFC 8259).

    Examples
    --------
    >>> is_json("application/json"), is_json("application/json; charset=UTF-8")
    (True, True)
    >>> is_json("application/json; charset=latin-1"), is_json("text/plain"), is_json("")
    (False, False, False)
    """
    media, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if media != "application/json" and not (
        media.startswith("application/") and media.endswith("+json")
    ):
        return False
    return all(
        parameter.removeprefix("charset=").strip('"') in ("utf-8", "utf8")
        for parameter in parameters
        if parameter.startswith("charset=")
    )


async def read_record(request: Request, record: type[R]) -> R:
    """Read a request's body as a record.

    Straight from the bytes: pydantic's own parser refuses what is not UTF-8, lone surrogates,
    numbers past all bounds and deep nesting, and nothing passes through a `dict` on the way.

    Raises
    ------
    Problem
        415 if the body is not JSON, 422 if it is not such a record.
    """
    body = await _json(request)
    try:
        return record.model_validate_json(body)
    except ValidationError as error:
        raise invalid_record(error, record, what=record.__name__.lower()) from None


async def read_eido(request: Request) -> tuple[Call, eido.Document, bytes]:
    """Read a request's body as an EIDO.

    Returns
    -------
    Call, Document, bytes
        The call that it tells of, as its first revision; the document; and the body as it came.

    Raises
    ------
    Problem
        415 if the body is not JSON, 422 if it is no EIDO, or no call can be read from it.
    """
    body = await _json(request)
    try:
        document = eido.Document(eido.parse(body))
        return eido.to_call(document), document, body
    except eido.EidoError as error:
        raise invalid([FieldError(error.path, error.what)], what="EIDO") from None


async def _json(request: Request) -> bytes:
    if not is_json(request.headers.get("content-type", "")):
        raise unsupported("application/json")
    return await request.body()
