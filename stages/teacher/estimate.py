"""What a run of generate would ask and cost, before it asks: `python -m stages.generate --estimate`.

Every chain is made as far as the journal knows its calls; what is left is expected to be like the chains of the same
task and model that the journal holds, or, where it has none, as the assumption below says. No key, no lock, no file.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from stages.agent.loop import Reply
from stages.params import Params, ProviderParams
from stages.records.problem import TASKS, Problem
from stages.teacher.journal.ledger import Ledger, files_of
from stages.teacher.journal.record import call_line, canonical, system_name
from stages.teacher.limits import TOKENS_A_CHARACTER, characters
from stages.teacher.provider import OURS, imported_litellm, price_of, provider_of
from stages.teacher.simulated.provider import question_of, turn_of
from stages.teacher.teacher import Stopped, Teacher

# Assumed of a task that the journal has no chains of:
STEPS = 6  # calls of a chain whose problem has no reference solution; else one more than the solution, for a mistake
TURN, RESULT = 40, 15  # tokens of what the model writes in a turn, and of what the tool answers


class _Knowing(Teacher):
    """A teacher that answers what the journal knows and buys nothing; `open` holds the requests it could not answer."""

    def __init__(self, settings: Params, ledger: Ledger):
        super().__init__(settings.generate, settings.runtime, ledger)
        self.open: list[dict] = []

    async def _buy(self, request: dict, *_rest: object) -> Reply:
        self.open.append(request)
        raise Stopped("an estimate asks nothing")


@dataclass
class _Left:
    """What a run would still ask for one task: chains, and the expected calls and tokens."""

    chains: int = 0
    calls: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    bases: dict[str, None] = field(default_factory=dict)


@dataclass
class _Seen:
    """Finished chains in the journal: each call's tokens, summed by its turn from 0."""

    chains: int = 0
    turns: Counter[int] = field(default_factory=Counter)
    prompt_tokens: Counter[int] = field(default_factory=Counter)
    completion_tokens: Counter[int] = field(default_factory=Counter)


def estimate(
    problems: list[Problem],
    settings: Params,
    places: Iterable[Path],
    make_chains: Callable[[list[Problem], Params, Teacher], Coroutine],
) -> str:
    """The lines to print; `places` are the journal and the snapshot that the run would start from."""
    ledger = Ledger()
    seen = _seen(settings, ledger, places)
    teacher = _Knowing(settings, ledger)
    quiet = dataclasses.replace(settings, runtime=dataclasses.replace(settings.runtime, progress=False))
    asyncio.run(make_chains(problems, quiet, teacher))
    by_question = {problem.question: problem for problem in problems}
    tasks = {task: _Left() for task in TASKS}
    for request in teacher.open:
        problem = by_question[question_of(request["messages"])]
        _, system = call_line(request, "", "")
        _expect(tasks[problem.task], problem, request, settings, seen[None if system is None else system_name(system)])
    total = len(problems) * settings.generate.samples
    begun = sum(turn_of(request["messages"]) > 0 for request in teacher.open)
    lines = [
        f"teacher  {teacher.model}",
        f"chains   {total:,}: {len(problems):,} problems x {settings.generate.samples} samples; "
        f"{total - len(teacher.open):,} known whole, {begun:,} in part, {len(teacher.open) - begun:,} not begun",
        f"known    {teacher.hits:,} calls, which are free",
    ]
    return "\n".join(lines + _report(settings, tasks))


def _seen(settings: Params, ledger: Ledger, places: Iterable[Path]) -> dict[str | None, _Seen]:
    """Read the journal into `ledger`; by system message, the finished chains by this model, whatever its sampling."""
    chains: dict[tuple, dict[int, dict]] = defaultdict(dict)
    for path in (path for place in places for path in files_of(place)):
        for line in ledger.read(path):
            request = (line.entry or {}).get("request")
            if request is not None and request["model"] == settings.generate.teacher.model and request["messages"]:
                question, sampling = canonical(request["messages"][0]), canonical(request["sampling"])
                chain = (request["system"], question, request["sample"], sampling)
                chains[chain][turn_of(request["messages"])] = line.entry["response"]
    seen: dict[str | None, _Seen] = defaultdict(_Seen)
    for (system, *_), turns in chains.items():
        if "Finish" in canonical(turns[max(turns)]) or len(turns) >= settings.agent.max_steps:
            seen[system].chains += 1
            for turn, answer in turns.items():
                seen[system].turns[turn] += 1
                seen[system].prompt_tokens[turn] += answer["prompt_tokens"]
                seen[system].completion_tokens[turn] += answer["completion_tokens"]
    return seen


