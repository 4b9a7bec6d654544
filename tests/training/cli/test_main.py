"""The command line: help with an example, one line of why, and the exit code that says which."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from data import review
from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from model_service.model.promotion import promotions
from tests.invented import invented_dataset
from training.cli import VERBS, cli, main
from training.pipeline import Trained


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    told = capsys.readouterr()
    code = caught.value.code
    return (0 if code is None else int(code)), told.out, told.err


def fails(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """Run what must end with exit code 2 and one line; return the line."""
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("crisiscall: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.fixture
def home(small: tuple[Dataset, Trained], invented_home: Path, tmp_path: Path) -> Path:
    """A home with a champion and the calls it was trained on."""
    (tmp_path / "releases").mkdir()
    folder = tmp_path / "releases" / small[1].folder.name
    folder.symlink_to(small[1].folder)
    (tmp_path / "releases" / "champion").write_text(folder.name + "\n")
    (tmp_path / "data").symlink_to(invented_home / "data")
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_verb_has_help_with_an_example(
    capsys: pytest.CaptureFixture[str], verb: str, flag: str
) -> None:
    code, out, err = run(capsys, verb, flag)
    assert (code, err) == (0, "")
    assert f"Usage: crisiscall {verb}" in out
    assert "Example" in out
    assert f"crisiscall {verb}" in out.split("Example", 1)[1]


@pytest.mark.parametrize("words", ["data synthesize", "data import", "data check", "users add"])
def test_so_has_what_stands_under_a_verb(capsys: pytest.CaptureFixture[str], words: str) -> None:
    code, out, _ = run(capsys, *words.split(), "--help")
    assert code == 0
    assert f"crisiscall {words}" in out.split("Example", 1)[1]


def test_help_names_every_verb_and_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "a person decides" in " ".join(out.split())
    lines = [line.split() for line in out.split("Commands:", 1)[1].splitlines() if line.strip()]
    assert [line[0] for line in lines] == list(VERBS)
    assert all(len(line) > 2 for line in lines)


def test_help_answers_without_scikit_learn_or_mlflow() -> None:
    script = (
        "import sys\n"
        "from training.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n"
        "    heavy = {'sklearn', 'mlflow', 'matplotlib', 'scipy', 'pandas', 'joblib'}\n"
        "    print('loaded:', sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, "--help"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Usage: crisiscall" in ran.stdout
    loaded = ran.stderr.split("loaded:", 1)[1]
    assert "sklearn" not in loaded
    assert "mlflow" not in loaded
    assert "matplotlib" not in loaded


def test_an_unknown_verb_and_an_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["weather"], ["score", "--weather"], ["train"]):
        code, out, err = run(capsys, *words)
        assert (code, out) == (2, "")
        assert "Traceback" not in err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert version("crisiscall") in out


def test_an_input_error_is_folded_into_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise InputError("two\n  lines\tof why")

    monkeypatch.setattr(cli, "main", broken)
    assert fails(capsys, "train") == "crisiscall: two lines of why\n"


def test_a_disk_that_says_no_is_one_line(
    capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path
) -> None:
    source = tmp_path / "calls.jsonl"
    source.write_text('{"call_id": "a", "received_at": "2021-10-05T21:14:00Z"}\n')
    (tmp_path / "file").write_text("x")
    err = fails(capsys, "score", source, "-o", tmp_path / "file" / "a.csv", "--home", home)
    assert str(tmp_path / "file") in err
    err = fails(capsys, "card", "--out", tmp_path / "none" / "card.md", "--home", home)
    assert "No such file" in err


# card, score, evaluate, behave


def test_verbs_without_a_release_say_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    source = tmp_path / "calls.jsonl"
    source.write_text("{}\n")
    empty = tmp_path / "empty"
    for words in (
        ["card"],
        ["behave"],
        ["score", source, "-o", tmp_path / "a.csv"],
        ["evaluate", "--data", home / "data" / "invented"],
    ):
        assert "crisiscall train" in fails(capsys, *words, "--home", empty)
        assert "no release" in fails(capsys, *words, "--release", tmp_path / "none")
    assert not empty.exists()


def test_card(
    capsys: pytest.CaptureFixture[str], home: Path, small: tuple[Dataset, Trained]
) -> None:
    code, out, _ = run(capsys, "card", "--home", home)
    assert (code, out) == (0, small[1].release.card)
    assert run(capsys, "card", "--home", home, "--out", home / "card.md")[0] == 0
    assert (home / "card.md").read_text(encoding="utf-8") == out


def test_the_home_may_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRISISCALL_HOME", str(home))
    assert run(capsys, "card")[0] == 0


def test_score(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    source, target = home / "calls.jsonl", home / "scored.csv"
    good = '{"call_id": "a", "received_at": "2021-10-05T21:14:00Z", "narrative": "voices"}\n'
    source.write_text(good * 3)
    words = ["score", source, "-o", target, "--home", home, "--jobs", "1"]
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert out.startswith("3 calls scored in ")
    assert len(target.read_text().splitlines()) == 4
    source.write_text(good + "not json\n")
    code, out, err = run(capsys, *words)
    assert code == 1
    assert err == f"1 rows are no valid call: see {target}.rejected.jsonl\n"
    assert "no such file" in fails(capsys, "score", home / "none.csv", "-o", target, "--home", home)


def test_evaluate(
    capsys: pytest.CaptureFixture[str],
    home: Path,
    config: Path,
    small: tuple[Dataset, Trained],
) -> None:
    words = ["evaluate", "--data", home / "data" / "invented", "--home", home]
    code, out, err = run(capsys, *words, "--config", config, "--out", home / "report")
    assert code == 0
    report = json.loads((home / "report" / "evaluation.json").read_text())
    assert {path.name for path in (home / "report").iterdir()} == {
        *("evaluation.json", "evaluation.md"),
        *("mental_health_crisis.png", "safety_risk.png", "price.png"),
    }
    assert report["release"] == small[1].release.digest
    assert report["data"]["digest"] == small[0].digest
    # The same calls, seed and release: the figures that stand in the release.
    stated = small[1].metrics["test"]
    assert {name: report[name] for name in stated} == stated
    auroc = stated["heads"]["safety_risk"]["auroc"]
    assert f"{auroc['value']:.3f} ({auroc['low']:.3f}–{auroc['high']:.3f})" in out
    assert "95% intervals" in (home / "report" / "evaluation.md").read_text(encoding="utf-8")


def test_evaluate_a_period(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    words = ["evaluate", "--data", home / "data" / "invented", "--home", home]
    out = home / "report"
    code, _, _ = run(capsys, *words, "--since", "2021-12-01", "--until", "2021-12-05", "--out", out)
    assert code == 0
    first, last = json.loads((out / "evaluation.json").read_text())["received_at"]
    assert "2021-12-01" <= first[:10] <= last[:10] < "2021-12-05"
    assert "no call lies in the period" in fails(capsys, *words, "--since", "2031-01-01")


def test_evaluate_weighted_by_a_review(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    folder = home / "reviewed"
    Dataset.read(home / "data" / "invented").write(folder)
    words = ["evaluate", "--data", folder, "--home", home, "--weighted", "--out", home / "report"]
    assert "no random review" in fails(capsys, *words)
    session = review.Session(folder, Dataset.read(folder), "R. Alvarez")
    of = review.draw(session.dataset, {}, sample=80, seed=1)
    session.begin(of)
    known = session.dataset.targets().set_index(session.dataset.calls["call_id"])
    for number, call_id in enumerate(of.queue()):
        true = known.loc[call_id].fillna(number % 2 == 0)
        session.answer(of, call_id, {t: "yes" if true[t] else "no" for t in TARGETS})
    session.save()
    code, out, _ = run(capsys, *words)
    assert code == 0
    model = json.loads((home / "report" / "evaluation.json").read_text())["weighted"]["model"]
    assert set(model) == set(TARGETS)
    for target, head in model.items():
        figure = head["missed"]
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert head["sensitivity"]["value"] == pytest.approx(1 - figure["value"])
        assert f"| {target}: missed by the model | {figure['value']:.1%} |" in out


def test_evaluate_a_file(capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path) -> None:
    source = tmp_path / "labelled.csv"
    rows = [f"he hears voices,{n % 2},0" for n in range(20)]
    source.write_text("narrative,mental_health_crisis,safety_risk\n" + "\n".join(rows) + "\n")
    words = ["evaluate", "--data", source, "--home", home, "--out", home / "report"]
    code, out, _ = run(capsys, *words)
    assert code == 0
    report = json.loads((home / "report" / "evaluation.json").read_text())
    assert report["data"]["source"] == "file:labelled.csv"
    crisis, risk = (report["heads"][target] for target in TARGETS)
    assert (crisis["labelled"], crisis["positive"], crisis["auroc"]["value"]) == (20, 10, 0.5)
    assert "only one class" in risk["note"]
    assert "hears" not in out
    missing = fails(capsys, "evaluate", "--data", tmp_path / "x.csv", "--home", home)
    assert "is no folder of calls" in missing


def test_behave(
    capsys: pytest.CaptureFixture[str],
    home: Path,
    small: tuple[Dataset, Trained],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from training.behaviour import GOALS, read_cases

    words = ["behave", "--home", home, "--out", home / "behaviour.json"]
    code, out, err = run(capsys, *words)
    report = json.loads((home / "behaviour.json").read_text())
    assert report["release"] == small[1].release.digest
    # Some hundred calls of a few kinds are too few to learn from.
    assert code == 1
    assert err.startswith("fewer cases are kept than the goal asks for: must-have")
    failed = [case for kind in report["kinds"].values() for case in kind["failed"]]
    assert failed
    assert all(f"\n  {case}\n" in out for case in failed)
    shown = (out + (home / "behaviour.json").read_text()).casefold()
    assert not [
        case.id for case in read_cases() for c in case.calls if c.narrative.casefold() in shown
    ]
    for kind in GOALS:
        monkeypatch.setitem(GOALS, kind, 0.0)
    code, _, err = run(capsys, "behave", "--home", home)
    assert (code, err) == (0, "")


def test_calls_that_are_not_there_or_damaged(
    capsys: pytest.CaptureFixture[str], home: Path, config: Path
) -> None:
    invented_dataset(30).write(home / "few")
    (home / "few" / "labels.parquet").write_bytes(b"PAR1")
    for words in (["evaluate", "--home", home], ["train", "--home", home, "--config", config]):
        assert "no folder of calls" in fails(capsys, *words, "--data", home / "none")
        assert "labels.parquet is missing or not what" in fails(
            capsys, *words, "--data", home / "few"
        )


# train


@pytest.fixture
def config(tmp_path: Path) -> Path:
    import yaml

    from tests.invented import invented_config

    path = tmp_path / "invented.yaml"
    path.write_text(yaml.safe_dump(invented_config().model_dump(mode="json")), encoding="utf-8")
    return path


def test_train(capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path) -> None:
    """The first release comes into force, with a record; a later one has to be promoted."""
    home, folder = tmp_path / "home", tmp_path / "calls"
    invented_dataset(300).write(folder)
    words = ["train", "--data", folder, "--config", config, "--home", home]
    code, out, err = run(capsys, *words)
    assert code == 0, err
    champion = home / "releases" / "champion"
    first = champion.read_text().strip()
    assert f"release   {home / 'releases' / first}  (champion)" in out
    assert "crisiscall-invented version 1" in out
    assert "compiling the pipeline" in err
    assert (home / "keys" / "release.pub").exists()
    assert {path.name for path in home.iterdir()} == {
        *("keys", "releases", "mlartifacts", "mlflow.db"),
    }

    invented_dataset(300, seed=1).write(folder)
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "(champion)" not in out
    assert "version 2" in out
    assert champion.read_text().strip() == first
    [record] = promotions(home / "releases")
    assert record.release.startswith(first)
    assert (record.before, record.gates) == (None, ())


def test_train_can_leave_a_release_aside(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "calls"
    invented_dataset(300).write(folder)
    words = ["train", "--data", folder, "--config", config, "--home", home, "--no-champion"]
    assert run(capsys, *words)[0] == 0
    assert not (home / "releases" / "champion").exists()
    assert promotions(home / "releases") == []


def test_a_training_that_can_t_be_done_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "calls"
    dataset = invented_dataset(60)
    assert dataset.labels is not None
    dataset.labels["value"] = False
    dataset.write(folder)
    words = ["train", "--data", folder, "--home", home]
    assert "no training configuration 'weather'" in fails(capsys, *words, "--config", "weather")
    code, out, err = run(capsys, *words, "--config", config)
    assert (code, out) == (2, "")
    assert "0 positive and" in err.splitlines()[-1]
    assert not (home / "releases").exists()
    assert not (home / "mlflow.db").exists()


def test_a_scorer_that_differs_ends_with_1_and_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from training import pipeline

    def differs(*_: object, **__: object) -> None:
        raise pipeline.ParityError("the compiled scorer differs; no release was written")

    monkeypatch.setattr(pipeline, "train", differs)
    invented_dataset(30).write(tmp_path / "calls")
    code, out, err = run(
        capsys, "train", "--data", tmp_path / "calls", "--config", config, "--home", tmp_path
    )
    assert (code, out) == (1, "")
    assert err == "crisiscall: the compiled scorer differs; no release was written\n"


def test_progress_passes_everything_on_and_draws_nothing_but_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.cli import progress as module

    monkeypatch.setattr(module, "DELAY", -1.0)
    assert list(module.progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert list(module.progress((n for n in range(3)), "counting", 3)) == [0, 1, 2]
    assert list(module.progress([], "counting")) == []
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")
