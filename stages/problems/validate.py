"""Whether each source's own solutions give its gold answers, by the tools and the verdict that models are judged by.

In: params.yaml (problems). Out: a table and the ids of what is not confirmed. Run: python -m stages.problems.validate
"""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import chain

from stages import params
from stages.params import ProblemsParams
from stages.problems.reference import doubt
from stages.problems.sources import USES, entries

SHOWN = 10  # ids of a reason in the table; --json has all


def reports(problems: ProblemsParams) -> list[dict]:
    """One report an entry of params.problems: counts, and the ids of what is not verified by reason."""
    made = []
    for use in USES:
        for key, entry, found in entries(use, problems):
            reasons = defaultdict(list)
            for problem in found:
                if reason := doubt(problem):
                    reasons[reason].append(problem.id)
            doubted = {*chain(*reasons.values())}
            given = {problem.id for problem in found if problem.solution or problem.doubt}
            made.append(
                {
                    "entry": key,
                    "source": entry["source"],
                    "problems": len(found),
                    "with_solution": len(given),
                    "verified": len(given - doubted),
                    "left_out_of_training": len(doubted) if use == "train" else 0,
                    "not_verified": dict(sorted(reasons.items(), key=lambda reason: (-len(reason[1]), reason[0]))),
                }
            )
    return made


def table(made: list[dict]) -> str:
    """The reports as text: a line an entry, then a line a reason."""
    heads = ("entry", "source", "problems", "with solution", "verified", "not verified")
    lines = [heads]
    for report in made:
        doubted = report["with_solution"] - report["verified"]
        share = f" ({report['verified'] / report['with_solution']:.2%})" if report["with_solution"] else ""
        counts = (report["problems"], report["with_solution"], f"{report['verified']:,}{share}", doubted)
        texts = (f"{count:,}" if isinstance(count, int) else count for count in counts)
        lines.append((report["entry"], report["source"], *texts))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    for report in made:
        for reason, ids in report["not_verified"].items():
            more = f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else ""
            rows.append(f"\n{report['entry']}: {len(ids):,}: {reason}\n  {', '.join(ids[:SHOWN])}{more}")
    return "\n".join(rows)


def main() -> None:
    parser = params.parser("stages.problems.validate", __doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print everything as JSON, with all ids")
    arguments = parser.parse_args()
    made = reports(params.load().problems)
    print(json.dumps(made, indent=1, ensure_ascii=False) if arguments.json else table(made))


if __name__ == "__main__":
    params.run(main)
