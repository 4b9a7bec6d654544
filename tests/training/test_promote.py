"""Gates, promotion and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest

from data.errors import InputError
from model_service.model.plan import Promotions
from model_service.model.promotion import Gate, promotions
from model_service.model.release import Release, ReleaseError, load_release, write_release
from model_service.model.store import champion, name_champion
from tests.builders import KEY, release_files
from training import gates
from training.promote import first_in_force, promote, roll_back
from training.shadow import read_shadow

LIMITS = Promotions()
PASSED = Gate(name="quality", passed=True, figure="+0.01", limit="at least 0")
FAILED = Gate(name="speed", passed=False, figure="3 times", limit="at most 1.5")


def figure(value: float | None, low: float | None = None, high: float | None = None) -> Any:
    return {"value": value, "low": low, "high": high}


def pair(a: float, b: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {
        "a": figure(a, a - 0.02, a + 0.02),
        "b": figure(b, b - 0.02, b + 0.02),
        "difference": figure(b - a, low, high),
    }


def compared(**changes: Any) -> dict[str, Any]:
    """Make a comparison in which everything is well, but for the changes of both heads."""
    head = {
        "auroc": pair(0.9, 0.91, 0.001, 0.02),
        "average_precision": pair(0.6, 0.61, -0.005, 0.02),
        "calibration_error": pair(0.02, 0.02, -0.01, 0.01),
        "bands": {"low": {"sensitivity": pair(0.97, 0.98, -0.01, 0.02)}},
        **changes,
    }
    return {"heads": {"mental_health_crisis": head, "safety_risk": head}}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Release]]:
    """A store of three releases that differ by their cards."""
    store = tmp_path_factory.mktemp("store")
    folders = [write_release(store, release_files(card=f"# Card {n}\n"), KEY) for n in range(3)]
    return store, [load_release(folder, trusted=None) for folder in folders]


@pytest.fixture
def store(releases: tuple[Path, list[Release]], tmp_path: Path) -> Path:
    for folder in releases[0].iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    return tmp_path


@pytest.mark.parametrize(
    ("low", "passes"), [(0.002, True), (-0.0099, True), (-0.011, False), (None, None)]
)
def test_quality_is_judged_by_the_lower_bound(low: float | None, passes: bool | None) -> None:
    found = gates.quality(compared(auroc=pair(0.9, 0.95, low, 0.1)), LIMITS)
    assert [gate.passed for gate in found if "AUROC" in gate.name] == [passes, passes]
    assert [gate.passed for gate in found if "precision" in gate.name] == [True, True]
    assert found[0].figure.startswith("not measured" if low is None else "+0.05")


def test_the_promise_is_judged_by_the_lower_bound(
    releases: tuple[Path, list[Release]],
) -> None:
    release = releases[1][0]
    assert release.plan.bands["safety_risk"].low.sensitivity == 0.95
    assert gates.promise(compared(), release).passed is True
    short = {"low": {"sensitivity": pair(0.97, 0.96, -0.01, 0.02)}}
    assert gates.promise(compared(bands=short), release).passed is False
    assert gates.promise(compared(bands={}), release).passed is None


def test_calibration_is_judged_by_the_figure() -> None:
    assert [g.passed for g in gates.calibration(compared(), LIMITS)] == [True, True]
    off = compared(calibration_error=pair(0.02, 0.031, -0.01, 0.02))
    assert [g.passed for g in gates.calibration(off, LIMITS)] == [False, False]


def test_a_release_that_was_never_checked_has_not_passed_parity(
    releases: tuple[Path, list[Release]],
) -> None:
    release = releases[1][0]
    assert gates.parity(release).passed is None
    checked = replace(release, metrics={"parity": {"calls": 2000, "tolerance": 1e-9}})
    assert gates.parity(checked).passed is True
    loose = replace(release, metrics={"parity": {"calls": 2000, "tolerance": 1e-3}})
    assert gates.parity(loose).passed is False


def shadowed(days: float, n: int, digest: str) -> pd.DataFrame:
    start = pd.Timestamp("2026-05-01", tz="UTC")
    return pd.DataFrame(
        {
            "at": [start + pd.Timedelta(days=days * i / (n - 1)) for i in range(n)],
            "challenger": digest,
            "response": "protocol",
            "challenger_response": ["protocol"] * (n - 1) + ["emt_clinician"],
        }
    )


def test_shadow_asks_for_days_and_for_calls(releases: tuple[Path, list[Release]]) -> None:
    release = releases[1][0]
    assert gates.shadow(None, release, LIMITS).passed is None
    assert gates.shadow(shadowed(20, 1200, "e" * 64), release, LIMITS).passed is None
    assert gates.shadow(shadowed(20, 1200, release.digest), release, LIMITS).passed is True
    assert gates.shadow(shadowed(13, 1200, release.digest), release, LIMITS).passed is False
    few = gates.shadow(shadowed(20, 900, release.digest), release, LIMITS)
    assert few.passed is False
    assert few.figure == "900 calls in 20.0 days, the same response on 99.9%"


def test_what_ran_in_shadow_is_read_from_an_export(tmp_path: Path) -> None:
    rows = [
        {"at": "2026-05-01T10:00:00.000Z", "recommendation": {"response": "protocol"}},
        {
            "at": "2026-05-02T10:00:00.000Z",
            "recommendation": {"response": "protocol"},
            "challenger": {"digest": "c" * 64, "response": "emt_clinician"},
        },
        {
            "at": "2026-05-03T10:00:00.000Z",
            "recommendation": None,
            "challenger": {"digest": "c" * 64, "response": "protocol"},
        },
    ]
    path = tmp_path / "export.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    seen = read_shadow(path)
    assert seen["challenger_response"].tolist() == ["emt_clinician", "protocol"]
    assert seen["response"].isna().tolist() == [False, True]
    assert str(seen["at"].dt.tz) == "UTC"
    path.write_bytes(b'{"challenger": {"digest": 1}}\n')
    with pytest.raises(InputError, match="line 1 is no row") as caught:
        read_shadow(path)
    assert "digest" not in str(caught.value)


def test_a_gate_that_is_not_passed_stops_it(
    store: Path, releases: tuple[Path, list[Release]]
) -> None:
    first, second, _ = releases[1]
    first_in_force(store, first, key=KEY)
    unmeasured = Gate(name="shadow", passed=None, figure="not measured", limit="14 days")
    for bad in (FAILED, unmeasured):
        with pytest.raises(InputError, match=bad.name):
            promote(store, second, [PASSED, bad], by="ana", reason="better", key=KEY)
    assert champion(store).name == first.name
    assert len(promotions(store)) == 1


def test_an_override_stays_on_record(store: Path, releases: tuple[Path, list[Release]]) -> None:
    first, second, _ = releases[1]
    first_in_force(store, first, key=KEY)
    made = promote(
        store, second, [PASSED, FAILED], by="ana", reason="better", key=KEY, override=True
    )
    assert champion(store).name == second.name
    assert promotions(store)[-1] == made
    assert (made.before, made.overridden) == (first.digest, ("speed",))


def test_back_and_further_back(store: Path, releases: tuple[Path, list[Release]]) -> None:
    """Going back twice goes back two promotions, not to and fro."""
    first, second, third = releases[1]
    first_in_force(store, first, key=KEY)
    for release in (second, third):
        promote(store, release, [PASSED], by="ana", reason="better", key=KEY)
    for expected in (second, first):
        roll_back(store, by="lead", reason="missed a risk", key=KEY)
        assert champion(store).name == expected.name
    with pytest.raises(ReleaseError, match="no release was in force before"):
        roll_back(store, by="lead", reason="further", key=KEY)
    promote(store, third, [PASSED], by="ana", reason="mended", key=KEY)
    assert roll_back(store, by="lead", reason="again", key=KEY).release == first.digest
    kinds = [one.kind[0] for one in promotions(store)]
    assert "".join(kinds) == "ppprrpr"


def test_what_is_in_force_is_not_promoted_again(
    store: Path, releases: tuple[Path, list[Release]]
) -> None:
    first_in_force(store, releases[1][0], key=KEY)
    with pytest.raises(InputError, match="in force already"):
        promote(store, releases[1][0], [PASSED], by="ana", reason="again", key=KEY)


def test_a_damaged_release_does_not_come_back(
    store: Path, releases: tuple[Path, list[Release]]
) -> None:
    first, second, _ = releases[1]
    first_in_force(store, first, key=KEY)
    promote(store, second, [PASSED], by="ana", reason="better", key=KEY)
    (store / first.name).unlink()
    with pytest.raises(ReleaseError):
        roll_back(store, by="lead", reason="missed a risk", key=KEY)
    assert champion(store).name == second.name
    assert len(promotions(store)) == 2


def test_speed_is_a_ratio_of_one_run(
    releases: tuple[Path, list[Release]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is the test's: each assessment by the later release takes twice as long."""
    now, took = [0.0], {"a": 1.0, "b": 2.0}
    a, b = (replace(releases[1][n], digest=name * 64) for n, name in enumerate("ab"))

    def assess(release: Release, *_: object) -> None:
        now[0] += took[release.digest[0]]

    monkeypatch.setattr(gates, "assess", assess)
    monkeypatch.setattr(gates.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(
        gates, "calls_and_counts", lambda calls, _: [(call, None) for call in calls]
    )
    calls: Any = {"before": [1, 2, 3], "after": [1, 2, 3]}
    slow = gates.speed(a, b, calls, LIMITS)
    assert (slow.passed, slow.figure[:34]) == (False, "median of an assessment 2.00 times")
    assert gates.speed(a, b, calls, Promotions(speed_ratio=2.5)).passed is True


@pytest.mark.parametrize("field", list(Promotions.model_fields))
def test_limits_are_the_plan_s(field: str, plan_with: Callable[..., Any]) -> None:
    assert getattr(
        plan_with(promotion={field: 0.5 if field != "shadow_calls" else 5}).promotion, field
    )


@pytest.fixture
def plan_with() -> Callable[..., Any]:
    from tests.invented import make_plan

    return make_plan


def test_the_champion_file_alone_is_a_store_without_records(
    store: Path, releases: tuple[Path, list[Release]]
) -> None:
    """Stores from before there were records can be promoted upon."""
    first, second, _ = releases[1]
    name_champion(store, store / first.name)
    made = promote(store, second, [PASSED], by="ana", reason="better", key=KEY)
    assert made.before == first.digest
    assert roll_back(store, by="lead", reason="worse", key=KEY).release == first.digest
