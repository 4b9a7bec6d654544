"""Any logged assessment comes out again from its record and its release, or it is told why not."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.call import Call
from data.dataset import Dataset
from data.frame import to_calls
from data.sources.synthetic import synthesize
from model_service.model.release import FILES, MANIFEST, SIGNATURE, canonical, load_release
from model_service.service.log.reading import Reader
from model_service.service.log.replay import Asked, Replayed, Shelf, agree, replay
from model_service.service.log.snapshot import snapshot
from model_service.service.postgres import PostgresURL
from tests import strategies
from tests.builders import PUBLIC_KEY, a_call, make_champion, make_scorer, release_files
from tests.harness import Service, running
from tests.service.test_premises import TABLE
from tests.stores import environment, execute
from training.cli import cli
from training.pipeline import Trained

pytestmark = pytest.mark.both_stores


def replayed(service: Service, *places: Path, asked: Asked | None = None) -> list[Replayed]:
    opened = lambda: contextlib.nullcontext(service.log.read)  # noqa: E731
    shelf = Shelf([service.settings.home / "releases", *places])
    return list(replay(opened, shelf, asked))


def verdicts(service: Service, *places: Path) -> dict[str, int]:
    return Counter(one.verdict for one in replayed(service, *places))


def run(service: Service, *arguments: str) -> Result:
    given = environment(service.settings.home, service.settings.log_path)
    return CliRunner(env=given).invoke(cli, ["log", "replay", *arguments])


def reload(service: Service, files: dict[str, bytes]) -> None:
    """Bring another release into force."""
    make_champion(service.settings.home, files)
    service.run(service.releases.check())


def other_release(number: int) -> dict[str, bytes]:
    return release_files(make_scorer(bias=(-1.5 + number / 10, -2.0)), card=f"# {number}\n")


def rewrite(service: Service, seq: int, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the body of an entry behind the guards."""
    service.log.close()
    place = service.settings.log_path
    with snapshot(place) as view:
        (text,) = view.execute("SELECT body FROM entries WHERE seq = ?", (seq,)).fetchone()
    body = json.loads(text)
    change(body)
    quoted = canonical(body).decode().replace("'", "''")
    execute(place, f"UPDATE entries SET body = '{quoted}' WHERE seq = {seq}")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(strategies.calls(), min_size=1, max_size=4))
def test_whatever_was_assessed_comes_out_again(shared: Service, calls: list[Call]) -> None:
    for number, call in enumerate(calls):
        shared.assess({**json.loads(call.model_dump_json()), "call_id": f"{call.call_id}{number}"})
    assert verdicts(shared).keys() == {"agrees"}


def test_synthetic_calls_come_out_again_beside_their_decisions(
    tmp_path: Path, log: PostgresURL | None
) -> None:
    files = release_files(changed(make_scorer(), history=TABLE))
    make_champion(tmp_path, files)
    dataset = synthesize(200, seed=3)
    with running(tmp_path, champion=False, log=log) as service:
        n = 0
        for call in to_calls(dataset.calls)[:200]:
            answer = service.assess(json.loads(call.model_dump_json(exclude_none=True)))
            n += answer.status_code == 201
            path = f"/v1/assessments/{answer.json()['assessment_id']}/decision"
            service.post(path, json={"action": "accept"})
        assert verdicts(service) == {"agrees": n}
        found = run(service)
        assert found.exit_code == 0, found.output
        assert f"{n:,} agree, 0 differ" in found.output


def test_a_trained_release_with_every_part_comes_out_again(
    tmp_path: Path, log: PostgresURL | None, remembering: tuple[Dataset, Trained]
) -> None:
    dataset, trained = remembering
    shutil.copytree(trained.folder, tmp_path / "releases" / trained.folder.name)
    (tmp_path / "releases" / "champion").write_text(trained.folder.name + "\n")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "release.pub").write_text(PUBLIC_KEY + "\n")
    calls = to_calls(dataset.calls)[:150]
    with running(tmp_path, champion=False, log=log) as service:
        for call in calls:
            service.assess(json.loads(call.model_dump_json(exclude_none=True)))
        entries = service.log.read.page(kind="assessment", limit=1000)
        known = [json.loads(service.log.read.private(entry)["history"]) for entry in entries]
        assert any(counts and any(counts.values()) for counts in known)
        assert verdicts(service) == {"agrees": len(entries)}


