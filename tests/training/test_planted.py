"""Names and telephone numbers in the training calls: what of them a release and a run keep.

A number is masked before anything is learned. A name is a word like any other: it is left out as
long as fewer calls hold it than `min_calls`, and is a term of the vocabulary from there on.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest

from data.dataset import Dataset
from tests.builders import KEY
from tests.invented import invented_config, invented_dataset
from tests.planted import Person, Search, people
from training.pipeline import train
from training.registry import register, tracking_uri

OFTEN = 8
"""People who are named in many calls, as somebody is who calls every week."""

MIN_CALLS = 3
"""That of `invented_config`."""


@dataclass
class Kept:
    """What is left of a training run, as bytes, and who was in its calls."""

    home: Path
    rare: list[Person]
    often: list[Person]
    left: dict[str, bytes]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    home = tmp_path_factory.mktemp("planted")
    dataset = invented_dataset(300)
    everybody = people()
    often, rare = everybody[:OFTEN], everybody[OFTEN:]
    plant(dataset, rare, often)
    dataset.write(home / "data" / "invented")
    before = mlflow.get_tracking_uri()
    config = invented_config()
    trained = train(dataset, config, store=home / "releases", key=KEY)
    register(trained, dataset, config, home=home, champion=True)
    mlflow.set_tracking_uri(before)
    yield Kept(home, rare, often, left_in(home))


def plant(dataset: Dataset, rare: list[Person], often: list[Person]) -> None:
    """Name everybody: most in one call fewer than makes a term, some in every tenth call.

    Calls that one person is named in lie far apart, so that no pair of names makes a term either.
    """
    frame = dataset.calls.copy()
    n = len(frame)
    said = [frame["narrative"].iloc[row] for row in range(n)]
    for number, person in enumerate(rare):
        for again in range(MIN_CALLS - 1):
            row = (number + again * (1 + number // n) * 37) % n
            said[row] += f" {person.words()}."
    for number, person in enumerate(often):
        for row in range(number, n, 10):
            said[row] += f" {person.words()}."
    frame["narrative"] = said
    dataset.calls = frame


def left_in(home: Path) -> dict[str, bytes]:
    """Read all that training leaves behind, but the data set itself."""
    with sqlite3.connect(home / "mlflow.db") as database:
        left = {"mlflow.db": "\n".join(database.iterdump()).encode()}
    database.close()
    for folder in ("mlartifacts", "releases"):
        for path in sorted((home / folder).rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                packed = path.suffix == ".joblib"
                left[str(path.relative_to(home))] = zlib.decompress(content) if packed else content
    tracked = tracking_uri(home).removeprefix("sqlite:///")
    assert Path(tracked) == (home / "mlflow.db").resolve()
    return left


def test_everybody_is_in_the_calls(kept: Kept) -> None:
    files = list((kept.home / "data").rglob("*.parquet"))
    import pyarrow.parquet as pq

    text = "".join(repr(pq.read_table(file).to_pylist()) for file in files)
    assert Search(people()).found(text) == {*kept.rare, *kept.often}


def test_nobody_who_is_named_in_few_calls_is_in_anything_that_is_kept(kept: Kept) -> None:
    search = Search(kept.rare)
    assert len(kept.left) > 20
    assert {name for name, content in kept.left.items() if search.found(content)} == set()


def test_no_telephone_number_is_kept_however_many_calls_hold_it(kept: Kept) -> None:
    numbers = Search([Person("", "", person.phone) for person in (*kept.rare, *kept.often)])
    assert {name for name, content in kept.left.items() if numbers.found(content)} == set()


def test_a_name_that_many_calls_hold_is_a_term_of_the_vocabulary(kept: Kept) -> None:
    """Known: nothing tells a name from a word; the bound of calls is all that keeps it out."""
    search = Search(kept.often)
    known = {person for content in kept.left.values() for person in search.found(content)}
    assert known == set(kept.often)
