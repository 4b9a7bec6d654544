"""The second verifier: it stands on its own, and says what the first one says."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import apsw
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service import log_verifier
from model_service.service.log import Draft, verify
from model_service.service.log.entry import canonical
from model_service.service.log.keys import keys_beside
from model_service.service.log.proof import ProofError, check, prove_entry, prove_growth, tree_over
from model_service.service.log.reading import Reader, Snapshot
from model_service.service.log.snapshot import snapshot
from model_service.service.log.store import Store, prepare
from tests.faults.attacks import PUBLIC, Rows, kept_in, make_log

ENTRIES = 40
KEYS = {bytes.fromhex(PUBLIC)}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_log(tmp_path_factory.mktemp("log"), entries=ENTRIES, every=10)


def stated(path: Path) -> list[log_verifier.Stated]:
    checkpoints, wrong = log_verifier.read_checkpoints([path.parent / "checkpoints"], KEYS)
    assert wrong == []
    return checkpoints


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-I", log_verifier.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_it_imports_nothing_of_the_project_and_one_package() -> None:
    tree = ast.parse(Path(log_verifier.__file__).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None
            imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


def test_both_say_that_a_whole_log_is_whole(path: Path) -> None:
    found = verify(path, kept=kept_in(path.parent))
    assert found.whole
    assert log_verifier.verify(path, stated(path)) == (*found.head, found.covered)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(
    st.lists(
        st.tuples(TEXT, TEXT, st.none() | st.integers(1, 2**53), st.floats(allow_nan=False)),
        min_size=1,
        max_size=5,
    )
)
def test_both_write_the_same_bytes_of_any_text(
    tmp_path_factory: pytest.TempPathFactory, drafts: list[tuple[str, str, int | None, float]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "log.db"
    store = Store(path)
    private = {"note": b"a note"}
    for text, key, revision, number in drafts:
        body = {key: [text, number], "text": text}
        store.write([prepare(Draft("outcome", text, body, text, revision, text, private))])
    store.close()
    found = verify(path)
    assert found.whole
    assert log_verifier.verify(path, []) == (*found.head, 0)


@given(TEXT)
def test_both_write_strings_alike(text: str) -> None:
    assert log_verifier.quoted(text.encode()) == canonical(text)


def test_what_can_not_be_an_entry_is_no_entry_with_whatever_digest(
    path: Path, tmp_path: Path
) -> None:
    """Bytes that make no JSON have no digest, not that of nothing."""
    copy = tmp_path / "log.db"
    copy.write_bytes(path.read_bytes())
    connection = apsw.Connection(str(copy))
    connection.execute("DROP TRIGGER entries_no_update")
    for empty in ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"):
        connection.execute(
            "UPDATE entries SET actor = CAST(x'ff' AS TEXT), digest = ? WHERE seq = 7", (empty,)
        )
        found = verify(copy).fault
        assert found is not None and found.seq == 7
        with pytest.raises(log_verifier.Bad) as bad:
            log_verifier.verify(copy, [])
        assert bad.value.first == 7
    connection.close()


def test_text_that_was_erased_is_not_missed(path: Path, tmp_path: Path) -> None:
    """As the format has it: an entry of kind `erasure` names the entries whose text is gone."""
    copy = tmp_path / "log.db"
    copy.write_bytes(path.read_bytes())
    rows = Rows.read(copy)
    seq = rows.texts[0][0]
    rows.texts = [row for row in rows.texts if row[0] != seq]
    rows.write(copy)
    with pytest.raises(log_verifier.Bad, match="its text is missing") as bad:
        log_verifier.verify(copy, [])
    assert bad.value.first == seq
    rows.notes.insert(0, (seq, ENTRIES + 1, 1))
    last = rows.entries[-1]
    body = orjson.dumps({"entries": [seq]}).decode()
    rows.entries.append(
        (ENTRIES + 1, last[1], "erasure", None, None, None, "desk", body, last[-1], "")
    )
    rows.recompute(ENTRIES + 1)
    rows.write(copy)
    assert log_verifier.verify(copy, stated(path))[0] == ENTRIES + 1
    for by in (ENTRIES, None):  # the note tells of another erasure, or is gone
        rows.notes[:1] = [] if by is None else [(seq, by, 1)]
        rows.write(copy)
        found = verify(copy).fault
        with pytest.raises(log_verifier.Bad, match="note of its erasure") as bad:
            log_verifier.verify(copy, [])
        assert found is not None and found.seq == bad.value.first == seq
    rows.notes.insert(0, (seq, ENTRIES + 1, 1))
    rows.texts.insert(0, (seq, "call", b"", b""))
    rows.write(copy)
    with pytest.raises(log_verifier.Bad, match="too much text"):
        log_verifier.verify(copy, [])


def proofs(path: Path) -> tuple[bytes, bytes]:
    with snapshot(path) as connection:
        reader = Reader(Snapshot(connection, keys_beside(path)))
        tree = tree_over(reader)
        entry = reader.entry(7)
        assert entry is not None
        return (
            orjson.dumps(prove_entry(tree, entry, 20)),
            orjson.dumps(prove_growth(tree, 20, ENTRIES)),
        )


def test_both_take_proofs_of_every_entry_and_of_all_growth(path: Path) -> None:
    kept, other = kept_in(path.parent).checkpoints, stated(path)
    with snapshot(path) as connection:
        reader = Reader(Snapshot(connection, keys_beside(path)))
        tree = tree_over(reader)
        for size in (10, 20, 30, 40):
            for seq in range(1, size + 1):
                entry = reader.entry(seq)
                assert entry is not None
                document = orjson.dumps(prove_entry(tree, entry, size))
                said = check(document, kept)
                assert said == f"entry {seq}:{entry.digest} is in the log of {size} entries"
                assert log_verifier.verify_proof(orjson.loads(document), other) == said
            for old in range(10, size + 1, 10):
                document = orjson.dumps(prove_growth(tree, old, size))
                said = check(document, kept)
                assert log_verifier.verify_proof(orjson.loads(document), other) == said


@given(st.data())
def test_neither_takes_a_proof_that_was_changed(path: Path, data: st.DataObject) -> None:
    document = bytearray(data.draw(st.sampled_from(proofs(path))))
    document[data.draw(st.integers(0, len(document) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProofError):
        check(bytes(document), kept_in(path.parent).checkpoints)
    try:
        changed = orjson.loads(bytes(document))
    except orjson.JSONDecodeError:
        return
    with pytest.raises((log_verifier.Bad, log_verifier.Unusable)):
        log_verifier.verify_proof(changed, stated(path))


def dump_of(path: Path) -> list[bytes]:
    from model_service.service.log.entry import Entry, content

    return [content(Entry(*row)) + b"\n" for row in Rows.read(path).entries]


def test_a_dump_is_verified_like_the_log(path: Path, tmp_path: Path) -> None:
    lines, file = dump_of(path), tmp_path / "chain.jsonl"
    file.write_bytes(b"".join(lines))
    assert log_verifier.verify(file, stated(path)) == log_verifier.verify(path, stated(path))
    for changed, first in (
        ([*lines[:4], lines[4].replace(b'"kind"', b'"kinD"'), *lines[5:]], 5),
        ([*lines[:4], *lines[5:]], 5),
        (lines[:-1], ENTRIES),
        ([lines[1], lines[0], *lines[2:]], 1),
        ([*lines[:4], b"\n", *lines[4:]], 5),
        ([*lines[:4], b"\xff\n", *lines[4:]], 5),
        ([], 1),
    ):
        file.write_bytes(b"".join(changed))
        with pytest.raises(log_verifier.Bad) as bad:
            log_verifier.verify(file, stated(path))
        assert bad.value.first == first


def test_it_runs_as_a_command_of_its_own(path: Path, tmp_path: Path) -> None:
    against = ("--checkpoints", path.parent / "checkpoints", "--key", PUBLIC)
    code, said, errors = run(path, *against)
    assert (code, errors) == (0, "")
    assert f"{ENTRIES} entries, whole" in said and f"vouch for the first {ENTRIES}" in said
    inclusion, _ = proofs(path)
    (tmp_path / "proof.json").write_bytes(inclusion)
    code, said, errors = run(tmp_path / "proof.json", *against)
    assert (code, errors) == (0, "") and "is in the log of 20 entries" in said

    copy = tmp_path / "log.db"
    rows = Rows.read(path)
    copy.write_bytes(path.read_bytes())
    rows.keep(lambda seq: seq <= 30)
    rows.write(copy)
    assert run(copy, *against) == (1, "", f"{copy}: entry 31: missing\n")
    assert run(copy)[0] == 0  # nothing tells without a checkpoint

    (tmp_path / "key.pub").write_text("no key")
    for arguments in (
        (tmp_path / "nothing.db",),
        (path, "--checkpoints", path.parent / "checkpoints"),
        (path, "--checkpoints", tmp_path / "nowhere", "--key", PUBLIC),
        (path, "--key", tmp_path / "key.pub"),
        (tmp_path / "proof.json",),
    ):
        code, said, errors = run(*arguments)
        assert (code, said, errors.count("\n")) == (2, "", 1)
        assert errors.startswith("log_verifier: ")
