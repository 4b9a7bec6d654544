"""Files to rows: which files, how they are compressed and encoded, whether they are CSV at all."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from data.errors import InputError

SUFFIXES = (".csv", ".csv.gz", ".csv.zst")

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UNREADABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Row:
    """A data row as it came; an undecodable byte is a lone surrogate in it."""

    number: int
    values: list[str]

    @property
    def undecodable(self) -> bool:
        """Whether some byte of the row is not of the declared encoding."""
        return any(not v.isascii() and _SURROGATE.search(v) is not None for v in self.values)


def find_inputs(paths: list[Path]) -> list[Path]:
    """Name the files to read: each as given, and of a folder every CSV directly in it.

    Parameters
    ----------
    paths : list of Path

    Returns
    -------
    list of Path
        Each file once, in the order given, those of a folder by name.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no CSV.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.name.lower().endswith(SUFFIXES))
            if not found:
                raise InputError(f"{path} is a folder without a file in {', '.join(SUFFIXES)}")
        elif path.exists():
            found = [path]
        else:
            raise InputError(f"{path} does not exist")
        for file in found:
            files.setdefault(file.resolve(), file)
    return list(files.values())


def digest(path: Path) -> str:
    """SHA-256 of a file as it lies, compressed or not."""
    with _mendable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_header(path: Path, encoding: str = "utf-8", delimiter: str = ",") -> list[str]:
    """Read the names of a file's columns.

    Raises
    ------
    InputError
        If the file is empty, damaged or no CSV.
    """
    with _mendable(path), _open(path, encoding) as text:
        return _header(csv.reader(text, delimiter=delimiter, strict=True), path)


def read_rows(path: Path, encoding: str, delimiter: str, first: int) -> Iterator[Row]:
    """Yield the data rows of a file; blank lines are passed over.

    Parameters
    ----------
    path : Path
    encoding, delimiter : str
    first : int
        The number of the file's first row.

    Raises
    ------
    InputError
        If the file can't be read to its end.
    """
    with _mendable(path), _open(path, encoding) as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        _header(reader, path)
        number = first
        try:
            for values in reader:
                if values:
                    yield Row(number, values)
                    number += 1
        except csv.Error as error:
            raise InputError(
                f"{path} is no well-formed CSV at line {reader.line_num} ({error}); "
                "is a quotation mark not closed?"
            ) from None


def _header(reader: Iterator[list[str]], path: Path) -> list[str]:
    try:
        names = next((row for row in reader if row), None)
    except csv.Error:
        raise InputError(f"{path} is not a CSV file of text") from None
    if names is None:
        raise InputError(f"{path} is empty")
    if any(_UNREADABLE.search(name) for name in names):
        raise InputError(f"{path} is not a CSV file of text; export it as CSV in UTF-8")
    return [name.strip() for name in names]


@contextmanager
def _open(path: Path, encoding: str) -> Iterator[IO[str]]:
    with path.open("rb") as start:
        magic = start.read(4)
    raw: Any
    if magic.startswith(_GZIP):
        raw = gzip.GzipFile(path, "rb")
    elif magic == _ZSTD:
        raw = pa.input_stream(str(path), compression="zstd")
    else:
        raw = path.open("rb")
    # A byte that is not of the encoding comes through as a lone surrogate, which no valid text
    # holds: so one bad row can be rejected, and the others kept.
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    text = io.TextIOWrapper(raw, codec, errors="surrogateescape", newline="")
    try:
        yield text
    finally:
        text.close()


@contextmanager
def _mendable(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(
            f"{path} is damaged: its compressed data can't be read to the end"
        ) from None
    except UnicodeError:
        raise InputError(f"{path} is not in the encoding that the mapping declares") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or 'damaged'}") from None
