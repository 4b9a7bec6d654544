"""Where calls come from: one module or package per source, each ending in a `data.dataset.Dataset`.

The synthetic source ships with the project and needs no data of anybody; the others read what a
centre exports.
"""
