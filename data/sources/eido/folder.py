"""EIDO files → a `Dataset`: each file is one document, each update of an incident one revision.

The files are an archive, and what stands in an archive was mostly written when all was over. So
beside the times of the components the words count too: each narrative is cut where a rule of
`data/cut.yaml` finds that a unit had been sent. Dispositions, and an incident's type that was set
after dispatch, become the outcome of the call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from data.call import Call, Outcome
from data.cut import CutCount, cut, standard_rules
from data.dataset import OUTCOME_DTYPES, REJECTED_DTYPES, Dataset, file_digest
from data.errors import InputError
from data.frame import to_frame
from data.sources.eido.document import Document, EidoError, Json, parse
from data.sources.eido.read import call_id_of, late_call_type, to_call

Progress = Callable[[Iterable[Any]], Iterable[Any]]

SUFFIX = ".json"


@dataclass
class _Kept:
    """What has been read so far; `documents` by the number of the call, with the file's own."""

    documents: dict[str, list[tuple[int, Path, Document]]] = field(default_factory=dict)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def reject(self, number: int, path: Path, where: str, reason: str) -> None:
        record = json.dumps({"file": path.name})
        self.rejected.append({"row": number, "field": where, "reason": reason, "record": record})


def find_documents(inputs: list[Path]) -> list[Path]:
    """List the files of EIDOs: the files that are given, and every .json in a folder.

    Raises
    ------
    InputError
        If one is not there, or there is none at all.
    """
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            found += sorted(one for one in path.rglob(f"*{SUFFIX}") if one.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    if not found:
        raise InputError(f"{', '.join(map(str, inputs))}: no {SUFFIX} file of an EIDO in there")
    return found


def read_documents(files: list[Path], *, progress: Progress | None = None) -> Dataset:
    """Read EIDOs as calls.

    The documents of one incident are its revisions, in the order of their `lastUpdateTimeStamp`.
    A file that is no EIDO, or repeats another to the letter of its content, goes to `rejected`,
    which names it.

    Parameters
    ----------
    files : list of Path
        As `find_documents` gives them.
    progress : callable, optional
        Wraps the iteration over files.

    Returns
    -------
    Dataset
        Without labels. Not written.

    Raises
    ------
    InputError
        If none of the files could be kept.
    """
    kept = _Kept()
    for number, path in enumerate(progress(files) if progress else files, 1):
        _read(number, path, kept)
    rules = standard_rules()
    count = CutCount(rules.digest)
    calls: list[Call] = []
    outcomes: list[Outcome] = []
    for call, outcome in _revisions(kept):
        result = cut(call.narrative, rules)
        count.add(result)
        calls.append(call.model_copy(update={"narrative": result.kept}))
        outcomes += [] if outcome is None else [outcome]
    if not calls:
        reasons = "; ".join(dict.fromkeys(str(one["reason"]) for one in kept.rejected[:3]))
        raise InputError(f"none of the {len(files):,} files could be kept: {reasons}")
    learned = pd.DataFrame([one.model_dump() for one in outcomes], columns=list(OUTCOME_DTYPES))
    return Dataset(
        calls=to_frame(calls),
        outcomes=learned,
        rejected=pd.DataFrame(kept.rejected, columns=list(REJECTED_DTYPES)),
        manifest={
            "source": "eido",
            "title": "Emergency Incident Data Objects (NENA-STA-021.1)",
            "inputs": kept.inputs,
            "rows": len(files),
            "narrative_cut": count.as_manifest(),
        },
    )


def _read(number: int, path: Path, kept: _Kept) -> None:
    try:
        document = Document(parse(path.read_bytes()))
        to_call(document)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except EidoError as error:
        kept.reject(number, path, error.path, str(error))
        return
    kept.inputs.append({"file": path.name, "sha256": file_digest(path)})
    kept.documents.setdefault(call_id_of(document), []).append((number, path, document))


def _revisions(kept: _Kept) -> Iterator[tuple[Call, Outcome | None]]:
    """Yield the revisions of each call, the outcome with the last one."""
    for documents in kept.documents.values():
        distinct: dict[str, Document] = {}
        for number, path, document in sorted(documents, key=lambda one: one[2].root.updated_at):
            content = json.dumps(document.content, sort_keys=True)
            if content in distinct:
                kept.reject(number, path, "", "exact duplicate")
            distinct.setdefault(content, document)
        for revision, document in enumerate(distinct.values(), 1):
            last = revision == len(distinct)
            yield to_call(document, revision=revision), _outcome(document) if last else None


def _outcome(document: Document) -> Outcome | None:
    """Give what a document tells of the time after dispatch, if anything."""
    known: list[datetime] = []
    told: Json = {}
    late = late_call_type(document)
    if document.incident is not None and late is not None:
        told["final_call_type"] = late
        known.append(document.incident.updated_at)
    dispositions = document.dispositions
    words = [
        text
        for one in sorted(dispositions, key=lambda one: not one.content.get(_PRIMARY, False))
        for name in _WORDS
        if (text := one.text(name)) is not None
    ]
    if words:
        told["disposition"] = " / ".join(dict.fromkeys(words))[:200]
        known += [one.updated_at for one in dispositions]
    if not told:
        return None
    try:
        return Outcome(call_id=call_id_of(document), recorded_at=max(known), **told)
    except ValidationError:
        return None  # recorded at no time that can be


_PRIMARY = "dispositionPrimaryIndicator"
_WORDS = (
    "dispositionCommonRegistryCode",
    "dispositionCategoryText",
    "dispositionDescriptionText",
)
