"""Hold the audit's rates to Aequitas, in an environment of its own.

    python experiments/2026-11-audit/against_aequitas.py

Aequitas needs an older pandas. The script makes an environment in a temporary folder, installs
Aequitas and that pandas from the package index, and compares both groupings of made-up calls.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
import planted

from training.audit.audit import audit
from training.audit.period import Period

PACKAGES = (["--no-deps", "aequitas==0.42.0"], ["pandas==1.5.3", "numpy<2"])
"""Of Aequitas only what counts crosstabs is used, which needs pandas alone."""

BY = ("neighborhood", "language")
RATES = {
    "prev": "base_rate",
    "pprev": "selection_rate",
    "fnr": "false_negative_rate",
    "tpr": "sensitivity",
    "fpr": "false_positive_rate",
    "precision": "ppv",
    "npv": "npv",
}
CLOSE = 1e-9

CROSSTABS = """
import sys
import pandas as pd
from aequitas.group import Group
calls = pd.read_csv(sys.argv[1], keep_default_na=False)
made, _ = Group().get_crosstabs(calls)
names = ["attribute_name", "attribute_value", *sys.argv[3:]]
made.to_csv(sys.argv[2], index=False, float_format="%.17g", columns=names)
"""


def main() -> None:
    """Compare, and exit with 1 where they differ."""
    calls = planted.calls(0, n=20_000, gap=0.1, risk_calls=400)
    calls = calls[~calls["abstained"]]
    made = audit(Period(calls), by=BY, resamples=20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        python = str(folder / "env" / "bin" / "python")
        for packages in PACKAGES:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        table = calls.assign(
            score=calls["risk_flag"].astype(int), label_value=calls["risk"].astype(int)
        )
        table[["score", "label_value", *BY]].to_csv(folder / "calls.csv", index=False)
        arguments = [str(folder / "calls.csv"), str(folder / "rates.csv"), *RATES]
        subprocess.run([python, "-c", CROSSTABS, *arguments], check=True)
        theirs = pd.read_csv(folder / "rates.csv", keep_default_na=False, na_values=[""])
    worst, compared = 0.0, 0
    for row in theirs.to_dict("records"):
        for rate, measure in RATES.items():
            mine = made.of(row["attribute_name"], "safety_risk", measure).set_index("group")
            value = mine.loc[row["attribute_value"], "value"]
            if pd.isna(value) and pd.isna(row[rate]):
                continue
            worst = max(worst, abs(value - row[rate]))
            compared += 1
    print(f"{compared} rates of {len(theirs)} groups; largest difference {worst:.1e}")
    sys.exit(worst > CLOSE)


if __name__ == "__main__":
    main()
