"""Chains made elsewhere, for data/chains.jsonl beside the teacher's: params.generate.chains names their files.

`{source: messages, path: mine.jsonl}`: one line a chain,

    {"problem": {"question": "What is 3 + 4 times 2?", "answer": "11", "task": "math"},
     "messages": [..., {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function",
                        "function": {"name": "Multiply", "arguments": "{\\"a\\": 4, \\"b\\": 2}"}}]},
                  {"role": "tool", "tool_call_id": "c1", "content": "8"}, ...]}

`problem` is a row as a problem file has it (stages/problems/jsonl.py; a missing `id` is the line's number); beside it
may stand `teacher` (who made the chain), `usage` (prompt_tokens and completion_tokens) and `cost_usd`. `messages` is a
chat log, or the messages of a row of data/chains.jsonl. What stands before the first assistant message is replaced by
our own prompt, so that all chains of a problem share one. Then:

- A turn is a native call (`tool_calls`; several in one message become a step each, text beside them is left out) or,
  as in our text form, a message that is the call: `Add(a=1, b=2)`.
- Its result is the next message (`tool` or `user`). It counts as our tool's where it says the same: spaces, `12.0` or
  `x = 12` or `{"result": 12}` for 12, a float's rounding of 800/3. Any other stays as stated, and as running the call
  again does not give it, verify finds the chain not reproduced. So it goes with calls of tools that we do not have.
- `Finish` ends the chain. Where native calls end in a message of plain text, that is the answer: what follows `####`
  or `Answer:` on its last line, else all of it. A chain without an answer has the stop that its length explains.

`{source: gsm8k_model_solutions, path: ...}`: the file of stages/problems/model_solutions.py.
`{source: logic_programs, path: ...}`: a file of stages/problems/logic_programs.py; its chains are of the fol toolkit,
also where problems.train poses the same problems to the deduction toolkit.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from stages.chain import Chain, Step
from stages.chatlog import LogError, Turn, turns_of
from stages.keys import held
from stages.params import AgentParams, Params, ParamsError
from stages.problems import golds, jsonl, logic_programs, model_solutions
from stages.problems.answers import canonical_number, equal
from stages.problems.model_solutions import rounds_to
from stages.problems.problem import Problem, text_key
from stages.problems.redraw import marked
from stages.problems.reference import confirmed
from stages.problems.sources import check_keys, say_unwatched
from stages.prompt import prompt_messages
from stages.provider import MOST_TOKENS
from stages.tools import TOOLKITS
from stages.tools.calls import number
from stages.tools.run import run_call
from stages.tools.tool import Tool

SOURCES = ("messages", "gsm8k_model_solutions", "logic_programs")
UNNAMED = "imported"  # the teacher of a chain that names none
NOTHING = "(empty)"  # the result of a tool that said nothing


class Known:
    """The problems that chains are on: those of problems.train first, then what the files bring."""

    def __init__(self, problems: list[Problem]):
        self.by_text = {text_key(problem.question): problem for problem in problems}
        self.texts = {problem.id: text for text, problem in self.by_text.items()}
        self.files: dict[str, Path] = {}  # id -> the file that brought it

    def problem(self, where: str, stated: Problem, path: Path) -> Problem:
        """The problem with this question that was there first; else the stated one, under an id that no other has."""
        text = text_key(stated.question)
        if text not in self.by_text:
            self.by_text[text] = self._named(where, stated, path)
        first = self.by_text[text]
        if stated.task != first.task or equal(stated.gold, first.gold, first.task) is False:
            raise LogError(
                f"{where}: the answer is {stated.gold[:60]!r} ({stated.task}), but {first.id} asks the same and has "
                f"{first.gold[:60]!r} ({first.task}); correct one of them"
            )
        return first

    def _named(self, where: str, stated: Problem, path: Path) -> Problem:
        """As problems of several files are named; within a file an id is of one question."""
        for place in count(1):
            name = marked(stated.id, place)
            if name not in self.texts:
                self.texts[name], self.files[name] = text_key(stated.question), path
                return replace(stated, id=name)
            if self.files.get(name) == path:
                raise LogError(f"{where}: id {name} is that of another question; write another id")


def load(params: Params, problems: list[Problem]) -> list[Chain]:
    """The chains of all entries, in their order; `problems` are all of problems.train, doubted ones among them.

    A chain on a question that is among them belongs to that problem. Left out are chains on a problem whose gold its
    own source does not confirm, as no teacher is asked about it.

    Raises:
        InputError: an entry, a file or a row cannot be used.
    """
    known = Known(problems)
    taken: Counter[tuple[str, str]] = Counter()
    own = params.generate.teacher.model, params.generate.samples  # the samples before an import are the teacher's own
    taken.update({(problem.id, own[0]): own[1] for problem in problems})
    chains = []
    for index, entry in enumerate(params.generate.chains):
        for problem, chain in _entry(f"generate.chains[{index}]", entry, known, params):
            sample = taken[problem.id, chain.teacher]
            taken[problem.id, chain.teacher] += 1
            chains.append(replace(chain, sample=sample, prompt=prompt_messages(problem, params.agent.examples)))
    golds.refuse("generate.chains", [problem for problem in known.by_text.values() if problem.source == "messages"])
    used = {chain.problem_id for chain in chains}
    sure = {problem.id for problem in confirmed([one for one in known.by_text.values() if one.id in used])}
    kept = [chain for chain in chains if chain.problem_id in sure]
    if len(kept) < len(chains):
        reason = "are left out, as their problem's own solution does not give gold"
        print(f"generate: {len(chains) - len(kept)} of {len(chains)} chains made elsewhere {reason}", file=sys.stderr)
    return kept


def in_order(problems: list[Problem], own: Iterable[Chain], imported: Iterable[Chain]) -> list[Chain]:
    """All chains by problem, those of problems.train first; of each problem the teacher's own chains, then others."""
    places = {problem.id: place for place, problem in enumerate(problems)}
    chains = [*own, *imported]
    for chain in chains:
        places.setdefault(chain.problem_id, len(places))
    return sorted(chains, key=lambda chain: places[chain.problem_id])


