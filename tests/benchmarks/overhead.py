"""B2: what a step of ours costs over a bare litellm.acompletion (goal: at most 0.5 ms of CPU).

    python tests/benchmarks/overhead.py           # about a minute

The same requests go to the same server with the same calls in flight, first through generate's loop (agent, tools,
journal on disk), then through litellm alone, with the switches of litellm that generate has set. CPU is of the whole
process, its threads included. The rounds alternate; the figures are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import project
from server import SCRIPT, Server, serving

from stages import params
from stages.problems import sources
from stages.records.chain import Chain
from stages.teacher.chains import make_chains
from stages.teacher.journal.journal import Journal
from stages.teacher.teacher import Teacher

LATENCY_S, CONCURRENCY, CHAINS = 0.02, 8, 50


async def bare(requests: list[dict], concurrency: int) -> None:
    """The requests by litellm alone, so many at a time."""
    import litellm

    waiting = iter(requests)

    async def work() -> None:
        for request in waiting:
            response = await litellm.acompletion(**request)
            assert response.choices[0].message.content

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def rounds(server: Server, folder: Path, count: int) -> tuple[list[float], list[float]]:
    """CPU milliseconds a call of both, round by round; the first round warms up and is not kept."""
    settings = params.load()
    problems = sources.load("train", settings.problems)
    calls = CHAINS * len(SCRIPT)
    our_ms, bare_ms = [], []
    for number in range(count + 1):
        with Journal(folder / f"journal-{number}") as journal:
            teacher = Teacher(settings.generate, settings.runtime, journal)
            started = time.process_time()
            run = await make_chains(problems, settings, teacher)
            our_ms.append(1000 * (time.process_time() - started) / calls)
            assert teacher.asked == calls and len(run.chains) == CHAINS and not run.missing
        chains, turns = run.chains.values(), range(len(SCRIPT))
        requests = [_request(settings, chain, turn, server.url) for chain in chains for turn in turns]
        started = time.process_time()
        await bare(requests, CONCURRENCY)
        bare_ms.append(1000 * (time.process_time() - started) / calls)
        load = os.getloadavg()[0]
        print(f"  round {number}: ours {our_ms[-1]:.2f}, bare {bare_ms[-1]:.2f} ms, load {load:.1f}", flush=True)
    return our_ms[1:], bare_ms[1:]


def _request(settings: params.Params, chain: Chain, turn: int, url: str) -> dict:
    """What the teacher was asked at this turn of a chain, as litellm takes it."""
    teacher = settings.generate.teacher
    return {
        "model": teacher.model,
        "messages": chain.messages()[: len(chain.prompt) + 2 * turn],
        "api_base": url,
        "timeout": settings.runtime.timeout_s,
        "max_retries": 0,
        "temperature": teacher.temperature,
        "max_tokens": teacher.max_tokens,
        "seed": teacher.seed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="medians of so many (default 15)")
    options = parser.parse_args()
    os.environ |= project.environment()
    with tempfile.TemporaryDirectory() as name, serving(LATENCY_S) as server:
        project.make(Path(name), server.url, CHAINS, concurrency=CONCURRENCY)
        os.chdir(name)
        our_ms, bare_ms = asyncio.run(rounds(server, Path(name), options.rounds))
    ours, alone = statistics.median(our_ms), statistics.median(bare_ms)
    over = statistics.median(mine - its for mine, its in zip(our_ms, bare_ms, strict=True))
    print(f"a step: ours {ours:.2f} ms of CPU, bare litellm {alone:.2f} ms: {over:.2f} ms over it (goal 0.5)")


if __name__ == "__main__":
    main()
