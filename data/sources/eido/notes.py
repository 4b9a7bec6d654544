"""Notes: HTML in an EIDO, plain text in a narrative.

The standard wants HTML5, and senders also write plain text. So only what is certainly markup, a
known element in angle brackets, is taken away; whatever else stands in the note stays, since a
lost word could be the knife.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

_BLOCKS = (
    "p|div|ul|ol|li|dl|dt|dd|table|thead|tbody|tfoot|tr|h[1-6]|pre|blockquote|section|article"
    "|header|footer|hr|address|main|aside|nav|figure|figcaption|form|fieldset"
)
_INLINE = (
    "a|abbr|b|bdi|bdo|big|body|button|caption|center|cite|code|col|colgroup|data|del|dfn|em|font"
    "|head|html|i|img|input|ins|kbd|label|link|mark|meta|q|s|samp|small|span|strike|strong|sub"
    "|summary|details|sup|td|th|time|title|tt|u|var|wbr"
)
_UNSEEN = (
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<script\b[^<>]*>", re.IGNORECASE), re.compile(r"</script\s*>", re.IGNORECASE)),
    (re.compile(r"<style\b[^<>]*>", re.IGNORECASE), re.compile(r"</style\s*>", re.IGNORECASE)),
)
_BREAK = re.compile(r"<br\b[^<>]*>\n?", re.IGNORECASE)
_BLOCK = re.compile(rf"</?(?:{_BLOCKS})(?:\s[^<>]*|/)?>|<!doctype\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:{_INLINE})(?:\s[^<>]*|/)?>", re.IGNORECASE)


def to_text(markup: str) -> str:
    r"""Read a note as text.

    Parameters
    ----------
    markup : str
        HTML, or plain text with or without stray signs.

    Returns
    -------
    str
        Without white space at its ends.

    Examples
    --------
    >>> to_text("<p>male w/ <b>knife</b></p><p>pt &lt; 18<br>alone</p>")
    'male w/ knife\npt < 18\nalone'
    >>> to_text("BP<90, <unk male> w/ knife")
    'BP<90, <unk male> w/ knife'
    """
    text = markup
    if "<" in text:
        for begin, end in _UNSEEN:
            text = _without(text, begin, end)
        text, blocks = _BLOCK.subn("\n", _BREAK.sub("\n", text))
        if blocks:
            lines = (line.strip() for line in text.split("\n"))
            text = "\n".join(line for line in lines if line)
        text = _TAG.sub("", text)
    return html.unescape(text).strip()


def _without(text: str, begin: re.Pattern[str], end: re.Pattern[str]) -> str:
    """Leave out what stands between two marks; what is never closed stays."""
    kept, at = "", 0
    while (opened := begin.search(text, at)) and (closed := end.search(text, opened.end())):
        kept += text[at : opened.start()]
        at = closed.end()
    return kept + text[at:]


def to_html(text: str) -> str:
    r"""Write text as HTML that `to_text` reads back to the letter, but for its ends.

    Examples
    --------
    >>> to_html("pt < 18\nalone")
    'pt &lt; 18<br>alone'
    """
    return html.escape(text, quote=False).replace("\n", "<br>")


def paragraphs(*parts: str | Sequence[str]) -> str:
    """Write paragraphs, and a list for each part that is a sequence; empty lists are left out.

    Examples
    --------
    >>> paragraphs("so:", ["a", "b"])
    '<p>so:</p><ul><li>a</li><li>b</li></ul>'
    """
    written = []
    for part in parts:
        if isinstance(part, str):
            written.append(f"<p>{to_html(part)}</p>")
        elif part:
            items = "".join(f"<li>{to_html(item)}</li>" for item in part)
            written.append(f"<ul>{items}</ul>")
    return "".join(written)
