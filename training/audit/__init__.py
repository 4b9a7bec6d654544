"""A fairness audit: by groups of calls, what the model, the plan and people get wrong.

period.py        what is audited: one row per call
groups.py        which calls are compared with which
measures.py      what is counted
uncertainty.py   how sure each figure is
pooling.py       small groups borrow from the others
verdicts.py      differs, no difference found, insufficient evidence
audit.py         all of it over a period
people.py        do decisions narrow or widen the gaps
places.py        where it happens: maps (map.py), boundaries and the scan for clusters (scan.py)
options.py       what could be done about it (mitigation.py), never applied
why.py           why groups differ (causes/)
gate.py          the plan's limits
words.py         the same in plain sentences
report.py        HTML, JSON and CSV
"""
