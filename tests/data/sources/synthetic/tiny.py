"""Four tiny families, one of each truth, and a small lexicon's worth of tests' material."""

import importlib.resources

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
  - "{{greeting}} {{my_relation}} has {{thing}} and {{pro}} won't put it down / {{ct_question}} / {{pro_s}} {{where_now}} / {{thing}} again"
  - "{{a_person}} with {{thing}} {{where_now}}, {{pro_poss}} name is {{first_name}}"
shorthand:
  - "RP ADV {{cad_relation}} HAS {{THING}}. {{cad_person}}. {{PRO}} IS {{cad_place}}"
  - "{{cad_start}} {{cad_person}} W/ {{thing}}, {{PRO_POSS}} CAR IS {{color}}"
log:
  - "{{log_start}} {{log_person}} with {{thing}}. {{log_end}}"
"""

# Names that `roles.role_of` makes train families, and two more to be seen late.
NAMES = {
    (True, True): ("tiny_red", "crimson"),
    (True, False): ("tiny_blue", "azure"),
    (False, True): ("tiny_green", "emerald"),
    (False, False): ("tiny_black", "slate"),
}


def lexicon() -> str:
    return (
        importlib.resources.files("data.sources.synthetic")
        .joinpath("lexicon.yaml")
        .read_text(encoding="utf-8")
    )


def family(name: str, crisis: bool, risk: bool, word: str) -> str:
    return FAMILY.format(
        name=name,
        crisis=str(crisis).lower(),
        risk=str(risk).lower(),
        word=word,
        yes=0.6 if risk else 0.0,
        no=0.2 if risk else 0.8,
    )


def families() -> dict[str, str]:
    """YAML of the tiny families by file name."""
    return {
        f"{name}.yaml": family(name, crisis, risk, word)
        for (crisis, risk), (name, word) in NAMES.items()
    }


def library() -> Library:
    return load(families(), lexicon())
