"""Any agency's CAD export, read through a YAML mapping.

mapping.py   what a mapping may say, checked; which mapping fits a file
table.py     files to rows: compression, encoding, the form of a CSV
convert.py   columns to the fields of a call, an outcome or a label
reader.py    all of it: rows in, a `Dataset` out, every row validated
"""

from data.sources.cad.mapping import MappingError, MappingFile, choose, load
from data.sources.cad.reader import read_calls
from data.sources.cad.rules import Mapping
from data.sources.cad.table import find_inputs, read_header

__all__ = [
    "Mapping",
    "MappingError",
    "MappingFile",
    "choose",
    "find_inputs",
    "load",
    "read_calls",
    "read_header",
]
