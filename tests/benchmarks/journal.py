"""How long 100,000 chains of the journal take to read and look up, and how much memory.

Run: python tests/benchmarks/journal.py [--chains N]

The chains have five calls each and the project's own prompts. `open` reads them as a journal, `seed` takes them into an
empty journal as a snapshot, `both` has them in journal and snapshot, as a second run of generate has. Each is a fresh
process; the yardstick is a plain `json.loads` of the same lines, the faster of two, before and after.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stages.agent.prompt import prompt_messages
from stages.params import checked
from stages.problems import sources
from stages.protocols.overlay import overlaid
from stages.teacher.journal.record import call_line, canonical, request_key, system_line, system_name

ROOT = Path(__file__).resolve().parent.parent.parent
TURNS = 5
MEASURED = """
import json, resource, sys, time
from pathlib import Path
from stages.teacher.journal.journal import Journal
what, calls, empty = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
begun, worked, count = time.perf_counter(), time.process_time(), 0
if what == "plain":
    for path in calls.glob("*.jsonl"):
        with open(path, "rb") as file:
            for line in file:
                count += "key" in json.loads(line)
else:
    with Journal(empty if what == "seed" else calls) as journal:
        if what != "open":
            journal.seed(calls)
        for key in list(journal.calls):
            count += journal.get(key) is not None
print(json.dumps({
    "calls": count, "s": time.perf_counter() - begun, "cpu_s": time.process_time() - worked,
    "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chains", type=int, default=100_000)
    chains = parser.parse_args().chains
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "journal"
        size = write(folder, chains)
        print(f"{chains:,} chains, {chains * TURNS:,} calls, {size / 1e6:,.0f} MB")
        measured = {}
        for what in ("plain", "open", "both", "seed", "plain"):
            measured.setdefault(what, []).append(measure(what, folder, Path(name) / "empty"))
        plain = min(figures["cpu_s"] for figures in measured["plain"])
        for what, runs in measured.items():
            best = min(runs, key=lambda figures: figures["cpu_s"])
            assert best["calls"] == chains * TURNS
            print(
                f"{what:<6} {best['s']:6.1f} s, {best['cpu_s']:6.1f} s of CPU ({best['cpu_s'] / plain:4.1f} x plain "
                f"json.loads), peak {best['gib']:.2f} GiB"
            )


def write(folder: Path, chains: int) -> int:
    """A journal of chains with five calls each; its size in bytes."""
    folder.mkdir()
    text, _ = overlaid((ROOT / "params.yaml").read_text(), (ROOT / "tests/small.yaml").read_text())
    problems = sources.load("train", checked(text, "small.yaml").problems)
    sampling = {"max_tokens": 256, "temperature": 1.0, "seed": 1}
    size, systems = 0, set()
    with open(folder / f"{time.time_ns():016x}-1.jsonl", "wb") as shard:
        for number in range(chains):
            problem = problems[number % len(problems)]
            system, user = prompt_messages(problem, 0)
            messages = [system, {**user, "content": f"{number}. {user['content']}"}]
            if system_name(system["content"]) not in systems:
                systems.add(system_name(system["content"]))
                size += shard.write(system_line(system["content"]))
            for turn in range(TURNS):
                request = {
                    "model": "some/model",
                    "messages": messages,
                    "sample": 0,
                    "sampling": sampling,
                    "tools": None,
                }
                text = (
                    f'Calculate(expression="({number} + {turn}) * 12 - 7")' if turn < TURNS - 1 else "Finish(answer=7)"
                )
                answer = {"text": text, "prompt_tokens": 400, "completion_tokens": 20, "cost_usd": 0.0001, "cut": False}
                size += shard.write(call_line(request, request_key(request), canonical(answer))[0])
                messages = [*messages, {"role": "assistant", "content": text}, {"role": "user", "content": f"{turn}"}]
    return size


def measure(what: str, calls: Path, empty: Path) -> dict:
    command = [sys.executable, "-c", MEASURED, what, str(calls), str(empty)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
