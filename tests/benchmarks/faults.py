"""B3: 1,000 chains of five calls against a provider that fails, an outage of a minute, and a kill -9 at half.

    python tests/benchmarks/faults.py             # about four minutes

The server refuses 10 % of the requests with 429 and Retry-After 1, breaks 5 % with a 500, hangs on 2 % and answers 2 %
with an error in a 200. At a quarter of the calls it closes its socket and all connections for a minute; at half of
them generate is killed; a second run finishes. Before that, the same chains without any fault give the time to compare.

Goals: no chain lost, no call paid twice but those whose answer was on its way to the disk at the kill (at most one a
worker: nobody can keep what it has not got), no failure of the provider's in a chain, and a wall time of at most
1.5 x the run without faults plus the outage. Settings that matter here: runtime.timeout_s = 2 (a hang costs that much),
runtime.retries = 10 (an outage of a minute is six tries), runtime.concurrency = 64 (a worker keeps its chain while it
waits after a 429).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import project
from server import SCRIPT, Server, content_key, serving

from stages.teacher.journal import record

RATES = {"rate_limit": 0.10, "server_error": 0.05, "hang": 0.02, "error_in_200": 0.02}
OUTAGE_S = 60.0
RUNTIME = {"timeout_s": 2, "retries": 10}


def finish(process: subprocess.Popen) -> int:
    with process:
        return process.wait()


def reach(server: Server, answered: int, process: subprocess.Popen) -> None:
    """Wait until the server has answered so many calls."""
    while server.tell("counts")["answered"] < answered:
        assert process.poll() is None, "generate ended early"
        time.sleep(0.02)


def without_faults(chains: int, concurrency: int, latency_s: float) -> float:
    """Seconds of a run with no fault, its start included."""
    with tempfile.TemporaryDirectory() as name, serving(latency_s) as server:
        project.make(Path(name), server.url, chains, concurrency=concurrency, **RUNTIME)
        started = time.monotonic()
        assert finish(project.start(Path(name))) == 0
        return time.monotonic() - started


def journal_keys(folder: Path) -> set[str]:
    """The calls on the disk, by what the server knows them by."""
    systems, keys = {}, set()
    for path in sorted((folder / ".journal").glob("*.jsonl")):
        for line in record.lines_of(path, systems):
            entry = line.entry
            if entry is not None and "key" in entry:
                keys.add(content_key(entry["request"]["messages"], entry["request"]["sampling"]["seed"]))
    return keys


def with_faults(chains: int, concurrency: int, latency_s: float) -> tuple[float, dict]:
    """Seconds of both runs with all faults, and what was found afterwards."""
    calls = chains * len(SCRIPT)
    with tempfile.TemporaryDirectory() as name, serving(latency_s, RATES) as server:
        folder = Path(name)
        project.make(folder, server.url, chains, concurrency=concurrency, **RUNTIME)
        started = time.monotonic()
        times = []
        first = project.start(folder)
        reach(server, calls // 4, first)
        times.append(time.monotonic() - started)
        server.tell(f"outage {OUTAGE_S}")
        for answered in (server.tell("counts")["answered"] + 1, calls // 2):
            reach(server, answered, first)
            times.append(time.monotonic() - started)
        first.send_signal(signal.SIGKILL)
        finish(first)
        kept = journal_keys(folder)
        on_their_way = server.tell("counts")["different"] - len(kept)
        code = finish(project.start(folder))
        times.append(time.monotonic() - started)
        counts, twice = server.tell("counts"), set(server.tell("twice"))
        rows = [json.loads(line) for line in (folder / "data/chains.jsonl").read_text().splitlines()]
    sound = sum(row["stop"] == "finish" and [step["text"] for step in row["steps"]] == list(SCRIPT) for row in rows)
    return times[-1], {
        "outage at, first answer after it, kill at, end at (s)": ", ".join(f"{seconds:.0f}" for seconds in times),
        "exit code of the second run": code,
        "chains lost": chains - len(rows),
        "chains with a failure in them": len(rows) - sound,
        "answered, but not on disk yet at the kill": on_their_way,
        "calls paid twice": len(twice),
        "of them on disk before": len(twice & kept),
        "most in flight": counts["most_in_flight"],
        "faults met": counts["faults"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds a call (default 0.2)")
    options = parser.parse_args()
    plain = without_faults(options.chains, options.concurrency, options.latency)
    print(f"without faults: {plain:.0f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    seconds, found = with_faults(options.chains, options.concurrency, options.latency)
    for name, value in found.items():
        print(f"  {name}: {value}")
    limit = 1.5 * plain + OUTAGE_S
    print(f"with faults: {seconds:.0f} s (goal at most {limit:.0f} s), load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
