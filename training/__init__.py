"""From labelled calls to a release, and the command line."""
