"""What a run of generate would ask and cost, before it asks: `python -m stages.generate --estimate`.

Every chain is made as far as the journal knows its calls; what is left is expected to be like the chains of the same
task and model that the journal holds, or, where it has none, as the assumption below says. No key, no lock, no file.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from stages.agent.loop import Reply
from stages.params import Params, ProviderParams
from stages.records.problem import TASKS, Problem
from stages.teacher.chains import make_chains
from stages.teacher.journal.ledger import Ledger, files_of
from stages.teacher.journal.record import call_line, canonical, system_name
from stages.teacher.limits import TOKENS_A_CHARACTER, characters
from stages.teacher.provider import OURS, imported_litellm, price_of, provider_of
from stages.teacher.simulated.provider import question_of, turn_of
from stages.teacher.teacher import Stopped, Teacher

# Assumed of a task that the journal has no chains of:
STEPS = 6  # calls of a chain whose problem has no reference solution; else one more than the solution, for a mistake
TURN, RESULT = 40, 15  # tokens of what the model writes in a turn, and of what the tool answers
ASSUMPTION = (
    f"assumed: the solution's calls + 1, or {STEPS}; "
    f"{1 / TOKENS_A_CHARACTER:g} characters a token; {TURN} tokens a turn"
)


class _Knowing(Teacher):
    """A teacher that answers what the journal knows and buys nothing; `open` holds the requests it could not answer."""

    def __init__(self, settings: Params, ledger: Ledger):
        super().__init__(settings.generate, settings.runtime, ledger)
        self.open: list[dict] = []

    async def _buy(self, request: dict, *_rest: object) -> Reply:
        self.open.append(request)
        raise Stopped("an estimate asks nothing")


def estimate(problems: list[Problem], settings: Params, places: Iterable[Path]) -> str:
    """The lines to print; `places` are the journal and the snapshot that the run would start from."""
    ledger = Ledger()
    seen = _seen(settings, ledger, places)
    teacher = _Knowing(settings, ledger)
    quiet = dataclasses.replace(settings, runtime=dataclasses.replace(settings.runtime, progress=False))
    asyncio.run(make_chains(problems, quiet, teacher))

    @cache
    def rest(system: str | None, now: int) -> Counter:
        """What the chains in the journal that came to this turn still asked for, on average; empty where none did."""
        longer = [answers[now:] for answers in seen[system] if len(answers) > now]
        total = Counter()
        for answer in (answer for answers in longer for answer in answers):
            total.update(calls=1, prompt=answer["prompt_tokens"], completion=answer["completion_tokens"])
        return Counter({name: count / len(longer) for name, count in total.items()})

    by_question = {problem.question: problem for problem in problems}
    left: dict[str, Counter] = defaultdict(Counter)  # by task
    bases: dict[str, dict[str, None]] = defaultdict(dict)
    for request in teacher.open:
        problem = by_question[question_of(request["messages"])]
        _, text = call_line(request, "", "")
        system = None if text is None else system_name(text)
        expected, basis = rest(system, turn_of(request["messages"])), f"as {len(seen[system]):,} chains in the journal"
        if not expected:
            expected, basis = _assumed(problem, request, settings), ASSUMPTION
        left[problem.task].update(expected, chains=1)
        bases[problem.task][basis] = None
    total = len(problems) * settings.generate.samples
    begun = sum(turn_of(request["messages"]) > 0 for request in teacher.open)
    lines = [
        f"teacher  {teacher.model}",
        f"chains   {total:,}: {len(problems):,} problems x {settings.generate.samples} samples; "
        f"{total - len(teacher.open):,} known whole, {begun:,} in part, {len(teacher.open) - begun:,} not begun",
        f"known    {teacher.hits:,} calls, which are free",
    ]
    for task in sorted(left, key=TASKS.index):
        chains, calls, prompt, completion = (left[task][name] for name in ("chains", "calls", "prompt", "completion"))
        lines.append(
            f"{task:<8} {chains:,} chains to finish, {calls / chains:.1f} calls each, {prompt / calls:,.0f} and "
            f"{completion / calls:,.0f} tokens a call ({', '.join(bases[task])})"
        )
    whole = sum(left.values(), Counter())
    return "\n".join(lines + _bill(settings, *(round(whole[name]) for name in ("calls", "prompt", "completion"))))


def _seen(settings: Params, ledger: Ledger, places: Iterable[Path]) -> dict[str | None, list[list[dict]]]:
    """Read the journal into `ledger`; by system message, the answers of the finished chains by this model, whatever
    its sampling.
    """
    chains: dict[tuple, dict[int, dict]] = defaultdict(dict)
    for path in (path for place in places for path in files_of(place)):
        for line in ledger.read(path):
            request = (line.entry or {}).get("request")
            if request is not None and request["model"] == settings.generate.teacher.model and request["messages"]:
                question, sampling = canonical(request["messages"][0]), canonical(request["sampling"])
                chain = (request["system"], question, request["sample"], sampling)
                chains[chain][turn_of(request["messages"])] = line.entry["response"]
    seen: dict[str | None, list[list[dict]]] = defaultdict(list)
    for (system, *_), turns in chains.items():
        if "Finish" in canonical(turns[max(turns)]) or len(turns) >= settings.agent.max_steps:
            seen[system].append([turns[turn] for turn in sorted(turns)])
    return seen


def _assumed(problem: Problem, request: dict, settings: Params) -> Counter:
    """What the chain of which this is the next request would still ask for, where the journal has none like it."""
    steps = min(len(problem.solution) + 1 if problem.solution else STEPS, settings.agent.max_steps)
    calls = max(1, steps - turn_of(request["messages"]))
    written = min(TURN, settings.generate.teacher.max_tokens)
    tools = len(canonical(request["tools"])) if request["tools"] else 0
    read = (characters(request["messages"]) + tools) * TOKENS_A_CHARACTER
    grown = (written + RESULT) * calls * (calls - 1) / 2  # each request reads the turns before it
    return Counter(calls=calls, prompt=calls * read + grown, completion=calls * written)


def _bill(settings: Params, calls: int, prompt: int, completion: int) -> list[str]:
    model, runtime = settings.generate.teacher.model, settings.runtime
    lines = [f"asks     about {calls:,} calls: {prompt:,} prompt tokens, {completion:,} completion tokens"]
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
