"""What a question to z3 costs in the worker, beside a new process for each. Run: python tests/benchmarks/worker.py"""

from __future__ import annotations

import statistics
import time

from stages.tools.worker import Worker

SOCRATES = {
    "premises": [["∀", "x", ["→", ["is", "Man", "x"], ["is", "Mortal", "x"]]], ["is", "Man", "socrates"]],
    "conclusion": ["is", "Mortal", "socrates"],
    "rlimit": 2_000_000,
}


def median_ms(action, times: int) -> float:
    """The median of some runs, in milliseconds of wall time."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        spent.append(time.perf_counter() - start)
    return 1000 * statistics.median(spent)


def main() -> None:
    worker = Worker()
    worker.call("entails", SOCRATES, 10.0)

    def fresh() -> None:
        worker.close()
        worker.call("entails", SOCRATES, 10.0)

    kept, new = median_ms(lambda: worker.call("entails", SOCRATES, 10.0), 400), median_ms(fresh, 10)
    worker.close()
    print(f"a question in the worker {kept:.2f} ms, in a new process {new:.0f} ms; ratio {new / kept:.0f}")


if __name__ == "__main__":
    main()
