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

- A turn is a native call, several in one message become a step each, and text beside them is left out: `tool_calls`,
  OpenAI's old `function_call`, parts of type tool_use, or the text that a model's template has for it
  (stages/tools/written.py). Or, as in our text form, it is a message that is the call: `Add(a=1, b=2)`.
- Its result is the next message (`tool`, `user`, `function`). It counts as our tool's where it says the same
  (results.py). Where it is surely another value it stays as stated, and as running the call again does not give it,
  verify finds the chain not reproduced.
- `Finish` ends the chain. Where native calls end in a message of plain text, that is the answer: what follows `####`
  or `Answer:` on its last line, else all of it. A chain without an answer has the stop that its length explains.
- A call of a tool that we do not have keeps the result that it had where it was made, right or wrong: verify leaves
  the chain undecided (`unknown_tool`).
- What is not surely wrong never becomes an incorrect chain: a row with a call that is not read, or a result that is
  neither our tool's nor surely another, is refused by its line and counted by reason, and the others are taken.

`{source: gsm8k_model_solutions, path: ...}`: the file that gsm8k_solutions.py reads.
`{source: logic_programs, path: ...}`: a file that logic_programs.py reads; its chains are of the fol toolkit, also
where problems.train poses the same problems to the deduction toolkit.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from stages.agent.prompt import prompt_messages
from stages.params import AgentParams, Params, ParamsError
from stages.problems import jsonl, readable
from stages.problems.gold import confirmed
from stages.problems.redraw import marked
from stages.problems.sources import check_keys, say_unwatched
from stages.records.chain import Chain, Step
from stages.records.errors import InputError, printable
from stages.records.problem import Problem, text_key
from stages.records.schema import json_row
from stages.teacher.api_keys import held
from stages.teacher.imported import gsm8k_solutions, logic_programs
from stages.teacher.imported.messages import LogError, Turn, turns_of
from stages.teacher.imported.results import agrees
from stages.teacher.reply import MOST_TOKENS
from stages.tools import TOOLKITS
from stages.tools.run import run_call
from stages.tools.tool import Tool
from stages.verdicts.answers import equal

PUBLISHED = {"gsm8k_model_solutions": gsm8k_solutions, "logic_programs": logic_programs}
SOURCES = ("messages", *PUBLISHED)
UNNAMED = "imported"  # the teacher of a chain that names none
NOTHING = "(empty)"  # the result of a tool that said nothing
LISTED = 5  # refused rows, or tools that are not known, that are named one by one


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
                f"{first.gold[:60]!r} ({first.task}); correct one of them",
                "other_answer",
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
                raise LogError(f"{where}: id {name} is that of another question; write another id", "other_id")


def load(params: Params, problems: list[Problem]) -> tuple[list[Chain], dict]:
    """The chains of all entries, in their order; `problems` are all of problems.train, doubted ones among them.

    A chain on a question that is among them belongs to that problem. Left out are chains on a problem whose gold its
    own source does not confirm, as no teacher is asked about it. Beside the chains stands what metrics/generate.json
    says of them: `refused_rows` by reason, and `unknown_tool`, the chains with tools that we do not have, and which.

    Raises:
        InputError: an entry or a file cannot be used, or no row of a file.
    """
    known = Known(problems)
    taken: Counter[tuple[str, str]] = Counter()
    own = params.generate.teacher.model, params.generate.samples  # the samples before an import are the teacher's own
    taken.update({(problem.id, own[0]): own[1] for problem in problems})
    chains, refused = [], Counter()
    for index, entry in enumerate(params.generate.chains):
        for problem, chain in _entry(f"generate.chains[{index}]", entry, known, params, refused):
            sample = taken[problem.id, chain.teacher]
            taken[problem.id, chain.teacher] += 1
            chains.append(replace(chain, sample=sample, prompt=prompt_messages(problem, params.agent.examples)))
    used = {chain.problem_id for chain in chains}
    sure = {problem.id for problem in confirmed([one for one in known.by_text.values() if one.id in used])}
    kept = [chain for chain in chains if chain.problem_id in sure]
    if len(kept) < len(chains):
        reason = "are left out, as their problem's own solution does not confirm gold"
        print(f"generate: {len(chains) - len(kept)} of {len(chains)} chains made elsewhere {reason}", file=sys.stderr)
    foreign = {chain.chain_id: names for chain in kept if (names := unknown_tools(chain))}
    said = {}
    if refused:
        said["refused_rows"] = dict(sorted(refused.items()))
    if foreign:
        tools = dict(Counter(name for names in foreign.values() for name in names).most_common())
        said["unknown_tool"] = {"chains": len(foreign), "tools": tools}
        print(
            f"generate: {len(foreign)} of {len(kept)} chains made elsewhere call tools that stepcall does not have: "
            f"{listed(tools)}; verify leaves them undecided (unknown_tool), and no pair is made of them",
            file=sys.stderr,
        )
    return kept, said


def unknown_tools(chain: Chain) -> list[str]:
    """The names, in order, of the tools that we do not have and that answered in a chain where it was made."""
    steps = [step for step in chain.steps if step.failure == "unknown_tool"]
    tools = TOOLKITS[chain.toolkit].tools
    steps = [step for step in steps if run_call(step.text, tools, None).error != step.error]
    return sorted({printable(step.text.partition("(")[0].strip().strip('"'))[:60] for step in steps})


