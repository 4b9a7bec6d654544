"""`crisiscall data`: make calls, read an agency's, and say what is wrong with them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from data.errors import InputError
from training.cli.label import label
from training.cli.progress import progress

if TYPE_CHECKING:
    from data.dataset import Dataset
    from data.quality import Report

KEY_VARIABLE = "CRISISCALL_PSEUDONYM_KEY"
DEFAULT_OUT = Path("var/data")
LOG = "log"
FOLDER = click.Path(path_type=Path)


@click.group(epilog="Example: crisiscall data synthesize --calls 30000")
def data() -> None:
    """Make calls, read an agency's, say what is wrong with them, and review their labels."""


data.add_command(label)


@data.command(
    epilog="Example: crisiscall data synthesize --calls 30000 --seed 0 --out var/data/synthetic"
)
@click.option("--out", type=FOLDER, help="Folder to write.  [default: var/data/synthetic]")
@click.option("--calls", default=30_000, show_default=True, type=click.IntRange(1, 5_000_000))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 3_660))
@click.option(
    "--start",
    default="2025-01-01",
    show_default=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day.",
)
@click.option(
    "--label-noise",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 0.5),
    help="Share of the labels that are wrong.",
)
@click.option(
    "--missing-labels",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the labels that are missing.",
)
@click.option(
    "--crisis-share",
    default=0.12,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the incidents that are mental-health crises.",
)
def synthesize(
    out: Path | None,
    calls: int,
    seed: int,
    days: int,
    start: datetime,
    label_noise: float,
    missing_labels: float,
    crisis_share: float,
) -> None:
    """Make calls of an invented city, with narratives, outcomes and labels.

    The same options give the same calls. They are about nobody.
    """
    from data.sources.synthetic import synthesize as make

    out = _free(out or DEFAULT_OUT / "synthetic")
    made = make(
        calls,
        seed=seed,
        start=date(start.year, start.month, start.day),
        days=days,
        label_noise=label_noise,
        missing_labels=missing_labels,
        crisis_share=crisis_share,
        progress=progress,
    )
    _write(made, out)


@data.command(
    "import",
    epilog="""\b
Example: crisiscall data import --source seattle --input calls_2015.csv.gz
Example: crisiscall data import --source log --input export.jsonl --out var/data/log
""",
)
@click.option(
    "--source",
    metavar="AGENCY",
    help="An agency whose mapping ships, such as seattle; eido, for JSON files of NENA's EIDO; or "
    "log, for an export of the decision log (`crisiscall log export`).",
)
@click.option(
    "--mapping",
    type=FOLDER,
    help="Your own mapping; see data/mappings/example.yaml, and data/sources/log.yaml for the log.",
)
@click.option(
    "--input",
    "inputs",
    type=FOLDER,
    multiple=True,
    required=True,
    help="CSV, CSV.gz or CSV.zst (for eido: JSON), or a folder of them; may be given several "
    "times. Of the log, one JSONL with narratives.",
)
@click.option("--out", type=FOLDER, help="Folder to write.  [default: var/data/<source>]")
@click.option(
    "--key-file",
    type=FOLDER,
    help=f"File with the secret for pseudonyms of addresses; or set {KEY_VARIABLE}.",
)
@click.option(
    "--revision",
    type=click.Choice(["decided", "first"]),
    help="Of the log: the last revision from before the call was decided, or the first of all.  "
    "[default: decided]",
)
@click.option(
    "--decisions",
    type=click.Choice(["none", "before_advice"]),
    help="Of the log: which decisions are labels. Those made after advice never are.  "
    "[default: none]",
)
def import_(
    source: str | None,
    mapping: Path | None,
    inputs: tuple[Path, ...],
    out: Path | None,
    key_file: Path | None,
    revision: str | None,
    decisions: str | None,
) -> None:
    """Read an agency's CAD export, EIDO files, or an export of the decision log.

    Rows and files that can't be taken are kept in rejected.parquet with the reason. Of the log,
    each call is taken as it was assessed before it was decided, labelled by its outcome.
    """
    if source == LOG:
        of_log = {"revision": revision, "decisions": decisions, "mapping": mapping}
        _import_log(inputs, out, {name: value for name, value in of_log.items() if value})
        return
    if revision or decisions:
        raise InputError("--revision and --decisions go with --source log")

    from data.sources import cad

    if (source is None) == (mapping is None):
        raise InputError("give either --source AGENCY or --mapping FILE.yaml")
    if source == "eido":
        _import_documents(inputs, out)
        return
    files = cad.find_inputs(list(inputs))
    if mapping is not None:
        chosen = cad.load(mapping)
    else:
        chosen = cad.choose(str(source), cad.read_header(files[0]), files[0])
    out = _free(out or DEFAULT_OUT / (source or chosen.rules.agency))
    key = _key(key_file)
    if chosen.rules.has_pseudonyms and key is None:
        click.echo(
            "crisiscall: warning: addresses get pseudonyms that anyone can repeat, fit for public "
            f"data only; set {KEY_VARIABLE} or give --key-file for others",
            err=True,
        )
    _write(cad.read_calls(files, chosen, key=key, progress=_progress("reading rows")), out)


