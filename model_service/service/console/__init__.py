"""The console: templates and static files of the pages; `routes/pages.py` serves them."""
