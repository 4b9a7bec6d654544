"""The console: what people look at.

    page.py       one way to add a page: the frame, the policy, the navigation
    errors.py     what goes wrong, told as a page
    calls.py      a call as a page shows it: words.py says what codes are called, evidence.py
                  marks the narrative
    board.py      the latest calls, drawn anew where an entry of the log changes one
    hub.py        what happens, told to every console that listens (server-sent events)
    templates/    Jinja2; `base.html` is the frame of every page
    static/       one stylesheet, own modules in js/, other people's code in vendor/

`routes/pages/` serves them.
"""
