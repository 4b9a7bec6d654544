"""A fairness audit: by groups of calls, what the model, the plan and people get wrong.

period.py        what is audited: one row per call
groups.py        which calls are compared with which
measures.py      what is counted
uncertainty.py   how sure each figure is
pooling.py       small groups borrow from the others
verdicts.py      differs, no difference found, insufficient evidence
audit.py         all of it over a period
people.py        do decisions narrow or widen the gaps
gate.py          the plan's limits
words.py         the same in plain sentences
report.py        HTML, JSON and CSV
"""
