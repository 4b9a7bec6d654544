"""The words of the machine that figures of speed come from."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from pathlib import Path


def machine() -> str:
    """Say what machine this is, in words."""
    model = "unknown processor"
    with suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else model
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{os.cpu_count()} cores of {model}, {platform.system()}, Python "
        f"{platform.python_version()}; load average {load:.1f} when the run began"
    )
