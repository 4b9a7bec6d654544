"""Make the list of other languages' words (model_service/model/other_languages.yaml) anew.

    python experiments/2026-11-audit-causes/words.py --english FILE es=FILE pt=FILE …

Each file has a word or phrase a line. Kept are its words as the model reads them, but for those
that are English too: any of the English file or of the lists of concepts and rules. To them come
the fragments of the synthetic calls in that language, which are the project's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from data.sources.synthetic.library import shipped
from data.text import tokenize
from model_service.model.concepts import concepts_text, matcher
from model_service.model.matching import PhraseMatcher
from model_service.model.rules import parse_rules, rules_text

LIST = Path(__file__).parents[2] / "model_service" / "model" / "other_languages.yaml"
HEAD = """\
# Common words of languages that callers speak, as the model reads a word (no capitals, no accents),
# but for those that are English too. A configuration names the languages whose words are no
# features.
# Made by experiments/2026-11-audit-causes/words.py; the README there says from what.
"""


def words_of(text: str) -> set[str]:
    """Read the words of a text as the model does, single letters and numbers left out."""
    return {t.text for t in tokenize(text) if len(t.text) > 1 and t.text.isalpha()}


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--english", type=Path, required=True)
    parser.add_argument("languages", nargs="+", help="tag=FILE")
    options = parser.parse_args()
    english = words_of(options.english.read_text("utf-8"))
    rules = parse_rules(rules_text())
    read = PhraseMatcher(rules.facts, rules.sets, rules.scopes)
    known = [matcher(concepts_text()).automaton, read.automaton]
    lexicon = shipped().lexicon
    lines = []
    for given in options.languages:
        tag, _, path = given.partition("=")
        words = words_of(Path(path).read_text("utf-8"))
        for fragment in lexicon.fragments.get(tag, ()):
            words |= words_of(" ".join(part for part in fragment if isinstance(part, str)))
        kept = sorted(
            w for w in words - english if not any(automaton.knows(w) for automaton in known)
        )
        # In quotes: YAML takes some words for truth values.
        lines.append(f"{tag}: [{', '.join(map(repr, kept))}]\n")
    LIST.write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
