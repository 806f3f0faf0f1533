"""B1: how much of a provider's latency generate hides, beside microchain-python 0.4.6.

    python tests/benchmarks/latency.py            # about two minutes; makes microchain's own venv once, with pip

512 chains of five scripted turns, 200 ms a call, at c = 8 and c = 32 calls in flight; both clients ask the same
server, which counts. A rate is chains a second from the server's first request to its last answer; the ideal is
c / (5 x 0.2 s). microchain asks one call at a time, so a few of its chains give its rate.

On a busy machine the rate says little: beside it stands how long generate's event loop waited for a core (Linux).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

import project
from server import SCRIPT, Server, serving

LATENCY_S = 0.2
CHAINS, PEER_CHAINS = 512, 12
PEER = ("microchain-python==0.4.6", "openai>=1,<2")


def ours(server: Server, concurrency: int) -> float:
    """Chains a second; prints CPU milliseconds a call, the start of the process with them."""
    with tempfile.TemporaryDirectory() as name:
        project.make(Path(name), server.url, CHAINS, concurrency=concurrency)
        server.tell("reset")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with project.start(Path(name)) as process:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still there to be asked
            waited_s = int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9
            assert process.wait() == 0, "generate failed"
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    counts = server.tell("counts")
    calls = CHAINS * len(SCRIPT)
    assert counts["answered"] == counts["different"] == calls, counts
    assert counts["most_in_flight"] <= concurrency, counts
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = CHAINS / counts["seconds"]
    print(
        f"  c = {concurrency}: {rate:.2f} chains/s, at most {counts['most_in_flight']} in flight, "
        f"{1000 * cpu_s / calls:.2f} ms of CPU a call with the start, "
        f"waited {waited_s:.1f} of {counts['seconds']:.1f} s for a core, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return rate


def peer(server: Server, venv: Path) -> float:
    """Chains a second of microchain's own agent and engine."""
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run(["python3", "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", *PEER], check=True)
    server.tell("reset")
    script = Path(__file__).with_name("peer_microchain.py")
    subprocess.run([python, script, server.url, str(PEER_CHAINS)], check=True, stdout=subprocess.DEVNULL)
    counts = server.tell("counts")
    assert counts["answered"] == counts["different"] == PEER_CHAINS * len(SCRIPT), counts
    return PEER_CHAINS / counts["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="medians of so many (default 3)")
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "microchain-0.4.6")
    options = parser.parse_args()
    with serving(LATENCY_S) as server:
        other = statistics.median(peer(server, options.venv) for _ in range(options.runs))
        print(f"microchain-python 0.4.6: {other:.2f} chains/s ({PEER_CHAINS} chains)")
        for concurrency, goal in ((8, 0.9), (32, 0.55)):
            rate = statistics.median(ours(server, concurrency) for _ in range(options.runs))
            ideal = concurrency / (len(SCRIPT) * LATENCY_S)
            print(
                f"c = {concurrency}: {rate:.2f} chains/s = {rate / ideal:.2f} of the ideal {ideal:.0f} (goal {goal}), "
                f"{rate / other:.1f} x microchain" + (" (goal 15)" if concurrency == 32 else "")
            )


if __name__ == "__main__":
    main()
