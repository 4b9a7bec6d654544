"""Places, options and causes as sections of the report: figures and words, and no narrative."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from data.dataset import Dataset
from data.errors import InputError
from training.audit import options, places, why
from training.audit.audit import Audit, audit
from training.audit.boundaries import Boundaries, read_boundaries
from training.audit.period import Period, from_dataset
from training.audit.report import plain, write_report
from training.pipeline import Trained

Audited = tuple[Period, Dataset, Audit]


@pytest.fixture(scope="module")
def audited(small: tuple[Dataset, Trained]) -> Audited:
    """The invented calls, those of Downtown with points in the west and all others in the east."""
    dataset, trained = small
    west = dataset.calls["neighborhood"] == "Downtown"
    calls = dataset.calls.assign(
        latitude=42.0, longitude=west.map({True: -71.5, False: -70.5}).fillna(-70.5)
    )
    moved = replace(dataset, calls=calls)
    period = from_dataset(trained.release, moved, calls["received_at"].notna())
    return period, moved, audit(period, by=["neighborhood"], resamples=200)


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Boundaries:
    """Two squares, West and East."""

    def square(name: str, west: float) -> dict[str, object]:
        ring = [[west, 41], [west + 1, 41], [west + 1, 43], [west, 43], [west, 41]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "properties": {"name": name}, "geometry": shape}

    features = [square("West", -72), square("East", -71)]
    path = tmp_path_factory.mktemp("halves") / "halves.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return read_boundaries(path)


def test_calls_are_counted_where_their_points_lie(audited: Audited, halves: Boundaries) -> None:
    period = audited[0]
    located, placed = places.located(period, halves)
    assert set(located.calls["neighborhood"]) == {"West", "East"}
    was = period.calls["neighborhood"] == "Downtown"
    assert ((located.calls["neighborhood"] == "West") == was.fillna(False)).all()
    assert placed.counts()["inside"] == len(period.calls)
    assert "boundaries" in located.words["notes"][-1]
    assert "boundaries" not in " ".join(period.words["notes"]), "the period given is left alone"


def test_the_map_shows_outlines_or_tiles(audited: Audited, halves: Boundaries) -> None:
    period, _, made = audited
    tiled = places.section(period, made)
    assert tiled is not None
    assert tiled.html.count("<svg") >= 2
    located, _ = places.located(period, halves)
    drawn = places.section(located, audit(located, by=["neighborhood"], resamples=200), halves)
    assert drawn is not None
    assert "West" in drawn.html
    assert "Downtown" not in drawn.html
    json.dumps(plain(drawn.data), allow_nan=False)


def test_no_map_where_the_audit_is_not_by_neighbourhood(audited: Audited) -> None:
    period = audited[0]
    other = audit(period, by=["caller_role"], resamples=200)
    assert places.section(period, other) is None
    assert options.section(period, other) is None


def test_options_are_weighed_or_left_out(audited: Audited) -> None:
    period, _, made = audited
    weighed = options.section(period, made)
    assert weighed is not None
    assert "None of this is applied" in weighed.summary
    assert set(weighed.tables["mitigation"]["option"]) == set(weighed.data["options"])
    assert options.section(replace(period, release=None), made) is None


def test_causes_are_told_and_hold_no_narrative(audited: Audited, tmp_path: Path) -> None:
    period, dataset, made = audited
    said: list[str] = []
    found = list(why.sections(period, dataset, report=said.append))
    assert [section.key for section in found] == ["mix", "drive", "swaps"]
    assert said == ["no random review: nothing is known of what the labels miss"]
    written = [path.read_text("utf-8") for path in write_report(made, tmp_path, found)]
    for narrative in dataset.calls["narrative"].dropna():
        if len(narrative) > 30:
            assert not any(narrative in text for text in written)


def test_causes_need_a_release(audited: Audited) -> None:
    period, dataset, _ = audited
    with pytest.raises(InputError, match="--scored"):
        list(why.sections(replace(period, release=None), dataset))
