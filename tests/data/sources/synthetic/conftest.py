"""Four tiny families, one of each truth, and one more that comes late."""

import importlib.resources

import pytest

from data.sources.synthetic.library import Library, load

FAMILY = """
family: {name}
crisis: {crisis}
risk: {risk}
about: a family for tests
call_types: {{"CHECK WELFARE": 3, "DISTURBANCE": 1}}
roles: {{family: 3, bystander: 1}}
answers:
  weapon: {{asked: 0.8, yes: {yes}, no: {no}, unknown: 0.2}}
slots:
  thing: ["a {word} lamp", "a {word} radio", "{{color}} {word} paint"]
spoken:
  - "{{greeting}} {{my_relation}} has {{thing}} and {{pro}} won't put it down / {{pro_s}} there"
  - "{{a_person}} with {{thing}} {{where_now}}, {{pro_poss}} name is {{first_name}}"
shorthand:
  - "RP ADV {{cad_relation}} HAS {{THING}}. {{cad_person}}. {{PRO}} IS {{cad_place}}"
  - "{{cad_start}} {{cad_person}} W/ {{thing}}, {{PRO_POSS}} CAR IS {{color}}"
log:
  - "{{log_start}} {{log_person}} with {{thing}}. {{log_end}}"
"""

NAMES = {
    "tiny_pink": (True, True, "crimson"),
    "tiny_blue": (True, False, "azure"),
    "tiny_teal": (False, True, "emerald"),
    "tiny_gray": (False, False, "slate"),
    "late_c": (True, False, "ochre"),
}
"""Family → crisis, risk, its word. By name, the first four train and the last is for testing."""


def family_text(name: str, crisis: bool, risk: bool, word: str) -> str:
    return FAMILY.format(
        name=name,
        crisis=str(crisis).lower(),
        risk=str(risk).lower(),
        word=word,
        yes=0.6 if risk else 0.0,
        no=0.2 if risk else 0.8,
    )


@pytest.fixture(scope="session")
def lexicon_text() -> str:
    file = importlib.resources.files("data.sources.synthetic").joinpath("lexicon.yaml")
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_files() -> dict[str, str]:
    return {f"{name}.yaml": family_text(name, *what) for name, what in NAMES.items()}


@pytest.fixture(scope="session")
def tiny(tiny_files: dict[str, str], lexicon_text: str) -> Library:
    return load(tiny_files, lexicon_text)
