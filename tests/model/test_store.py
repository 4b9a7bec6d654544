"""The file that names the champion."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_service.model.release import ReleaseError, load_release, write_release
from model_service.model.store import CHAMPION, champion, name_champion
from tests.builders import KEY, PUBLIC_KEY, release_files


def test_the_pointer_moves_at_once_and_leaves_nothing_else(tmp_path: Path) -> None:
    first = write_release(tmp_path, release_files(), KEY)
    second = write_release(tmp_path, release_files(card="# Another\n"), KEY)
    for folder in (first, second, first):
        name_champion(tmp_path, folder)
        assert champion(tmp_path) == folder
        assert load_release(champion(tmp_path), trusted=[PUBLIC_KEY]).name == folder.name
    assert {path.name for path in tmp_path.iterdir()} == {first.name, second.name, CHAMPION}


def test_a_store_without_a_champion_says_what_to_do(tmp_path: Path) -> None:
    for store in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ReleaseError, match="crisiscall train") as caught:
            champion(store)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"..", b".", b"../other", b"a/b", b"/etc", b"a\0b", b"\xff\xfe", b"one\ntwo"],
    ids=range(10),
)
def test_a_pointer_out_of_the_store_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CHAMPION).write_bytes(content)
    with pytest.raises(ReleaseError):
        champion(tmp_path)


def test_a_pointer_to_what_is_not_there_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / CHAMPION).write_text("0123456789abcdef\n")
    with pytest.raises(ReleaseError, match="no release at"):
        load_release(champion(tmp_path), trusted=[PUBLIC_KEY])