def _expect(left: _Left, problem: Problem, request: dict, settings: Params, seen: _Seen) -> None:
    """Add what the chain of which this is the next request would still ask."""
    now = turn_of(request["messages"])
    left.chains += 1
    if seen.turns[now]:  # of the chains that came to this turn, how many had each later one
        left.bases[f"as {seen.chains:,} chains in the journal"] = None
        for turn, count in seen.turns.items():
            if turn >= now:
                left.calls += count / seen.turns[now]
                left.prompt_tokens += seen.prompt_tokens[turn] / seen.turns[now]
                left.completion_tokens += seen.completion_tokens[turn] / seen.turns[now]
        return
    of_token = f"{1 / TOKENS_A_CHARACTER:g} characters a token"
    left.bases[f"assumed: the solution's calls + 1, or {STEPS}; {of_token}; {TURN} tokens a turn"] = None
    steps = min(len(problem.solution) + 1 if problem.solution else STEPS, settings.agent.max_steps)
    written = min(TURN, settings.generate.teacher.max_tokens)
    tools = len(canonical(request["tools"])) if request["tools"] else 0
    read = (characters(request["messages"]) + tools) * TOKENS_A_CHARACTER
    for later in range(max(1, steps - now)):
        left.calls += 1
        left.prompt_tokens += read + later * (written + RESULT)
        left.completion_tokens += written


def _report(settings: Params, tasks: dict[str, _Left]) -> list[str]:
    model, runtime, lines = settings.generate.teacher.model, settings.runtime, []
    for task, left in tasks.items():
        if left.chains:
            lines.append(
                f"{task:<8} {left.chains:,} chains to finish, {left.calls / left.chains:.1f} calls each, "
                f"{left.prompt_tokens / left.calls:,.0f} and {left.completion_tokens / left.calls:,.0f} tokens a call "
                f"({', '.join(left.bases)})"
            )
    calls = round(sum(left.calls for left in tasks.values()))
    prompt = round(sum(left.prompt_tokens for left in tasks.values()))
    completion = round(sum(left.completion_tokens for left in tasks.values()))
    lines.append(f"asks     about {calls:,} calls: {prompt:,} prompt tokens, {completion:,} completion tokens")
    cost, how = (0.0, "nothing to ask") if not calls else _cost(model, runtime.teacher, prompt, completion)
    said = "unknown" if cost is None else f"about ${cost:,.{2 if cost >= 1 else 4}f}"
    lines.append(f"cost     {said}: {how}")
    if cost is not None and cost > runtime.budget_usd:
        lines.append(f"limit    the run would stop at runtime.budget_usd = {runtime.budget_usd:g}")
    if calls > runtime.max_new_calls:
        lines.append(f"limit    the run would stop at runtime.max_new_calls = {runtime.max_new_calls:,}")
    return lines


def _cost(model: str, place: ProviderParams, prompt: int, completion: int) -> tuple[float | None, str]:
    """Dollars by litellm's price table, None where it has no price of the model; and where the figure comes from."""
    if model.startswith(OURS):
        return 0.0, "it runs on this machine"
    litellm = imported_litellm()
    if not place.deployments:  # else each has a model of its own, or this one where it is
        provider_of(litellm, "generate.teacher.model", model, place.api_base)
    price = price_of(litellm, model) or {}
    rates = price.get("input_cost_per_token"), price.get("output_cost_per_token")
    if None in rates:
        return None, f"litellm's price table has no price a token of {model}; its calls count as free in budget_usd"
    per_million = " and ".join(f"${rate * 1e6:g}" for rate in rates)
    how = f"{per_million} a million prompt and completion tokens in litellm's price table, nothing off for cached ones"
    return prompt * rates[0] + completion * rates[1], how