def listed(tools: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    names = list(tools)
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def in_order(problems: list[Problem], own: Iterable[Chain], imported: Iterable[Chain]) -> list[Chain]:
    """All chains by problem, those of problems.train first; of each problem the teacher's own chains, then others."""
    places = {problem.id: place for place, problem in enumerate(problems)}
    chains = [*own, *imported]
    for chain in chains:
        places.setdefault(chain.problem_id, len(places))
    return sorted(chains, key=lambda chain: places[chain.problem_id])


def _entry(
    key: str, entry: dict, known: Known, params: Params, refused: Counter[str]
) -> Iterator[tuple[Problem, Chain]]:
    """Each chain of an entry, without prompt and sample number, with its problem."""
    if entry.get("source") not in SOURCES:
        raise ParamsError(f"params.yaml: {key}.source is {entry.get('source')!r}; it takes {', '.join(SOURCES)}")
    check_keys(key, entry, {"path": str}, {})
    path = Path(entry["path"])
    say_unwatched(f"{key}.path", path)
    if published := PUBLISHED.get(entry["source"]):
        for made in published.read(path):
            problem = known.problem(f"{path}: {made.problem.id}", made.problem, path)
            if published is logic_programs:
                problem = logic_programs.posed(problem)
            yield problem, published.chain(problem, made.text, made.model)
        return
    taken, lines = 0, []
    for line, text in enumerate(jsonl.file_text(path).split("\n"), 1):
        if not text.strip():
            continue
        try:
            made = _row(path, line, text, known, params.agent)
        except InputError as error:
            lines.append(str(error))
            refused[getattr(error, "reason", "bad_problem")] += 1
            continue
        taken += 1
        yield made
    if lines and not taken:
        others = f"; none of its {len(lines)} rows can be taken" if len(lines) > 1 else ""
        raise LogError(lines[0] + others)
    for said in lines[:LISTED]:
        print(f"generate: {printable(said)}", file=sys.stderr)
    if lines:
        said = f"{path}: {len(lines)} of {len(lines) + taken} rows are refused"
        print(f"generate: {said}; metrics/generate.json counts them by reason, the others are taken", file=sys.stderr)


def _row(path: Path, line: int, text: str, known: Known, agent: AgentParams) -> tuple[Problem, Chain]:
    """The chain of a line, with its problem; a line that is refused leaves nothing behind in `known`."""
    where = f"{path} line {line}"
    try:
        row = json_row(text)
    except (ValueError, RecursionError) as error:
        raise LogError(f"{where}: no JSON object: {' '.join(str(error).split())[:120]}", "no_json") from None
    if not isinstance(row.get("problem"), dict) or not isinstance(row.get("messages"), list):
        raise LogError(f"{where}: a row has problem (an object) and messages (a list)")
    if name := held(json.dumps(row, ensure_ascii=False)):
        raise LogError(f"{where}: it holds the value of ${name}; take it out", "holds_a_key")
    stated = replace(jsonl.problem(path, line, where, row["problem"]), source="messages")
    if not readable.reads(stated.gold, stated.task):
        said = f"the answer {stated.gold[:40]!r} is not surely read, so nothing could be judged by it"
        raise LogError(f"{where}: {said}; write {readable.FORMS}", "gold_not_read")
    chain = _chain(where, row, known.by_text.get(text_key(stated.question), stated), agent)
    problem = known.problem(where, stated, path)
    return problem, replace(chain, problem_id=problem.id)


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
    steps = _steps(where, turns, toolkit.tools, toolkit.open(problem.question))
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


def _steps(where: str, turns: list[Turn], tools: dict[str, Tool], state: object) -> list[Step]:
    """The turns run, up to `Finish`; a result that the log surely states otherwise stays as it is stated.

    Raises:
        LogError: a turn is no call that is read, or its result is not compared: what it says might be right.
    """
    steps = []
    for place, turn in enumerate(turns, 1):
        at = f"{where}: turn {place}"
        step = run_call(turn.text, tools, state)
        if not step.error and step.call.tool == "Finish":
            return [*steps, step]
        stated = turn.stated if turn.stated is None or turn.stated.strip() else NOTHING
        if step.failure == "unknown_tool" or turn.tool and turn.tool not in tools:
            if stated is None or stated.split() != step.error.split():  # else it is a chain of ours
                step = replace(step, error=stated or NOTHING, failure="unknown_tool")
        elif stated is None:
            if step.error and (turn.tool or not steps):
                raise LogError(f"{at} is no call of ours: {_brief(turn.text)}", "call_not_read")
        else:
            if step.failure == "malformed_call" and not turn.tool and not stated.startswith("Error: "):
                raise LogError(f"{at} is not read as a call: {_brief(turn.text)}", "call_not_read")
            same = agrees(stated, step)
            if same is None:
                ours = f"gives {_brief(step.result)}" if step.result else "refuses the call"
                said = f"{_brief(turn.text)} has the result {_brief(stated)} and our tool {ours}"
                raise LogError(f"{at}: {said}; neither the same nor surely another", "result_not_compared")
            if not same:
                step = replace(step, result=stated)
        steps.append(step)
    return steps


def _brief(text: str) -> str:
    return repr(text[:40])


def _limit(steps: list[Step], agent: AgentParams) -> str:
    """How a chain without an answer ended: at the agent's limits, or as one that was cut."""
    if len(steps) >= agent.max_steps:
        return "max_steps"
    last = steps[-agent.max_errors :]
    return "max_errors" if len(last) == agent.max_errors and all(step.error for step in last) else "max_tokens"
