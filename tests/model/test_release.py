"""A release is believed byte for byte or not at all, and nothing in it is ever executed."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.call import TARGETS, Call
from model_service.model import release as module
from model_service.model.assess import assess
from model_service.model.concepts import concepts_text, matcher
from model_service.model.release import (
    FILES,
    MANIFEST,
    SIGNATURE,
    Release,
    ReleaseError,
    canonical,
    load_release,
    write_release,
)
from model_service.model.rules import rule_reader, rules_text
from model_service.model.scorer import ConceptTable, Scorer
from tests.builders import KEY, PUBLIC_KEY, a_call, make_scorer, release_files

OTHER = Ed25519PrivateKey.from_private_bytes(b"a key that nobody trusts at all.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_release(tmp_path / "store", release_files(), KEY)


def load(folder: Path) -> Release:
    return load_release(folder, trusted=[PUBLIC_KEY])


def refused(folder: Path, match: str | None = None) -> None:
    with pytest.raises(ReleaseError, match=match) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def signed(folder: Path, **changed: bytes) -> Path:
    """Write a release whose files were changed by whoever holds the key."""
    files = release_files()
    files.update({name.replace("_", "."): content for name, content in changed.items()})
    return write_release(folder, files, KEY)


# Round trip


def test_a_release_comes_back_as_it_was(folder: Path) -> None:
    loaded, scorer = load(folder), make_scorer()
    assert loaded.scorer.bias == scorer.bias
    assert loaded.scorer.timezone == scorer.timezone
    for read, made in zip(loaded.scorer.texts, scorer.texts, strict=True):
        assert (read.column, read.longest, list(read.terms)) == (
            made.column,
            made.longest,
            list(made.terms),
        )
        np.testing.assert_array_equal(read.idf, made.idf)
        np.testing.assert_array_equal(read.weights, made.weights)
    for ours, theirs in zip(loaded.scorer.categories, scorer.categories, strict=True):
        assert (ours.field, ours.values) == (theirs.field, theirs.values)
        assert (ours.other, ours.mean) == (tuple(theirs.other), tuple(theirs.mean))
    assert loaded.plan.plan == "boston"
    assert loaded.plan_digest == hashlib.sha256((folder / "plan.yaml").read_bytes()).hexdigest()
    assert loaded.card == "# A card\n"
    assert set(loaded.thresholds) == set(TARGETS)
    assert loaded.signer == PUBLIC_KEY
    assert loaded.digest == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert loaded.name == folder.name == loaded.digest[:16]


def test_a_release_without_texts_or_categories(tmp_path: Path) -> None:
    from dataclasses import replace

    bare = replace(make_scorer(), texts=(), categories=())
    folder = write_release(tmp_path, release_files(bare), KEY)
    assert load(folder).scorer == bare


def with_concepts(source: str | None = None) -> Scorer:
    from dataclasses import replace

    source = source or concepts_text()
    columns = len(matcher(source).columns)
    weights = np.arange(2.0 * columns).reshape(columns, 2)
    return replace(make_scorer(), concepts=ConceptTable("narrative", source, weights))


def test_concepts_come_back_as_they_were(tmp_path: Path) -> None:
    made = with_concepts()
    loaded = load(write_release(tmp_path, release_files(made), KEY)).scorer
    assert loaded.concepts is not None
    assert made.concepts is not None
    assert loaded.concepts.source == made.concepts.source
    np.testing.assert_array_equal(loaded.concepts.weights, made.concepts.weights)


@pytest.mark.parametrize("source", [b"", b"[", b"concepts: {}", b"\xff"])
def test_a_list_of_concepts_that_does_not_fit_is_refused(tmp_path: Path, source: bytes) -> None:
    files = {**release_files(with_concepts()), "concepts.yaml": source}
    refused(write_release(tmp_path, files, KEY))


def test_the_same_release_is_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    first = write_release(tmp_path / "first", release_files(), KEY)
    script = (
        "import sys; from pathlib import Path;"
        "from model_service.model.release import write_release;"
        "from tests.builders import KEY, release_files;"
        "write_release(Path(sys.argv[1]), release_files(), KEY)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "second")],
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path.cwd()), "TZ": "Asia/Tokyo"},
        timeout=120,
    )
    second = tmp_path / "second" / first.name
    for name in (*FILES, MANIFEST, SIGNATURE):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_what_is_there_is_left_and_what_is_damaged_is_made_whole(tmp_path: Path) -> None:
    folder = write_release(tmp_path, release_files(), KEY)
    before = (folder / "card.md").stat().st_mtime_ns
    assert write_release(tmp_path, release_files(), KEY) == folder
    assert (folder / "card.md").stat().st_mtime_ns == before
    (folder / "weights.npz").unlink()
    assert write_release(tmp_path, release_files(), KEY) == folder
    load(folder)
    # Signed anew by another key: the first was lost.
    write_release(tmp_path, release_files(), OTHER)
    refused(folder, "not among the trusted")
    write_release(tmp_path, release_files(), KEY)
    load(folder)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_only_whole_sets_of_files_are_written(tmp_path: Path) -> None:
    files = release_files()
    for wrong in ({**files, "extra.txt": b""}, {"card.md": b""}):
        with pytest.raises(ValueError, match="a release is made of"):
            write_release(tmp_path / "store", wrong, KEY)
    assert not (tmp_path / "store").exists()


def test_nothing_is_left_where_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "plan.yaml":
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_release(tmp_path, release_files(), KEY)
    assert list(tmp_path.iterdir()) == []


# Damage


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "copy"))


def test_every_byte_of_manifest_and_signature_counts(folder: Path) -> None:
    for name in (MANIFEST, SIGNATURE):
        path = folder / name
        content = path.read_bytes()
        for position in range(len(content)):
            for bit in (0, 5):  # another digit; another case
                changed = bytearray(content)
                changed[position] ^= 1 << bit
                path.write_bytes(changed)
                refused(folder)
        path.write_bytes(content)
    load(folder)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_byte_of_any_file_counts(folder: Path, data: st.DataObject) -> None:
    path = folder / data.draw(st.sampled_from(FILES))
    content = path.read_bytes()
    position = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        refused(folder, f"{path.name} is not what the release says")
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", [*FILES, MANIFEST, SIGNATURE])
def test_a_file_cut_short_made_longer_emptied_or_gone_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for wrong in (content[:-1], content[: len(content) // 2], b"", content + b"\n"):
        (folder / name).write_bytes(wrong)
        refused(folder)
    (folder / name).unlink()
    refused(folder, name)
    (folder / name).mkdir()
    refused(folder, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_release_is_refused(folder: Path, name: str, tmp_path: Path) -> None:
    from dataclasses import replace

    scorer = make_scorer()
    text = scorer.texts[0]
    other = replace(
        scorer,
        bias=(0.0, 0.0),
        texts=(replace(text, terms=list(reversed(text.terms)), weights=text.weights * 2),),
    )
    files = release_files(other, card="# Another\n")
    files["plan.yaml"] += b"# changed\n"
    files["concepts.yaml"] += b"# changed\n"
    files["disqualifiers.yaml"] += b"# changed\n"
    files["metrics.json"] = b'{"auroc":1}'
    files["thresholds.json"] = canonical(dict.fromkeys(TARGETS, {"low": 0.1, "high": 0.2}))
    another = write_release(tmp_path / "other", files, KEY)
    load(another)
    shutil.copy(another / name, folder / name)
    refused(folder, name)


def test_manifest_or_signature_of_another_release_is_refused(folder: Path, tmp_path: Path) -> None:
    another = write_release(tmp_path / "other", release_files(card="# Another\n"), KEY)
    for names in ([MANIFEST], [SIGNATURE], [MANIFEST, SIGNATURE]):
        copy = copied(folder, tmp_path / names[0] / str(len(names)))
        for name in names:
            shutil.copy(another / name, copy / name)
        refused(copy)


@pytest.mark.parametrize("name", ["extra.json", ".hidden", "weights.npz.bak", "plan.yml"])
def test_a_file_that_is_no_part_of_it_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    refused(folder, "no part of the release")


def test_a_file_too_large_is_refused_unread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / "weights.npz").open("r+b") as file:
        file.truncate(2**40)  # sparse: a terabyte that takes no room
    monkeypatch.setattr(module, "MAX_FILE", 1_000_000)
    refused(folder, "is larger than 1000000 bytes")
    with (folder / MANIFEST).open("r+b") as file:
        file.truncate(2**40)
    refused(folder, "is larger than")


def test_no_folder_no_release(tmp_path: Path) -> None:
    refused(tmp_path / "missing", "crisiscall train")
    refused(tmp_path, "crisiscall train")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "no release")


# Signatures


def test_only_a_trusted_key_is_believed(tmp_path: Path) -> None:
    folder = write_release(tmp_path, release_files(), OTHER)
    other = OTHER.public_key().public_bytes_raw().hex()
    refused(folder, "not among the trusted")
    with pytest.raises(ReleaseError):
        load_release(folder, trusted=[])
    assert load_release(folder, trusted=[PUBLIC_KEY, other]).signer == other
    assert load_release(folder, trusted=None).signer is None


@pytest.mark.parametrize(
    "change",
    [
        {"key": PUBLIC_KEY},  # claims the trusted key, signed by another
        {"algorithm": "none"},
        {"algorithm": "hmac"},
        {"signature": ""},
        {"signature": "00" * 64},
        {"signature": "zz"},
        {"signature": None},
        {"key": None},
        {"key": [PUBLIC_KEY]},
        {"key": ""},
    ],
    ids=str,
)
def test_a_forged_signature_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = write_release(tmp_path, release_files(), OTHER)
    stated = json.loads((folder / SIGNATURE).read_bytes())
    (folder / SIGNATURE).write_bytes(canonical({**stated, **change}))
    refused(folder)


@pytest.mark.parametrize("content", [b"[]", b'"x"', b"null", b"{}", b"[" * 60_000, b"\xff"])
def test_a_signature_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / SIGNATURE).write_bytes(content)
    refused(folder)


def test_a_missing_signature_is_refused(folder: Path) -> None:
    (folder / SIGNATURE).unlink()
    refused(folder, SIGNATURE)
    # The one who made it on this machine asks for the digests alone.
    load_release(folder, trusted=None)


def test_without_trust_the_digests_still_count(folder: Path) -> None:
    (folder / "card.md").write_text("# Changed\n")
    with pytest.raises(ReleaseError, match=r"card\.md"):
        load_release(folder, trusted=None)


# Of before


def test_a_release_of_before_there_were_rules_and_shares_is_read(folder: Path) -> None:
    (folder / "disqualifiers.yaml").unlink()
    content = json.loads((folder / "model.json").read_bytes())
    old = canonical({**content, "format": 3, "yes_shares": {}}).replace(b',"yes_shares":{}', b"")
    (folder / "model.json").write_bytes(old)

    def change(document: dict[str, Any]) -> None:
        document["format"] = 3
        del document["files"]["disqualifiers.yaml"]
        listed = {"bytes": len(old), "sha256": hashlib.sha256(old).hexdigest()}
        document["files"]["model.json"] = listed

    manifest_of(folder, change)
    loaded = load(folder)
    assert loaded.scorer.yes_shares == {}
    assert loaded.rules is rule_reader(rules_text())


def test_the_rules_are_the_release_s_own(tmp_path: Path) -> None:
    rules = rules_text().replace("machete", "halberd")
    files = {**release_files(), "disqualifiers.yaml": rules.encode()}
    loaded = load(write_release(tmp_path, files, KEY))
    call = Call.model_validate_json(json.dumps(a_call(narrative="he has a halberd")))
    assert [hit.code for hit in assess(loaded, call).recommendation.disqualifiers] == ["weapon"]


# Signed, and still no release of ours


def manifest_of(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest and sign it anew."""
    document = json.loads((folder / MANIFEST).read_bytes())
    change(document)
    content = canonical(document)
    digest = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST).write_bytes(content)
    (folder / SIGNATURE).write_bytes(
        canonical(
            {
                "algorithm": "ed25519",
                "key": PUBLIC_KEY,
                "signature": KEY.sign(digest.encode()).hex(),
            }
        )
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d.update(format=5), "has format 5; this version reads 2 to 4"),
        (lambda d: d.pop("format"), "is damaged"),
        (lambda d: d.pop("files"), "is damaged"),
        (lambda d: d["files"].pop("card.md"), "is damaged"),
        (lambda d: d["files"].update(extra=d["files"]["card.md"]), "is damaged"),
        (lambda d: d["files"].update({"../card.md": d["files"].pop("card.md")}), "is damaged"),
        (lambda d: d["files"]["card.md"].update(bytes="many"), "is damaged"),
        (lambda d: d["files"]["card.md"].update(bytes=1), "not what the release says"),
        (lambda d: d["files"]["card.md"].update(sha256="0" * 64), "not what the release says"),
    ],
    ids=range(9),
)
def test_a_manifest_of_another_kind_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], Any], why: str
) -> None:
    manifest_of(folder, change)
    refused(folder, why)


