"""A tiny real release, and a home for a service, made without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from argon2 import Type
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from model_service.model.plan import load_plan
from model_service.model.release import RULES, canonical, scorer_files, write_release
from model_service.model.rules import RuleReader, rule_reader, rules_text
from model_service.model.scorer import HOUR, MISSING, CategoryTable, Scorer, TextTable
from model_service.service.accounts import Accounts
from model_service.service.settings import Settings
from tests.stores import shared_settings

TERMS: dict[str, tuple[float, float, float]] = {
    # term: idf, log-odds of a crisis, log-odds of a risk
    "voices": (2.0, 3.0, 0.2),
    "suicidal": (2.5, 4.0, 0.6),
    "knife": (2.2, 0.3, 4.0),
    "hearing": (1.8, 1.5, 0.0),
    "brother": (1.4, 0.2, -0.1),
    "not": (1.1, 0.1, 0.0),
    "sleeping": (1.9, 0.9, -0.2),
    "car": (1.6, -2.0, 0.1),
    "accident": (1.9, -3.0, 0.2),
    "hearing voices": (3.0, 2.5, 0.1),
    "no weapons": (2.8, 0.1, -2.0),
    "no": (1.0, 0.0, -0.1),
    "weapons": (2.0, 0.0, 1.0),
}

KEY = Ed25519PrivateKey.from_private_bytes(b"a key that only the tests trust.")
PUBLIC_KEY = KEY.public_key().public_bytes_raw().hex()

CHEAP = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.ID),))
"""Argon2 at its least: the tests sign in a lot."""


def make_scorer(*, bias: tuple[float, float] = (-1.5, -2.0)) -> Scorer:
    """Build a scorer of a few terms by hand."""
    rows = np.array(list(TERMS.values()))
    return Scorer(
        timezone="America/New_York",
        bias=bias,
        texts=(TextTable("narrative", 2, list(TERMS), rows[:, 0].copy(), rows[:, 1:].copy()),),
        categories=(
            CategoryTable(
                "call_source",
                {"911": (0.1, 0.2), "988_transfer": (1.5, -0.5), MISSING: (0.0, 0.0)},
                (0.0, 0.0),
                (0.12, 0.15),
            ),
            CategoryTable("call_type", {"EDP": (2.0, 0.3)}, (-0.2, 0.0), (0.2, 0.05)),
            CategoryTable(
                "answer_hallucinations",
                {"yes": (1.0, 0.1), MISSING: (0.0, 0.0)},
                (-0.3, 0.0),
                (0.05, 0.01),
            ),
            CategoryTable(HOUR, {str(h): (h / 100, -h / 200) for h in range(24)}, (0, 0), (0.1, 0)),
        ),
        yes_shares={"weapon": 0.1, "injury": 0.2, "hallucinations": 0.4},
    )


def make_rules() -> RuleReader:
    """Make the reader of the rules that the project ships."""
    return rule_reader(rules_text())


def release_files(scorer: Scorer | None = None, *, card: str = "# A card\n") -> dict[str, bytes]:
    """Make the files of a release with Boston's plan."""
    _, plan = load_plan("boston")
    bands = {"low": 0.2, "high": 0.6}
    return {
        **scorer_files(scorer or make_scorer()),
        RULES: rules_text().encode(),
        "thresholds.json": canonical({"mental_health_crisis": bands, "safety_risk": bands}),
        "plan.yaml": plan.encode(),
        "metrics.json": canonical({"auroc": {"mental_health_crisis": 0.9}}),
        "card.md": card.encode(),
    }


def make_champion(home: Path, files: dict[str, bytes] | None = None) -> Path:
    """Write a release into a home and bring it into force; returns its folder."""
    store = home / "releases"
    folder = write_release(store, files or release_files(), KEY)
    pointer = store / ".champion.new"
    pointer.write_text(folder.name + "\n", encoding="ascii")
    pointer.replace(store / "champion")
    (home / "keys").mkdir(exist_ok=True)
    (home / "keys" / "release.pub").write_text(PUBLIC_KEY + "\n", encoding="ascii")
    return folder


def make_settings(home: Path, **more: Any) -> Settings:
    """Make settings that look at nothing but what they are given."""
    return Settings(home=home, **{**shared_settings(more.get("log")), **more})


def add_users(settings: Settings, roles: dict[str, str]) -> dict[str, str]:
    """Add a user of each name and role; returns their passwords."""
    accounts = Accounts(settings.accounts_path, hasher=CHEAP)
    try:
        return {name: accounts.add(name, role) for name, role in roles.items()}
    finally:
        accounts.close()


def a_call(number: int | str = 1, **more: Any) -> dict[str, Any]:
    """Make a synthetic call as JSON has it."""
    return {
        "call_id": f"C-{number}",
        "received_at": "2021-10-05T21:14:00-04:00",
        "revision": 1,
        "narrative": "brother hearing voices, not sleeping, no weapons",
        "call_type": "EDP",
        "call_source": "911",
        "language": "en",
        "neighborhood": "Dorchester",
        "answers": {"weapon": "no", "hallucinations": "yes"},
        **more,
    }
