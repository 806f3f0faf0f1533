"""Tables and lines that a person reads: students beside each other, by task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tabulate import tabulate

MANY_CUT = 0.05  # of a model's chains: then the limit decides a part of the comparison


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also stand below each other in a terminal."""
    return tabulate(rows, heads, tablefmt="github", disable_numparse=True)


def table(measured: dict) -> str:
    """The metrics of one use as two Markdown tables: strict accuracy with gains, and how the students went about it."""
    models = [name for name in measured if name != "gain"]
    gains = [name.removesuffix("_p") for name in measured["gain"]["all"] if name.endswith("_p")]
    heads, rows = ["correct, 95 % interval", "n", *models, *(name.replace("_minus_", " - ") for name in gains)], []
    for task, gain in measured["gain"].items():
        summaries = [measured[model][task] for model in models]
        cells = [_range(s["accuracy"], s["accuracy_low"], s["accuracy_high"]) for s in summaries]
        cells += [_range(*(gain[name + end] for end in ("", "_low", "_high")), gain[name + "_p"]) for name in gains]
        rows.append([task, str(summaries[0]["n"]), *cells])
    correct, rows = markdown(heads, rows), []
    columns = ("right answers", "valid calls", "unfinished", "steps", "tokens")
    for model in models:
        whole, failures = measured[model]["all"], Counter(measured[model]["failures"])
        shares = [f"{100 * whole[name]:.1f} %" for name in ("answer_accuracy", "valid_calls", "unfinished")]
        often = ", ".join(f"{failure} {count}" for failure, count in failures.most_common(3) if count)
        rows.append([model, *shares, f"{whole['steps']:.1f}", f"{whole['tokens']:.0f}", often or "none"])
    return f"{correct}\n\n{markdown(['all problems', *columns, 'most frequent failures'], rows)}"


def warning(use: str, measured: dict, max_tokens: int) -> str:
    """The line beside the table where chains were often cut: a row then says how long a model may write. Else empty."""
    shares = {name: of_model["all"]["cut"] for name, of_model in measured.items() if name != "gain"}
    often = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items() if share > MANY_CUT)
    if not often:
        return ""
    return (
        f"eval: chains on {use} problems that were cut by eval.max_tokens: {max_tokens} (or where the model reads no "
        f"further): {often}. These rows compare that limit: raise it"
    )


def closing(measured: dict[str, dict], done: str) -> str:
    """The line that the stage ends with."""
    said = []
    for use, of_use in measured.items():
        models = {name: of_model["all"] for name, of_model in of_use.items() if name != "gain"}
        shares = ", ".join(f"{name} {100 * whole['accuracy']:.1f} %" for name, whole in models.items())
        said.append(f"{shares} correct of {next(iter(models.values()))['n']:,} {use} problems")
    return f"eval: {'; '.join(said) or 'no problem'}; {done}"


def _range(share: float, low: float, high: float, p: float | None = None) -> str:
    if p is None:
        return f"{100 * share:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    chance = "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
    return f"{100 * share:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}], {chance}"
