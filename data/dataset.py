"""A folder of calls: what `crisiscall data` writes and everything else reads.

calls.parquet      one row per revision of a call, as `data.frame` declares it
outcomes.parquet   what was learned later
labels.parquet     one row per label, as `data.labels` declares it
groups.parquet     what belongs together and must not be split: incident, scenario family.
                   Nothing of it is ever a feature
reviews.parquet    what experts answered in a review of labels (`data.review`), row by row
assessed.parquet   for calls of a decision log: how each was assessed, drawn and decided.
                   Nothing of it is ever a feature
rejected.parquet   rows that could not be taken, as they came, each with the reason
manifest.json      source, counts, reasons, digests
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data import frame, labels
from data.call import TARGETS, Outcome
from data.errors import InputError

MANIFEST = "manifest.json"
FORMAT = 1
TABLES = ("calls", "outcomes", "labels", "groups", "reviews", "assessed", "rejected")
YOUNGER = ("reviews", "assessed")
"""Tables that folders of an earlier version don't have; they are empty there."""

OUTCOME_DTYPES: dict[str, str] = {
    "call_id": "str",
    "recorded_at": "datetime64[us, UTC]",
    "final_call_type": "str",
    "disposition": "str",
    "clinician_finding": "str",
    "weapon_found": "boolean",
    "violence_occurred": "boolean",
    "force_used": "boolean",
}
assert list(OUTCOME_DTYPES) == list(Outcome.model_fields)

GROUP_DTYPES: dict[str, str] = {
    "call_id": "str",
    "incident_id": "str",
    "family": "str",
    "style": "str",
}

REVIEW_DTYPES: dict[str, str] = {
    "round": "int64",
    "call_id": "str",
    "target": "str",
    "verdict": "str",
    "by": "str",
    "reviewed_at": "datetime64[us, UTC]",
}
"""`verdict` is yes, no or unsure."""

ASSESSED_DTYPES: dict[str, str] = {
    "call_id": "str",
    "revision": "int64",
    "at": "datetime64[us, UTC]",
    "release": "str",
    "mode": "str",
    "withheld": "str",
    "hold_back": "float64",
    "drawn": "boolean",
    "chance_unadvised": "float64",
    "recommendation": "str",
    "abstained": "boolean",
    "unserved": "boolean",
    **{f"probability_{target}": "float64" for target in TARGETS},
    "decided_at": "datetime64[us, UTC]",
    "action": "str",
    "response": "str",
    "reason": "str",
    "advised": "boolean",
    "time_to_decide_ms": "float64",
}
"""One row per call: the assessment whose revision stands in `calls`, and the first decision on the
call. `chance_unadvised` is the probability with which that decision was to be made without advice,
0 to 1, missing where the log can't tell; `advised` says what came of it."""

REJECTED_DTYPES: dict[str, str] = {"row": "int64", "field": "str", "reason": "str", "record": "str"}
"""`row` counts the data rows of the input from 1; `record` is the row as JSON, as it came."""


class DatasetError(InputError):
    """A folder of calls that is not there, not whole or not as its manifest says."""


def _table(dtypes: dict[str, str], rows: pd.DataFrame | None) -> pd.DataFrame:
    empty = pd.DataFrame(columns=list(dtypes))
    return (empty if rows is None else rows.reindex(columns=list(dtypes))).astype(dtypes)


