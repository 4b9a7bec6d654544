"""`python -m training.cli`: the command line where the entry point is not installed."""

from training.cli import main

main()
