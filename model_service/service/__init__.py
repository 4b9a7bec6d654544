"""The running service: a call in, a recommendation and its record out.

    settings.py   everything that can be set, in one class
    cli.py        `crisiscall serve` and `crisiscall users`
    app.py        the application, put together; nothing happens at import
    edge.py       what every request passes: size, identity, headers, one log line
    problems.py   RFC 9457 errors that never echo what was sent
    bodies.py     from raw bytes to a strict record
    loading.py    which release is in force, and its replacement while calls come in
    assessor.py   a call through the model into the log; the answer made from the record
    views.py      what answers look like
    docs.py       OpenAPI and its page, without the internet
    accounts.py   who there is; passwords and tokens
    auth.py       who may do what
    telemetry.py  the application's own log lines
    routes/       the HTTP contract
    log/          the decision log

It imports no pandas, no scikit-learn and nothing of the training side.
"""