def _entry(key: str, entry: dict, known: Known, params: Params) -> Iterator[tuple[Problem, Chain]]:
    """Each chain of an entry, without prompt and sample number, with its problem."""
    if entry.get("source") not in SOURCES:
        raise ParamsError(f"params.yaml: {key}.source is {entry.get('source')!r}; it takes {', '.join(SOURCES)}")
    check_keys(key, entry, {"path": str}, {})
    path = Path(entry["path"])
    say_unwatched(f"{key}.path", path, ("generate",))
    if entry["source"] == "gsm8k_model_solutions":
        for solution in model_solutions.read(path):
            problem = known.problem(f"{path}: {solution.problem.id}", solution.problem, path)
            yield problem, model_solutions.chain(problem, solution.text, solution.model)
        return
    if entry["source"] == "logic_programs":
        for program in logic_programs.read(path):
            problem = logic_programs.posed(known.problem(f"{path}: {program.problem.id}", program.problem, path))
            yield problem, logic_programs.chain(problem, program.text, program.model)
        return
    for line, (where, row) in jsonl.rows(path).items():
        if not isinstance(row.get("problem"), dict) or not isinstance(row.get("messages"), list):
            raise LogError(f"{where}: a row has problem (an object) and messages (a list)")
        if name := held(json.dumps(row, ensure_ascii=False)):
            raise LogError(f"{where}: it holds the value of ${name}; take it out")
        stated = replace(jsonl.problem(path, line, where, row["problem"]), source="messages")
        problem = known.problem(where, stated, path)
        yield problem, _chain(where, row, problem, params.agent)


def _chain(where: str, row: dict, problem: Problem, agent: AgentParams) -> Chain:
    teacher = row.get("teacher", UNNAMED)
    if not isinstance(teacher, str) or not teacher.strip() or not teacher.isprintable() or len(teacher) > jsonl.MAX_ID:
        raise LogError(f"{where}: teacher is no name; it takes a text of 1 to {jsonl.MAX_ID} characters")
    usage = row.get("usage", {})
    usage = usage if isinstance(usage, dict) else {"prompt_tokens": None}
    counts = [usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")]
    if not all(type(count) is int and 0 <= count < MOST_TOKENS for count in counts):
        raise LogError(f"{where}: usage takes prompt_tokens and completion_tokens, integers of 0 or more")
    cost = row.get("cost_usd", 0.0)
    if type(cost) not in (int, float) or not 0 <= cost < MOST_TOKENS:
        raise LogError(f"{where}: cost_usd is {str(cost)[:40]!r}; it takes a number of 0 or more")
    toolkit = TOOLKITS[problem.toolkit]
    turns = turns_of(where, row["messages"], toolkit.tools)
    if not turns:
        raise LogError(f"{where}: messages holds no turn of an assistant")
    steps = _steps(turns, toolkit.tools, toolkit.open(problem.question))
    finished = not steps[-1].error and steps[-1].call.tool == "Finish"
    return problem.chain(
        teacher=teacher,
        sample=0,
        prompt=(),
        steps=tuple(steps),
        answer=steps[-1].result if finished else "",
        stop="finish" if finished else _limit(steps, agent),
        prompt_tokens=counts[0],
        completion_tokens=counts[1],
        cost_usd=float(cost),
    )


def _steps(turns: list[Turn], tools: dict[str, Tool], state: object) -> list[Step]:
    """The turns run, up to `Finish`; a result that the log states otherwise stays as it is stated."""
    steps = []
    for turn in turns:
        step = run_call(turn.text, tools, state)
        if not step.error and step.call.tool == "Finish":
            return [*steps, step]
        if turn.stated is not None and not _same(turn.stated, step.error or step.result):
            stated = turn.stated if turn.stated.strip() else NOTHING
            step = replace(step, error=stated) if step.error else replace(step, result=stated)
        steps.append(step)
    return steps


def _same(stated: str, ours: str) -> bool:
    """Whether a stated result says what our tool says: the same words, or the same number."""
    texts = {stated, _only_value(stated)}
    if any(text.split() == ours.split() for text in texts):
        return True
    try:
        exact = number(ours)
    except ValueError:
        return False
    numbers = [canonical_number(text) for text in texts]
    return any(value is not None and rounds_to(exact, value) for value in numbers)


def _only_value(stated: str) -> str:
    """`12` of `{"result": 12}`; the text itself where it is no object of one plain value."""
    try:
        row = json.loads(stated, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return stated
    values = list(row.values()) if isinstance(row, dict) else []
    return values[0] if len(values) == 1 and isinstance(values[0], str) else stated


def _limit(steps: list[Step], agent: AgentParams) -> str:
    """How a chain without an answer ended: at the agent's limits, or as one that was cut."""
    if len(steps) >= agent.max_steps:
        return "max_steps"
    last = steps[-agent.max_errors :]
    return "max_errors" if len(last) == agent.max_errors and all(step.error for step in last) else "max_tokens"
