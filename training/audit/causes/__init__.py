"""Why groups differ: call mix, features, swaps in the text, places left out, labels.

Each module gives frozen figures with 95% intervals, and `section` puts them into words and tables.
"""
