"""Thousands of attacks on a stored log, and what both verifiers say of each; `make attack-log`.

Prints for each kind of attack how many there were and how many were found: by the first bad entry,
named; or, where a checkpoint, an index or a guard was changed and no entry, told; or, where SQLite
can't open it any more, by refusing the file. Bytes of the file that nothing is read from are left
alone. What is encrypted shows only to who holds the record keys, so to the first verifier alone.
Where a page can't be read, the second verifier may name an entry some before the first bad one, for
the SQLite of Python looks ahead. Exits with 1 if an attack was missed by one of them that could see
it, or the first one named another entry.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from data.errors import InputError
from model_service import log_verifier
from model_service.service.log import verify
from model_service.service.log.keys import keys_beside
from tests.faults import attacks
from tests.faults.attacks import ATTACKS, PUBLIC, SEALED, STRANGER, Rows

ENTRIES, EVERY = 120, 25
BYTES, CHECKPOINTS = "a byte of the file", "a checkpoint"
KINDS = (*ATTACKS, BYTES, CHECKPOINTS)

NAMED, DAMAGED, BESIDE, NOTHING = "named", "file refused", "told", "nothing found"


class Found(NamedTuple):
    """What a verifier says: the first bad entry, if it names one, and how it goes otherwise."""

    how: str
    first: int = 0


class Target:
    """A log with its checkpoints, to be attacked again and again.

    Parameters
    ----------
    folder : Path
        Empty.
    seed : int

    Attributes
    ----------
    unread : int
        Bytes that were changed and that nothing is read from.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.chosen = random.Random(seed)
        self.path = attacks.make_log(folder, entries=ENTRIES, every=EVERY)
        self.rows = Rows.read(self.path)
        self.content = self.path.read_bytes()
        self.checkpoints = folder / "checkpoints"
        self.kept = attacks.kept_in(folder)
        self.copy = folder / "copy.db"
        self.keys = keys_beside(self.path)
        self.unread = 0

    def attack(self, kind: str) -> tuple[Found, Found, Found, bool]:
        """Attack once.

        Returns
        -------
        (Found, Found, Found, bool)
            What was done, what the two verifiers say of it, and whether nothing but what is
            encrypted was changed.
        """
        if kind == CHECKPOINTS:
            return self._attack_a_checkpoint()
        self.copy.write_bytes(self.content)
        if kind == BYTES:
            done, sealed = self._attack_a_byte()
        else:
            rows = self.rows.copy()
            done, sealed = Found(NAMED, ATTACKS[kind](self.chosen, rows)), kind == SEALED
            rows.write(self.copy)
        return done, self.first_verifier(), self.second_verifier(), sealed

    def first_verifier(self) -> Found:
        """Ask the project's own verifier."""
        try:
            found = verify(self.copy, kept=self.kept, keys=self.keys)
        except InputError:
            return Found(DAMAGED)
        if found.fault is not None:
            return Found(NAMED, found.fault.seq)
        return Found(BESIDE if found.beside else NOTHING)

    def second_verifier(self) -> Found:
        """Ask the other one."""
        keys = {bytes.fromhex(PUBLIC)}
        checkpoints, wrong = log_verifier.read_checkpoints([self.checkpoints], keys)
        try:
            log_verifier.verify(self.copy, checkpoints)
        except log_verifier.Bad as bad:
            return Found(NAMED, bad.first)
        except log_verifier.Unusable:
            return Found(DAMAGED)
        return Found(BESIDE if wrong else NOTHING)

    def _attack_a_byte(self) -> tuple[Found, bool]:
        """Change one byte anywhere in the file, but for those that nothing is read from."""
        while True:
            content = bytearray(self.content)
            content[self.chosen.randrange(len(content))] ^= self.chosen.randrange(1, 256)
            self.copy.write_bytes(content)
            first = attacks.first_difference(self.copy, self.rows)
            if first is not None:
                sealed = attacks.first_difference(self.copy, self.rows, sealed=False) is None
                return Found(NAMED, first), sealed
            if attacks.damaged(self.copy, self.rows):
                return Found(BESIDE), False
            self.unread += 1

    def _attack_a_checkpoint(self) -> tuple[Found, Found, Found, bool]:
        """Change a bit of one, or have it signed by another key."""
        self.copy.write_bytes(self.content)
        file = self.chosen.choice(sorted(self.checkpoints.iterdir()))
        whole, kept = file.read_bytes(), self.kept
        if self.chosen.random() < 0.9:
            changed = attacks.flipped(self.chosen, whole)
        else:
            forged = attacks.checkpoints_of(self.path, EVERY, STRANGER)
            changed = next(one for one in forged if one.size == int(file.stem)).content()
        file.unlink()
        file.write_bytes(changed)
        self.kept = attacks.kept_in(self.checkpoints.parent)
        try:
            return Found(BESIDE), self.first_verifier(), self.second_verifier(), False
        finally:
            file.write_bytes(whole)
            self.kept = kept


def run(count: int, seed: int, folder: Path) -> tuple[dict[str, Counter[str]], int]:
    """Attack `count` times, the kinds in turn.

    Returns
    -------
    (dict of str to Counter, int)
        For each kind what came of it; how many changed bytes were none that is read.
    """
    target = Target(folder, seed)
    results: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        done, first, second, sealed = target.attack(kind)
        results[kind].update(["attacks", outcome(done, first)])
        missed = done.first > 0 and NOTHING in (first.how, second.how)
        if sealed and done == first and second.how == NOTHING:
            results[kind]["seen with keys only"] += 1
        elif missed or (kind != BYTES and first != second):
            results[kind]["verifiers disagree"] += 1
        elif done.first and first != second:
            results[kind]["named differently"] += 1
    return results, target.unread


def outcome(done: Found, first: Found) -> str:
    """Name what came of an attack, by what was done and what the first verifier says."""
    if done == first and first.how == NAMED:
        return "named"
    if done.how == BESIDE and first.how in (BESIDE, NAMED):
        return "told"
    if first.how == DAMAGED:
        return "file refused"
    return "another named" if first.how == NAMED else "missed"


COLUMNS = (
    "attacks",
    "named",
    "told",
    "file refused",
    "another named",
    "missed",
    "seen with keys only",
    "verifiers disagree",
    "named differently",
)


def table(results: dict[str, Counter[str]]) -> str:
    """Write the results as a table."""
    rows = [["attack", *COLUMNS], ["---", *("--:" for _ in COLUMNS)]]
    rows += [[kind, *(f"{tally[name]:,}" for name in COLUMNS)] for kind, tally in results.items()]
    total = sum(results.values(), Counter())
    rows.append(["**all**", *(f"{total[name]:,}" for name in COLUMNS)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=911)
    given = parser.parse_args()
    started = time.monotonic()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        results, unread = run(given.count, given.seed, Path(folder))
    sys.stdout.write(
        f"{given.count:,} attacks on a log of {ENTRIES} entries with a checkpoint after each "
        f"{EVERY}, seed {given.seed}, {time.monotonic() - started:.0f} s\n\n{table(results)}\n\n"
        f"{unread:,} more bytes were changed that nothing is read from.\n"
    )
    total = sum(results.values(), Counter())
    return 1 if total["missed"] or total["another named"] or total["verifiers disagree"] else 0


if __name__ == "__main__":
    sys.exit(main())
