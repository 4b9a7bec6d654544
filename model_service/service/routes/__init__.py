"""The HTTP contract.

    assessments.py   a call in, a recommendation and its record out; decisions
    eido.py          a call in and its recommendation out, as NENA's EIDO
    calls.py         a call's latest assessment; its outcome
    log.py           pages of the decision log
    model.py         the release in force
    mode.py          what the service may do now: off, shadow, advisory
    units.py         how many units of each response are free
    tokens.py        signing in and out
    health.py        whether the process is up, and whether it can do its work
    pages/           the console

Each has a `router`; the names of its routes stand in `auth.ACCESS`.
"""
