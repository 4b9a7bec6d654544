"""Invented calls whose truth is known: the source that ships with the project.

lexicon.yaml, city.yaml, families/   the words, the city, the kinds of events
grammar.py      templates: parsed, linked, expanded
library.py      families and lexicon: loaded and checked
roles.py        which families are for training, validation and test, and when they occur
city.py         places, times, languages, priorities
narrative.py    the text of a call; noise.py, its errors of hearing and typing
outcomes.py     how it ended
generate.py     all of it together, as a `data.dataset.Dataset`
"""

from data.sources.synthetic.generate import synthesize

__all__ = ["synthesize"]