def test_after_ten_later_releases(tmp_path: Path, log: PostgresURL | None) -> None:
    with running(tmp_path, log=log) as service:
        service.assess(a_call("first"))
        for number in range(10):
            reload(service, other_release(number))
            service.assess(a_call(number))
        names = {one.content()["model"]["digest"] for one in service.log.read.recent("release", 99)}
        assert len(names) == 11
        assert verdicts(service) == {"agrees": 11}


def test_a_release_that_is_kept_elsewhere_under_another_name(tmp_path: Path) -> None:
    with running(tmp_path / "home") as service:
        service.assess(a_call(1))
        first = service.releases.current
        assert first is not None
        reload(service, other_release(1))
        service.assess(a_call(2))
        archive = tmp_path / "archive"
        archive.mkdir()
        shutil.move(tmp_path / "home" / "releases" / first.name, archive / "of-spring")
        missing = run(service)
        assert missing.exit_code == 1
        assert "1 agree, 0 differ, 1 without their release" in missing.output
        assert f"release {first.name} is not there" in missing.output
        for place in (archive, archive / "of-spring"):
            found = run(service, "--releases", str(place))
            assert (found.exit_code, "2 agree" in found.output) == (0, True)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_release_that_was_changed_is_no_release(
    tmp_path: Path, log: PostgresURL | None, name: str
) -> None:
    with running(tmp_path, log=log) as service:
        service.assess(a_call())
        release = service.releases.current
        assert release is not None
        path = tmp_path / "releases" / release.name / name
        path.write_bytes(path.read_bytes() + b"\n")
        (one,) = replayed(service)
    assert one.verdict == "no_release"
    assert one.why is not None and ("changed" in one.why or name in one.why)


def test_it_does_not_matter_who_signed_a_release(tmp_path: Path, log: PostgresURL | None) -> None:
    with running(tmp_path, log=log) as service:
        service.assess(a_call())
        (signature,) = tmp_path.glob(f"releases/*/{SIGNATURE}")
        signature.unlink()
        assert verdicts(service) == {"agrees": 1}


def by(amount: float) -> Callable[[dict[str, Any]], Any]:
    def change(body: dict[str, Any]) -> None:
        body["prediction"]["safety_risk"] += amount

    return change


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (by(1e-8), ("prediction",)),
        (by(1e-11), ()),
        (lambda b: b.update(prediction=None), ("prediction",)),
        (lambda b: b["recommendation"].update(response="protocol"), ("recommendation",)),
        (lambda b: b["recommendation"].update(police=True), ("recommendation",)),
        (lambda b: b["recommendation"].update(abstained=True), ("recommendation",)),
        (lambda b: b["recommendation"]["bands"].update(safety_risk="high"), ("bands",)),
        (
            lambda b: b["recommendation"]["unserved"].append({"response": "x", "reason": "busy"}),
            ("unserved",),
        ),
        (lambda b: b["thresholds"]["safety_risk"].update(high=0.7), ("thresholds",)),
        (lambda b: b["plan"].update(version="0"), ("plan",)),
        (lambda b: b["plan"].update(digest="0" * 64), ("plan",)),
        (lambda b: b["model"].update(release="0" * 16), ("model",)),
        (lambda b: b.pop("leads"), ("record",)),
        (lambda b: b.update(model=None), ("record",)),
        (lambda b: b["private"].pop("call"), ("text",)),
        (lambda b: b["private"].update(call="0" * 64), ("text",)),
    ],
)
def test_a_changed_record_is_found_and_named(
    tmp_path: Path,
    log: PostgresURL | None,
    change: Callable[[dict[str, Any]], Any],
    parts: tuple[str, ...],
) -> None:
    with running(tmp_path, log=log) as service:
        service.assess(a_call(1))
        seq = service.assess(a_call(2)).json()["log"]["sequence"]
        rewrite(service, seq, change)
        first, second = replayed(service)
        assert first.verdict == "agrees"
        assert second.verdict == ("differs" if parts else "agrees")
        assert second.parts == parts
        found = run(service)
        assert found.exit_code == bool(parts)
        lines = found.output.splitlines()
        assert lines[:-1] == (
            [f"{seq}\t{second.assessment_id}\tC-2\tdiffers: {parts[0]}"] if parts else []
        )


