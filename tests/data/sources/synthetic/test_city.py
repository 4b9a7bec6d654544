import random
from collections import Counter
from datetime import datetime

import pytest

from data.sources.synthetic.city import City, load_city, shipped_city
from data.sources.synthetic.grammar import GrammarError
from data.sources.synthetic.weighted import Weighted


@pytest.fixture(scope="module")
def city() -> City:
    return shipped_city()


def test_most_crises_come_from_three_neighborhoods(city: City) -> None:
    draw = random.Random(1).random
    where = Counter(city.draw_place(True, draw).neighborhood for _ in range(5000))
    assert {name for name, _ in where.most_common(3)} == {"Dorchester", "Roxbury", "South End"}


def test_premises_are_heavy_tailed_and_crises_come_back(city: City) -> None:
    draw = random.Random(2).random
    crises, others = (
        Counter(city.draw_place(crisis, draw).premise_id for _ in range(5000))
        for crisis in (True, False)
    )
    assert 0.05 < others.pop(None) / 5000 < 0.2
    crises.pop(None)
    assert sum(n > 10 for n in crises.values()) > 20
    assert sum(n == 1 for n in others.values()) > 1000
    assert crises.most_common(1)[0][1] > 3 * others.most_common(1)[0][1] / 2


def test_a_premise_is_always_in_the_same_place(city: City) -> None:
    draw = random.Random(3).random
    seen: dict[str, tuple[float, float]] = {}
    for _ in range(3000):
        place = city.draw_place(True, draw)
        assert 42.2 < place.latitude < 42.45
        assert -71.25 < place.longitude < -70.95
        if place.premise_id is not None:
            where = (place.latitude, place.longitude)
            assert seen.setdefault(place.premise_id, where) == where


def test_times_follow_the_profile_in_local_time(city: City) -> None:
    draw = random.Random(4).random
    hours = [city.draw_time(datetime(2025, 7, 1), "school", draw).hour for _ in range(500)]
    assert sum(7 <= hour < 16 for hour in hours) > 400


def test_priorities_follow_the_type(city: City) -> None:
    draw = random.Random(5).random
    urgent = Counter(city.draw_priority("PERSON WITH A GUN", draw) for _ in range(200))
    idle = Counter(city.draw_priority("PARKING COMPLAINT", draw) for _ in range(200))
    assert urgent["1"] > 150 > 50 > idle["1"]
    assert city.draw_priority(None, draw) is None


def test_a_type_has_one_name(city: City) -> None:
    names = set(city.file.same_types)
    others = [other for same in city.file.same_types.values() for other in same]
    assert len(others) == len(set(others))
    assert not names & set(others)
    assert not set(city.file.general_types) & set(others)
    assert city.call_type("911 HANG-UP") == "911 HANG UP"
    assert city.call_type("SOMETHING ELSE") == "SOMETHING ELSE"


def test_a_broken_city_is_refused() -> None:
    with pytest.raises(GrammarError, match=r"city.yaml: timezone: "):
        load_city("hours: {}")


def test_weights_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Weighted(["a"], [0])