def _import_documents(inputs: tuple[Path, ...], out: Path | None) -> None:
    from data.sources.eido.folder import find_documents, read_documents

    files = find_documents(list(inputs))
    out = _free(out or DEFAULT_OUT / "eido")
    _write(read_documents(files, progress=_progress("reading documents")), out)


def _import_log(inputs: tuple[Path, ...], out: Path | None, chosen: dict[str, Any]) -> None:
    from data.sources.log import read_log

    if len(inputs) != 1:
        raise InputError("give one export of the log with --input")
    out = _free(out or DEFAULT_OUT / LOG)
    _write(read_log(inputs[0], progress=_progress("reading assessments"), **chosen), out)


@data.command(epilog="Example: crisiscall data check var/data/synthetic")
@click.argument("folder", type=FOLDER)
@click.pass_context
def check(ctx: click.Context, folder: Path) -> None:
    """Say what is in a FOLDER of calls and what is wrong with it.

    Exits with 1 if something was found that would spoil training.
    """
    from data.dataset import Dataset
    from data.quality import check as examine

    dataset = Dataset.read(folder)
    report = examine(dataset, progress=_progress("reading narratives"))
    _print(report, folder, str(dataset.manifest.get("source", "unknown source")))
    if report.spoilt:
        ctx.exit(1)


def _progress(what: str) -> Callable[..., Any]:
    return functools.partial(progress, what=what)


def _key(file: Path | None) -> bytes | None:
    import os

    if file is None:
        return os.environb.get(KEY_VARIABLE.encode()) or None
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise InputError(f"the key file {file} can't be read: {error.strerror}") from None


def _free(out: Path) -> Path:
    """Refuse, before any work, a place that `Dataset.write` could not write to."""
    from data.dataset import MANIFEST

    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder for --out")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).exists():
        raise InputError(f"{out} holds other files; name a new folder")
    return out


def _write(made: Dataset, out: Path) -> None:
    try:
        made.write(out)
    except OSError as error:
        raise InputError(f"{out} can't be written: {error.strerror}") from None
    manifest = made.manifest
    click.echo(f"{out}: {_size(manifest)}, {_period(manifest)}")
    for target, counts in manifest["labels"].items():
        click.echo(f"  {target}: " + ", ".join(f"{n:,} {name}" for name, n in counts.items()))
    for reason, n in manifest["rejected"].items():
        click.echo(f"  rejected {n:,}: {reason}")


def _size(counts: dict[str, Any]) -> str:
    calls, revisions = counts["calls"], counts["revisions"]
    return f"{calls:,} calls" + (f" in {revisions:,} revisions" if revisions > calls else "")


def _period(manifest: dict[str, Any]) -> str:
    zone = ZoneInfo(manifest.get("time_zone", "UTC"))
    days = [datetime.fromisoformat(t).astimezone(zone).date() for t in manifest["received_at"]]
    return " to ".join(str(day) for day in days) or "no period"


def _print(report: Report, folder: Path, source: str) -> None:
    period = " to ".join(report.period) or "no period"
    size = _size({"calls": report.calls, "revisions": report.revisions})
    click.echo(f"{folder}: {size}, {period}, from {source}")
    click.echo("\nLabels" + 15 * " " + "positive  negative   missing   share positive")
    for target, n in report.labels.items():
        known = n["positive"] + n["negative"]
        share = f"{n['positive'] / known:.1%}" if known else "-"
        click.echo(
            f"{target:<21}{n['positive']:>8,}{n['negative']:>10,}{n['missing']:>10,}{share:>17}"
        )
    gaps = {name: share for name, share in report.missing.items() if 0 < share < 1}
    if gaps:  # what is never given is a finding
        click.echo("\nMissing in some calls")
    for name, part in gaps.items():
        click.echo(f"{name:<28}{part:>7.1%}")
    click.echo("\nFindings" if report.findings else "\nNothing wrong was found.")
    for finding in report.findings:
        click.echo(f"{finding.level:<8} {finding.message} [{finding.code}]")
    if report.findings:
        verdict = "would spoil training" if report.spoilt else "nothing that would spoil training"
        click.echo(f"\nVerdict: {verdict}")
