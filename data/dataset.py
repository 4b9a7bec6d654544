"""A folder of calls: what `crisiscall data` writes and everything else reads.

calls.parquet      one row per revision of a call, as `data.frame` declares it
outcomes.parquet   what was learned later
labels.parquet     one row per label, as `data.labels` declares it
groups.parquet     what belongs together and must not be split: incident, scenario family.
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
TABLES = ("calls", "outcomes", "labels", "groups", "rejected")

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
    outcomes, labels, groups, rejected : pandas.DataFrame, optional
        As declared by the dtypes of this module and of `data.labels`; empty if not given.
    manifest : dict
        What the source says of itself; counts and digests are added by `write`.
    """

    calls: pd.DataFrame
    outcomes: pd.DataFrame | None = None
    labels: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None
    rejected: pd.DataFrame | None = None
    manifest: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calls = frame.with_dtypes(self.calls)
        self.outcomes = _table(OUTCOME_DTYPES, self.outcomes)
        self.labels = labels.check_labels(_table(labels.DTYPES, self.labels))
        self.groups = _table(GROUP_DTYPES, self.groups)
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
            if folder.exists():
                shutil.rmtree(folder)
            work.rename(folder)
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
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            files: dict[str, str] = {name: manifest["files"][name] for name in TABLES}
        except (FileNotFoundError, NotADirectoryError):
            raise DatasetError(
                f"{folder} is no folder of calls (no {MANIFEST}); "
                "make one with `crisiscall data synthesize` or `crisiscall data import`"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise DatasetError(f"{folder / MANIFEST} is damaged; make the folder again") from None
        tables = {}
        for name, digest in files.items():
            path = folder / f"{name}.parquet"
            if not path.exists() or _file_digest(path) != digest:
                raise DatasetError(f"{path} is missing or not what its manifest says")
            tables[name] = pq.read_table(path).to_pandas()
        return cls(**tables, manifest=manifest)

    def _tables(self) -> dict[str, pd.DataFrame]:
        return {name: getattr(self, name) for name in TABLES}


def _write_table(table: pd.DataFrame, path: Path) -> str:
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path, compression="zstd")
    return _file_digest(path)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reasons(rejected: pd.DataFrame | None) -> dict[str, int]:
    assert rejected is not None
    return {str(reason): int(n) for reason, n in rejected["reason"].value_counts().items()}


def _span(times: pd.Series) -> list[str]:
    if times.empty:
        return []
    return [times.min().isoformat(), times.max().isoformat()]
