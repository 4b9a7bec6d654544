"""From a posted assessment to the row on a dispatcher's screen, with many consoles open.

Run after `make run` has trained a release, on an otherwise idle machine:

    python experiments/2026-11-console/run.py

The service, its clients and the browsers share the machine. Most consoles are plain readers of the
event stream; some are real browsers, in which a row counts as there when it has been painted.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
from playwright.async_api import Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.call import Call
from tests.browser.desk import FLAGS, find_chromium
from tests.builders import add_users, make_settings
from tests.harness import Process
from training.cli.feeding import invented
from training.machine import machine

HERE = Path(__file__).parent
GOAL_MS = 250
ROW = re.compile(rb' data-assessment="([0-9a-f-]{36})"')

WATCH = """() => {
  window.painted = [];
  new MutationObserver((changes) => {
    const at = (row) => requestAnimationFrame(() => setTimeout(() => {
      window.painted.push([row.dataset.assessment, performance.timeOrigin + performance.now()]);
    }));
    for (const { addedNodes } of changes) {
      for (const row of addedNodes) if (row.dataset?.assessment) at(row);
    }
  }).observe(document.getElementById("rows"), { childList: true });
}"""
"""Notes when each new row has been painted: after the frame that first shows it."""


async def listen(url: str, cookie: str, heard: list[tuple[str, float]]) -> None:
    """Read the event stream as a console does, and note when each call's row is there.

    Straight from the socket: forty-seven clients must not cost more than what they measure.
    """
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"GET /queue/events HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {cookie}\r\n\r\n"
    writer.write(head.encode())
    rest = b""
    try:
        while chunk := await reader.read(1 << 16):
            at = time.time() * 1e3
            rest += chunk
            last = 0
            for found in ROW.finditer(rest):
                heard.append((found[1].decode(), at))
                last = found.end()
            rest = rest[max(last, len(rest) - 100) :]
    finally:
        writer.close()


async def post(
    url: str, token: str, calls: list[Call], rate: float
) -> tuple[dict[str, float], list[float]]:
    """Send calls at a steady rate; gives when each was sent, and how long its answer took (ms)."""
    sent: dict[str, float] = {}
    answers: list[float] = []

    async def one(client: httpx.AsyncClient, call: Call) -> None:
        begun = time.time() * 1e3
        body = call.model_dump_json(exclude_none=True)
        answer = await client.post("/v1/assessments", content=body, headers=head)
        answer.raise_for_status()
        sent[answer.json()["assessment_id"]] = begun
        answers.append(time.time() * 1e3 - begun)

    head = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        start = time.perf_counter()
        running = []
        for number, call in enumerate(calls):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            running.append(asyncio.create_task(one(client, call)))
        await asyncio.gather(*running)
    return sent, answers


async def measure(
    process: Process, users: dict[str, str], args: argparse.Namespace
) -> tuple[dict[str, list[float]], float]:
    """Open consoles, send calls; gives the times in ms, and the share of a core that it took."""
    async with httpx.AsyncClient(base_url=process.url) as client:
        form = {"username": "cad", "password": users["cad"]}
        token = (await client.post("/v1/token", data=form)).json()["access_token"]
        ours = {"sec-fetch-site": "same-origin", "x-crisiscall-console": "1"}
        form = {"username": "desk", "password": users["desk"]}
        opened = await client.post("/session", data=form, headers=ours)
        cookie = opened.headers["set-cookie"].split(";")[0]
    heard: list[tuple[str, float]] = []
    plain = args.consoles - args.browsers
    readers = [asyncio.create_task(listen(process.url, cookie, heard)) for _ in range(plain)]
    chosen = [calls[0] for calls in itertools.islice(invented(1), args.warm + args.calls)]
    chosen = [
        call.model_copy(update={"call_id": f"M-{n}", "received_at": datetime.now(UTC)})
        for n, call in enumerate(chosen)
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=list(FLAGS)
        )
        pages: list[Page] = []
        for _ in range(args.browsers):
            page = await (await browser.new_context()).new_page()
            await page.goto(process.url)
            await page.fill("[name=username]", "desk")
            await page.fill("[name=password]", users["desk"])
            async with page.expect_response("**/queue/events*"):
                await page.keyboard.press("Enter")
            pages.append(page)
        await post(process.url, token, chosen[: args.warm], args.rate)
        await asyncio.sleep(1)
        heard.clear()
        for page in pages:
            await page.evaluate(WATCH)
        before, begun = cpu(process), time.monotonic()
        sent, answers = await post(process.url, token, chosen[args.warm :], args.rate)
        await asyncio.sleep(3)
        found_cpu = (cpu(process) - before) / (time.monotonic() - begun)
        found: dict[str, list[float]] = defaultdict(list)
        found["answer to whoever sent it"] = answers
        found["event at a plain console"] = [at - sent[name] for name, at in heard if name in sent]
        for page in pages:
            for name, at in await page.evaluate("window.painted"):
                if name in sent:
                    found["row painted in a browser"].append(at - sent[name])
        expected = {
            "event at a plain console": plain * args.calls,
            "row painted in a browser": args.browsers * args.calls,
        }
        for what, n in expected.items():
            if len(found[what]) != n:
                print(f"{what}: {len(found[what])} of {n} came", file=sys.stderr)
        await browser.close()
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    return found, found_cpu


def cpu(process: Process) -> float:
    """Seconds of a core that the service has used so far."""
    fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(found: dict[str, list[float]]) -> str:
    """Write the times as a table."""
    lines = ["| | n | p50 | p95 | p99 | largest |", "|---|--:|--:|--:|--:|--:|"]
    for what, times in found.items():
        middle, high, higher = np.percentile(times, [50, 95, 99])
        figures = " | ".join(f"{ms:.0f}" for ms in (middle, high, higher, max(times)))
        lines.append(f"| {what} | {len(times):,} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write results.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("var"), help="Where a release lies.")
    parser.add_argument("--consoles", type=int, default=50)
    parser.add_argument("--browsers", type=int, default=3, help="Of these, real browsers.")
    parser.add_argument("--rate", type=float, default=20.0, help="Calls a second.")
    parser.add_argument("--calls", type=int, default=1200)
    parser.add_argument("--warm", type=int, default=100, help="Calls before these, not counted.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for part in ("releases", "keys"):
            shutil.copytree(args.home / part, home / part)
        users = add_users(make_settings(home), {"desk": "dispatcher", "cad": "cad"})
        process = Process(home, "--log-level", "error")
        try:
            process.wait_ready()
            where = machine()
            found, share = asyncio.run(measure(process, users, args))
        finally:
            process.stop()
    text = f"""# From a posted assessment to the row on a screen

{args.consoles} open consoles, {args.browsers} of them browsers; {args.rate:g} calls a second,
{args.calls:,} calls; {where}.
Milliseconds from the moment before the assessment was posted. Goal: p95 of the row under {GOAL_MS}.

{table(found)}

The service took {share:.0%} of one core.
"""
    print(text)
    (HERE / "results.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
