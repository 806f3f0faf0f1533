"""How many answers a second are compared, beside Math-Verify on the same answers in the same run.

Run: python tests/benchmarks/answers.py example_model_solutions.jsonl
The file is GSM8K's published solutions of four models, or a part of it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from stages.teacher.imported.gsm8k_solutions import ANSWER, MODELS
from stages.verdicts.answers import equal

SLOW = 200  # pairs that Math-Verify is timed on


def pairs(path: Path) -> list[tuple[str, str]]:
    """Every model's last answer line with the gold one."""
    made = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        row = json.loads(line) if line else {}
        for model in MODELS if row else ():
            lines = [row[model]["solution"].split("\n")[-1], row["ground_truth"].split("\n")[-1]]
            made.append(tuple(text.removeprefix(ANSWER) if text.startswith(ANSWER) else "" for text in lines))
    return made


def rate(compare, given: list[tuple[str, str]], rounds: int) -> float:
    """Comparisons a second of processor time, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for answer, gold in given:
            compare(answer, gold)
        best = min(best, time.process_time() - start)
    return len(given) / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", type=Path)
    given = pairs(parser.parse_args().path)
    from math_verify import parse, verify

    ours = rate(lambda answer, gold: equal(answer, gold, "math"), given, 7)
    theirs = rate(lambda answer, gold: verify(parse(gold), parse(answer)), given[:SLOW], 1)
    print(f"{len(given):,} answers: {ours:,.0f} a second; Math-Verify {theirs:,.0f}; ratio {ours / theirs:.0f}")


if __name__ == "__main__":
    main()
