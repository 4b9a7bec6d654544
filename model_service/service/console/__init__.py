"""The console: what people look at.

    page.py       one way to add a page: the frame, the policy, the navigation
    errors.py     what goes wrong, told as a page
    templates/    Jinja2; `base.html` is the frame of every page
    static/       one stylesheet, own modules in js/, other people's code in vendor/

`routes/pages/` serves them.
"""