@dataclass
class Dataset:
    """Calls with what belongs to them.

    Parameters
    ----------
    calls : pandas.DataFrame
        As `data.frame.DTYPES` declares.
    outcomes, labels, groups, reviews, assessed, rejected : pandas.DataFrame, optional
        As declared by the dtypes of this module and of `data.labels`; empty if not given.
    manifest : dict
        What the source says of itself; counts and digests are added by `write`.
    """

    calls: pd.DataFrame
    outcomes: pd.DataFrame | None = None
    labels: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None
    reviews: pd.DataFrame | None = None
    assessed: pd.DataFrame | None = None
    rejected: pd.DataFrame | None = None
    manifest: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calls = frame.with_dtypes(self.calls)
        self.outcomes = _table(OUTCOME_DTYPES, self.outcomes)
        self.labels = labels.check_labels(_table(labels.DTYPES, self.labels))
        self.groups = _table(GROUP_DTYPES, self.groups)
        self.reviews = _table(REVIEW_DTYPES, self.reviews)
        self.assessed = _table(ASSESSED_DTYPES, self.assessed)
        self.rejected = _table(REJECTED_DTYPES, self.rejected)

    def targets(self) -> pd.DataFrame:
        """One nullable boolean column per target, aligned with `calls`."""
        assert self.labels is not None
        return labels.resolve(self.labels, self.calls["call_id"])

    def incidents(self) -> pd.Series:
        """Incident of each call, aligned with `calls`; a call without one is its own incident."""
        return self._group("incident_id").fillna(self.calls["call_id"])

    def families(self) -> pd.Series:
        """Scenario family of each call, aligned with `calls`; missing where there is none."""
        return self._group("family")

    def _group(self, column: str) -> pd.Series:
        assert self.groups is not None
        lookup = self.groups.drop_duplicates("call_id").set_index("call_id")[column]
        return self.calls["call_id"].map(lookup).astype("str")

    def label_counts(self) -> dict[str, dict[str, int]]:
        """Count the calls, however many revisions they have, by target and value."""
        targets = self.targets()[~self.calls["call_id"].duplicated()]
        return {
            target: {
                "positive": int((targets[target] == True).sum()),  # noqa: E712 - nullable boolean
                "negative": int((targets[target] == False).sum()),  # noqa: E712
                "missing": int(targets[target].isna().sum()),
            }
            for target in TARGETS
        }

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the tables, as the manifest holds it after `write`."""
        return str(self.manifest["digest"])

    def write(self, folder: Path) -> None:
        """Write the folder whole or not at all; an earlier one is replaced at the end.

        Raises
        ------
        DatasetError
            If `folder` exists and is not a folder of calls: it is not ours to replace.
        """
        if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
            raise DatasetError(f"{folder} holds other files; name a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            digests = {
                name: _write_table(table, work / f"{name}.parquet")
                for name, table in self._tables().items()
            }
            self.manifest = {
                **self.manifest,
                "format": FORMAT,
                "calls": int(self.calls["call_id"].nunique()),
                "revisions": len(self.calls),
                "rejected": _reasons(self.rejected),
                "labels": self.label_counts(),
                "received_at": _span(self.calls["received_at"]),
                "files": digests,
                "digest": hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest(),
            }
            text = json.dumps(self.manifest, indent=2, ensure_ascii=False, default=str)
            (work / MANIFEST).write_text(text + "\n", encoding="utf-8")
            os.chmod(work, 0o755)
            _swap(work, folder)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise

    @classmethod
    def read(cls, folder: Path) -> Dataset:
        """Read a folder and check it against its manifest.

        Raises
        ------
        DatasetError
            If the folder is missing, or a file is missing or differs from its digest.
        """
        manifest = manifest_of(folder)
        try:
            files: dict[str, str] = {
                name: manifest["files"][name]
                for name in TABLES
                if name not in YOUNGER or name in manifest["files"]
            }
        except (KeyError, TypeError):
            raise DatasetError(f"{folder / MANIFEST} is damaged; make the folder again") from None
        tables = {}
        for name, digest in files.items():
            path = folder / f"{name}.parquet"
            if not path.exists() or file_digest(path) != digest:
                raise DatasetError(f"{path} is missing or not what its manifest says")
            tables[name] = pq.read_table(path).to_pandas()
        return cls(**tables, manifest=manifest)

    def _tables(self) -> dict[str, pd.DataFrame]:
        return {name: getattr(self, name) for name in TABLES}


def manifest_of(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder of calls, and nothing else of it.

    Raises
    ------
    DatasetError
        If there is none, or it is damaged.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(
            f"{folder} is no folder of calls (no {MANIFEST}); "
            "make one with `crisiscall data synthesize` or `crisiscall data import`"
        ) from None
    except ValueError:
        raise DatasetError(f"{folder / MANIFEST} is damaged; make the folder again") from None
    if not isinstance(manifest, dict):
        raise DatasetError(f"{folder / MANIFEST} is damaged; make the folder again")
    return manifest


def _swap(work: Path, folder: Path) -> None:
    """Put a finished folder in the place of an earlier one, which is kept until then."""
    if not folder.exists():
        work.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(aside / "old")
    try:
        work.rename(folder)
    except BaseException:
        (aside / "old").rename(folder)
        aside.rmdir()
        raise
    shutil.rmtree(aside)


def _write_table(table: pd.DataFrame, path: Path) -> str:
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path, compression="zstd")
    return file_digest(path)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reasons(rejected: pd.DataFrame | None) -> dict[str, int]:
    assert rejected is not None
    return {str(reason): int(n) for reason, n in rejected["reason"].value_counts().items()}


def _span(times: pd.Series) -> list[str]:
    if times.empty:
        return []
    return [times.min().isoformat(), times.max().isoformat()]