def test_a_record_of_another_model_under_the_right_name_is_found(
    tmp_path: Path, log: PostgresURL | None
) -> None:
    """Whoever has the keys, makes the entry, its digests and all its text anew."""
    with running(tmp_path, log=log) as service:
        service.assess(a_call(1))
        entry = service.log.read.last("assessment")
        assert entry is not None
        private = {**service.log.read.private(entry)}
        grounds = json.loads(private["grounds"])
        grounds["reasons"][0]["text"] = "somebody said so"
        explanation = json.loads(private["explanation"])
        explanation["words"].pop()

        class Forged(Reader):
            def private(self, _: Any) -> dict[str, bytes]:
                return forged

        reader = Forged(service.log._store)
        for name, content, part in (
            ("grounds", grounds, "reasons"),
            ("explanation", explanation, "explanation"),
            ("call", {**a_call(1), "narrative": "knife"}, "prediction"),
            ("call", {**a_call(1), "revision": "one"}, "record"),
        ):
            forged = {**private, name: json.dumps(content).encode()}
            shelf = Shelf([tmp_path / "releases"])
            (one,) = replay(lambda: contextlib.nullcontext(reader), shelf)
            assert one.verdict == "differs"
            assert part in one.parts


@pytest.mark.parametrize("version", [2, 3])
def test_releases_of_older_formats(tmp_path: Path, log: PostgresURL | None, version: int) -> None:
    folder = make_champion(tmp_path)
    model = json.loads((folder / "model.json").read_bytes())
    del model["yes_shares"]
    if version < 3:
        del model["history"]
    (folder / "model.json").write_bytes(canonical({**model, "format": version}))
    (folder / "disqualifiers.yaml").unlink()
    listed = {
        name: {
            "bytes": len(content := (folder / name).read_bytes()),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name in FILES
        if (folder / name).exists()
    }
    (folder / MANIFEST).write_bytes(canonical({"format": version, "files": listed}))
    old = load_release(folder, trusted=None)
    with running(tmp_path, champion=False, log=log) as service:
        service.releases.current = old
        service.assess(a_call(1))
        service.assess(a_call(2, narrative="he has a knife and is hearing voices"))
        entry = service.log.read.last("assessment")
        assert entry is not None and entry.content()["model"]["digest"] == old.digest
        assert verdicts(service) == {"agrees": 2}


def test_a_record_of_old_is_compared_in_what_it_holds(
    tmp_path: Path, log: PostgresURL | None
) -> None:
    with running(tmp_path, log=log) as service:
        seq = service.assess(a_call()).json()["log"]["sequence"]

        def older(body: dict[str, Any]) -> None:
            for name in ("mode", "withheld", "hold_back", "free", "eido"):
                del body[name]

        rewrite(service, seq, older)
        assert verdicts(service) == {"agrees": 1}


def test_what_was_erased_can_not_be_recomputed(tmp_path: Path, log: PostgresURL | None) -> None:
    with running(tmp_path, log=log) as service:
        service.assess(a_call(1))
        service.assess(a_call(2))
        service.erase("C-1")
        assert verdicts(service) == {"erased": 1, "agrees": 1}
        shutil.rmtree(tmp_path / "releases")
        assert verdicts(service) == {"erased": 1, "no_release": 1}


def test_what_is_erased_while_the_log_is_read_is_erased(
    tmp_path: Path, log: PostgresURL | None
) -> None:
    from model_service.service.log.reading import Snapshot
    from model_service.service.log.snapshot import snapshot
    from model_service.service.opening import open_keys

    with running(tmp_path, log=log) as service:
        for number in range(3):
            service.assess(a_call(number))

        @contextlib.contextmanager
        def opened() -> Iterator[Reader]:
            with snapshot(service.settings.log_path) as connection:
                yield Reader(Snapshot(connection, open_keys(service.settings)))

        found = replay(opened, Shelf([tmp_path / "releases"]))
        assert next(found).verdict == "agrees"
        service.erase("C-1")
        service.assess(a_call("later"))
        assert [one.verdict for one in found] == ["erased", "agrees"]


def test_what_was_withheld_is_recomputed_and_what_was_not_asked_is_told(
    tmp_path: Path, log: PostgresURL | None
) -> None:
    files = release_files()
    plan = {**yaml.safe_load(files["plan.yaml"]), "hold_back": 0.5}
    make_champion(tmp_path, {**files, "plan.yaml": yaml.safe_dump(plan).encode()})
    with running(tmp_path, champion=False, log=log) as service:
        for number in range(6):
            service.assess(a_call(number))
        for mode in ("shadow", "off"):
            service.request("PUT", "/v1/mode", json={"mode": mode}, role="administrator")
            service.assess(a_call(mode))
        told = {e.content()["withheld"] for e in service.log.read.page(kind="assessment")}
        assert told == {None, "held_back", "shadow", "off"}
        assert verdicts(service) == {"agrees": 7, "not_asked": 1}
        seq = service.log.read.page(kind="assessment")[-1].seq
        rewrite(service, seq, lambda b: b.update(prediction={"safety_risk": 0.1}))
        assert replayed(service)[-1].parts == ("prediction",)


def test_free_units_are_those_of_the_record(tmp_path: Path, log: PostgresURL | None) -> None:
    files = release_files()
    plan = yaml.safe_load(files["plan.yaml"])
    for response in plan["responses"]:
        response["units"] = 2
    make_champion(tmp_path, {**files, "plan.yaml": yaml.safe_dump(plan).encode()})
    with running(tmp_path, champion=False, log=log) as service:
        service.assess(a_call(1))  # nobody knows how many are free
        stale = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        for free in (1, 0):
            report = {"free": free, "stale_at": stale}
            path = "/v1/units/emt_clinician"
            assert service.request("PUT", path, json=report, role="cad").status_code < 300
            seq = service.assess(a_call(f"{free}-free")).json()["log"]["sequence"]
        assert verdicts(service) == {"agrees": 3}
        rewrite(service, seq, lambda b: b.update(free={"emt_clinician": 1}))
        assert "unserved" in replayed(service)[-1].parts


def test_only_what_is_asked_for(tmp_path: Path, log: PostgresURL | None) -> None:
    with running(tmp_path, log=log) as service:
        made = [service.assess(a_call(n // 2, revision=n % 2 + 1)).json() for n in range(6)]
        names = [one["assessment_id"] for one in made]

        def asked(*arguments: str) -> str:
            result = run(service, *arguments)
            assert result.exit_code == 0, result.output
            return result.output

        assert "2 assessments: 2 agree" in asked("--call", "C-1")
        assert "1 assessments: 1 agree" in asked("--assessment", names[3])
        assert "6 assessments" in asked("--until", "2100-01-01")
        assert "0 assessments" in asked("--since", "2100-01-01")
        only = replayed(service, asked=Asked(call_id="C-2", assessment_id=names[4]))
        assert [one.assessment_id for one in only] == [names[4]]
        assert replayed(service, asked=Asked(call_id="C-1", assessment_id=names[4])) == []


def test_misuse_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.cli import main

    def code(*arguments: str) -> Any:
        with pytest.raises(SystemExit) as ended:
            main(["log", "replay", "--home", str(tmp_path), *arguments])
        return ended.value.code

    assert code() == 2
    assert "log.db can't be read" in capsys.readouterr().err
    with running(tmp_path):
        pass
    assert code("--call", "nobody's") == 2
    assert "no such assessment" in capsys.readouterr().err
    assert code("--releases", str(tmp_path / "nowhere")) == 2
    assert code("--since", "yesterday") == 2


def test_without_the_keys_nothing_is_said_to_differ(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.assess(a_call())
    (tmp_path / "keys" / "log.key").unlink()
    result = CliRunner().invoke(cli, ["log", "replay", "--home", str(tmp_path)])
    assert "key-encryption key" in str(result.exception)


def test_no_word_of_a_call_is_printed(tmp_path: Path, log: PostgresURL | None) -> None:
    with running(tmp_path, log=log) as service:
        seq = service.assess(a_call(narrative="the heron waits")).json()["log"]["sequence"]
        rewrite(service, seq, by(0.1))
        assert "heron" not in run(service).output


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(json_values, json_values)
def test_what_agrees_is_the_same_but_for_what_is_new(one: Any, other: Any) -> None:
    assert agree(one, one)
    assert agree(one, json.loads(json.dumps(one)))
    if not isinstance(one, float | dict | list) and type(one) is not type(other):
        assert not agree(one, other)
    assert not agree([one], [one, other])
    assert agree({"a": one}, {"a": one, "b": other})
    assert not agree({"a": one, "b": other}, {"a": one})
