"""Some hundred of the attacks of `attack_log.py`: every one is found, and the right entry named."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.attack_log import BYTES, CHECKPOINTS, KINDS, run
from tests.faults.attacks import SEALED

EACH = 20


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counter[str]]:
    found, _ = run(EACH * len(KINDS), 911, tmp_path_factory.mktemp("attacked"))
    return found


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != BYTES])
def test_every_attack_is_found(results: dict[str, Counter[str]], kind: str) -> None:
    how = "told" if kind == CHECKPOINTS else "named"
    keys = {"seen with keys only": EACH} if kind == SEALED else {}
    assert results[kind] == {"attacks": EACH, how: EACH, **keys}


def test_no_byte_of_the_file_is_changed_unseen(results: dict[str, Counter[str]]) -> None:
    tally = results[BYTES]
    found = tally["named"], tally["told"], tally["file refused"]
    assert all(found[:2]) and sum(found) == EACH
    assert not tally["verifiers disagree"]