def npz(**arrays: Any) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


class Bomb:
    """Creates a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    fired = tmp_path / "fired"
    hidden = np.empty(13, dtype=object)
    hidden[:] = [Bomb(fired)] * 13
    rows = np.zeros((13, 2))
    pickled = io.BytesIO()
    np.save(pickled, hidden, allow_pickle=True)
    for content in (
        npz(**{"narrative.idf": hidden, "narrative.weights": rows}),
        npz(**{"narrative.idf": np.ones(13), "narrative.weights": hidden}),
        pickle.dumps(Bomb(fired)),
        pickled.getvalue(),
    ):
        refused(signed(tmp_path / "store", weights_npz=content), "not a release")
    assert not fired.exists()


def wrong_weights() -> list[bytes]:
    idf, rows = np.ones(13), np.zeros((13, 2))
    odd = io.BytesIO()
    with zipfile.ZipFile(odd, "w") as archive:
        archive.writestr("narrative.idf.npy", b"\x93NUMPY\x01\x00")
        archive.writestr("narrative.weights.npy", b"")
    return [
        b"",
        b"PK\x03\x04",
        odd.getvalue(),
        npz(),
        npz(**{"narrative.idf": idf}),
        npz(**{"narrative.idf": idf[:-1], "narrative.weights": rows}),
        npz(**{"narrative.idf": idf, "narrative.weights": rows[:, :1]}),
        npz(**{"narrative.idf": idf.astype("f4"), "narrative.weights": rows}),
        npz(**{"narrative.idf": idf.astype("M8[s]"), "narrative.weights": rows}),
        npz(**{"narrative.idf": idf * np.nan, "narrative.weights": rows}),
        npz(**{"narrative.idf": idf, "narrative.weights": rows + np.inf}),
    ]


@pytest.mark.parametrize("number", range(11))
def test_weights_that_are_none_are_refused(tmp_path: Path, number: int) -> None:
    refused(signed(tmp_path, weights_npz=wrong_weights()[number]), "not a release")


def model(**changes: Any) -> bytes:
    return canonical({**json.loads(release_files()["model.json"]), **changes})


@pytest.mark.parametrize(
    "changed",
    [
        {"model_json": b"{}"},
        {"model_json": b"[" * 100_000},
        {"model_json": model(format=5)},
        {"model_json": model(targets=["safety_risk", "mental_health_crisis"])},
        {"model_json": model(timezone="Nowhere/Land")},
        {"model_json": model(yes_shares={"weather": 0.5})},
        {"model_json": model(yes_shares={"weapon": 1.5})},
        {"model_json": model(yes_shares={"weapon": "often"})},
        {"model_json": model(timezone=None)},
        {"model_json": model(bias=[0.0])},
        {"model_json": model(bias=[0.0, "x"])},
        {"model_json": model(bias=[0.0, None])},
        {"model_json": model(bias=[0.0, 1.0]).replace(b"1.0", b"NaN")},
        {"model_json": model(bias=[0.0, 1.0]).replace(b"1.0", b"1e999")},
        {"model_json": model(texts=[{"column": "call_id", "longest": 1}])},
        {"model_json": model(texts=[{"column": "narrative", "longest": 0}])},
        {"model_json": model(texts=[{"column": "narrative"}])},
        {"model_json": model(categories=[{"field": "x", "values": {}, "other": [0, 0]}])},
        {
            "model_json": model(
                categories=[{"field": "answers", "values": {}, "other": [0, 0], "mean": [0, 0]}]
            )
        },
        {"terms_json": b"{}"},
        {"terms_json": b'{"narrative":["a"]}'},
        {"thresholds_json": b"{}"},
        {"thresholds_json": canonical({"safety_risk": {"low": 0.1, "high": 0.2}})},
        {"thresholds_json": canonical(dict.fromkeys(TARGETS, {"low": 0.3, "high": 0.2}))},
        {"thresholds_json": canonical(dict.fromkeys(TARGETS, {"low": 0.3}))},
        {
            "thresholds_json": canonical(dict.fromkeys(TARGETS, {"low": 0.5, "high": 0.5})).replace(
                b"0.5", b"NaN"
            )
        },
        {"disqualifiers_yaml": b"version: 1"},
        {"plan_yaml": b"plan: x"},
        {"plan_yaml": b"\xff\xfe"},
        {"plan_yaml": b"!!python/object/apply:os.getcwd []"},
        {"metrics_json": b"[1]"},
        {"metrics_json": b"not json"},
        {"card_md": b"\xff\xfe"},
    ],
    ids=range(33),
)
def test_signed_files_that_are_no_release_are_refused(
    tmp_path: Path, changed: dict[str, bytes]
) -> None:
    refused(signed(tmp_path, **changed))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_was_signed_is_loaded_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    files = release_files()
    name = data.draw(st.sampled_from(["weights.npz", "model.json", "terms.json"]))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = write_release(tmp_path, {**files, name: bytes(content)}, KEY)
    try:
        load(folder)
    except ReleaseError:
        pass
    finally:
        shutil.rmtree(folder)


def test_nothing_is_parsed_before_signature_and_digests_are_right(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: Any) -> Any:
        raise AssertionError("parsed")

    monkeypatch.setattr(module, "_parse", parse)
    for name in FILES:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(b"x" + content[1:])
        refused(folder)
        (folder / name).write_bytes(content)
    stated = json.loads((folder / SIGNATURE).read_bytes())
    (folder / SIGNATURE).write_bytes(canonical({**stated, "signature": "00" * 64}))

    def check(*_: Any) -> Any:
        raise AssertionError("files were looked at before the signature")

    monkeypatch.setattr(module, "_check_files", check)
    refused(folder, "the signature does not fit")


def test_loading_needs_no_scikit_learn_pandas_or_mlflow(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from model_service.model.release import load_release;"
        "from model_service.model.assess import assess;"
        "load_release(Path(sys.argv[1]), trusted=None);"
        "print([m for m in ('sklearn', 'pandas', 'mlflow', 'scipy', 'joblib')"
        " if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.stdout.strip() == "[]"
