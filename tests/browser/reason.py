"""Why the tests of the pages are skipped, where they are; said by each and at the end of all."""

NO_BROWSER = "no Chromium here: the pages were NOT tested in a browser (see .ci/browser)"
