"""Logs that other models and servers worded are read, or refused by line: what might be right is no bad example."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from logs import PROBLEM, RIGHT, Folder, log_folder, native, written

from stages import generate, pair, verify
from stages.agent.loop import Attempt, Reply
from stages.params import load
from stages.problems import sources
from stages.records import schema
from stages.tools import TOOLKITS
from stages.tools.run import run_call

MULTIPLY, ADD = ("Multiply", {"a": 4, "b": 2}), ("Add", {"a": 3, "b": 8})
STEPS = ["Multiply(a=4, b=2)", "Add(a=3, b=8)", 'Finish(answer="11")']


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Folder:
    return log_folder(tmp_path, monkeypatch)


def said(content: object, **more: object) -> dict:
    return {"role": "assistant", "content": content, **more}


def answered(content: object, role: str = "user", **more: object) -> dict:
    return {"role": role, "content": content, **more}


def as_json(call: tuple[str, dict], key: str = "arguments") -> str:
    return json.dumps({"name": call[0], key: call[1]})


def dumped(calls: list | None, content: str | None = None) -> dict:
    """A message as the openai client dumps it."""
    empty = {"refusal": None, "annotations": [], "audio": None, "function_call": None}
    return said(content, **empty, tool_calls=calls)


def hermes(call: tuple[str, dict]) -> str:
    return f"<tool_call>\n{as_json(call)}\n</tool_call>"


def old(call: tuple[str, dict]) -> dict:
    return said(None, function_call={"name": call[0], "arguments": json.dumps(call[1])})


def part(call: tuple[str, dict], name: str) -> dict:
    return {"type": "tool_use", "id": name, "name": call[0], "input": call[1]}


def result(name: str, content: object) -> dict:
    return {"type": "tool_result", "tool_use_id": name, "content": content}


OPENAI = [
    {"id": f"c{n}", "type": "function", "function": {"name": c[0], "arguments": json.dumps(c[1])}}
    for n, c in enumerate((MULTIPLY, ADD))
]
LOGS = {
    "the openai client's dump": [
        dumped([OPENAI[0]]),
        answered("8", "tool", tool_call_id="c0"),
        dumped([OPENAI[1]]),
        answered("11", "tool", tool_call_id="c1"),
        dumped(None, "11"),
    ],
    "the old function_call": [
        old(MULTIPLY),
        answered("8", "function"),
        old(ADD),
        answered("11", "function"),
        said("11"),
    ],
    "hermes": [
        said(hermes(MULTIPLY)),
        answered('<tool_response>\n{"name": "Multiply", "content": 8}\n</tool_response>', "tool"),
        said(f"<think>\nNow add.\n</think>\n\nSo:\n{hermes(ADD)}"),
        answered("<tool_response>\n11\n</tool_response>"),
        said("I had opened it before.</think>\n\n11"),
    ],
    "hermes, both at once": [
        said(f"{hermes(MULTIPLY)}\n{hermes(ADD)}"),
        answered("<tool_response>\n8\n</tool_response>\n<tool_response>\n11\n</tool_response>"),
        said("11"),
    ],
    "llama 3": [
        said(as_json(MULTIPLY, "parameters")),
        answered('"8"', "ipython"),
        said(f"<|python_tag|>{as_json(ADD, 'parameters')}"),
        answered('{"output": "11"}', "ipython"),
        said("11"),
    ],
    "mistral": [
        said(f"[TOOL_CALLS] [{as_json(MULTIPLY)}]"),
        answered('[TOOL_RESULTS] {"content": 8}[/TOOL_RESULTS]', "tool"),
        said(f"[TOOL_CALLS]Add[ARGS]{json.dumps(ADD[1])}"),
        answered("11", "tool"),
        said("11"),
    ],
    "anthropic": [
        said(
            [
                {"type": "thinking", "thinking": "?"},
                {"type": "text", "text": "Both."},
                part(MULTIPLY, "x"),
                part(ADD, "y"),
            ]
        ),
        answered([result("y", "11"), result("x", [{"type": "text", "text": "8"}])]),
        said([{"type": "text", "text": "11"}]),
    ],
    "a template's own tool_calls": [
        said("", tool_calls=[{"name": MULTIPLY[0], "arguments": MULTIPLY[1]}]),
        answered("8", "tool", name="Multiply"),
        said("", tool_calls=[{"type": "function", "function": {"name": ADD[0], "arguments": ADD[1]}}]),
        answered("11", "tool", name="Add"),
        said("11"),
    ],
    "our form behind thoughts": [
        said("Four times two.</think>\n\nMultiply(a=4, b=2)"),
        answered("4 * 2 = 8"),
        said("<think>And three.</think>Add(a=3, b=8)"),
        answered('{"status": "ok", "result": 11}'),
        said('<think>Done.</think>\nFinish(answer="11")'),
    ],
}


@pytest.mark.parametrize("form", LOGS)
def test_a_log_in_any_known_form_is_a_correct_chain_of_our_own_calls(folder, form):
    row = {"problem": PROBLEM, "messages": [answered("3 + 4 * 2?"), *LOGS[form]]}
    (chain,) = folder.chains(row)
    assert [step.text for step in chain.steps] == STEPS
    assert [step.result for step in chain.steps] == ["8", "11", "11"]
    assert folder.verdicts(row) == [("correct", "")]


OTHER_ADD = ("Add", {"x": 3, "y": 8})
REFUSED = {
    "result_not_compared": [
        *(
            native((*MULTIPLY, text), end="11")
            for text in ("done", "", "8 or 9", '{"a": 8, "b": 9}', "Error: no memory")
        ),
        native((*OTHER_ADD, "11"), end="11"),
        native(("Divide", {"a": 10, "b": 4}, "2"), end="11"),
        written("Divide(a=1, b=0)", "inf", "Finish(answer=11)"),
        written("Add(3, 4)", "7", "Finish(answer=7)"),
    ],
    "call_not_read": [
        written("3 + 4 * 2 = 11. #### 11"),
        written("Which numbers?", "3, 4 and 2", "Finish(answer=11)"),
        written("Which numbers?", "I cannot say: an error.", "Finish(answer=11)"),
        [said("<tool_call>{'name': 'Add', 'arguments': {'a': 3, 'b': 8}}</tool_call>"), answered("11"), said("11")],
        [said(hermes(ADD)), answered("11"), said("<tool_call>{broken")],
        [said(f"{hermes(ADD)}<tool_response>11</tool_response>"), answered("11"), said("11")],
        native(("Finish", {"final": 11}, None)),
    ],
    "bad_row": [
        [said([{"type": "image_url", "image_url": {}}])],
        [said([part(ADD, "x")]), answered([result("x", "11"), {"type": "text", "text": "Go on."}]), said("11")],
        [said(f"{hermes(MULTIPLY)}\n{hermes(ADD)}"), answered("8"), said("11")],
        [old(ADD), said("11")],
    ],
}


def test_what_is_neither_right_nor_surely_wrong_is_refused_by_line_and_counted_by_reason(folder, capsys):
    folder.edit("samples: 2", "samples: 0")
    logs = [RIGHT, *(log for kind in REFUSED.values() for log in kind)]
    folder.write(*({"problem": PROBLEM, "messages": log} for log in logs), "{")
    generate.main()
    made = schema.read("data/chains.jsonl", "chains")
    assert [row["verdict"] for row in verify.verdicts(made, 0.0)] == ["correct"]
    counts = json.loads(Path("metrics/generate.json").read_text())
    assert counts["refused_rows"] == {**{reason: len(kind) for reason, kind in REFUSED.items()}, "no_json": 1}
    err = capsys.readouterr().err
    assert [line.split(":")[1] for line in err.splitlines()[:5]] == [f" mine.jsonl line {n}" for n in range(2, 7)]
    assert f"mine.jsonl: {len(logs)} of {len(logs) + 1} rows are refused" in err and len(err.splitlines()) == 6


@pytest.mark.parametrize("reason", REFUSED)
def test_each_refused_row_says_its_line_and_why(folder, capsys, reason):
    for log in REFUSED[reason]:
        folder.write({"problem": PROBLEM, "messages": RIGHT}, {"problem": PROBLEM, "messages": log})
        params = load()
        chains, counts = generate.imported.load(params, [])
        assert len(chains) == 1
        assert counts == {"refused_rows": {reason: 1}}, log
        assert capsys.readouterr().err.startswith("generate: mine.jsonl line 2: ")


def test_a_refused_row_leaves_no_problem_behind(folder):
    other = {**PROBLEM, "id": "other", "answer": "12"}
    made = folder.chains({"problem": other, "messages": written("Hm.")}, {"problem": PROBLEM, "messages": RIGHT})
    assert [(chain.problem_id, chain.gold) for chain in made] == [("mine/000002", "11")]


# Tools that stepcall does not have

SHOP = [
    native(("Price", {"item": "pen"}, "3"), ("Discount", {"percent": 10}, "2.7"), *[(*ADD, "11")], end="11"),
    written("Price(item='pen')", "3", "Finish(answer=12)"),
    [said('<tool_call>{"name": "Discount", "arguments": {"percent": 10}}</tool_call>')],
    native(*[("shop.Price", {"item": "pen"}, "Error: no such item")] * 14),
]


def test_tools_that_are_not_known_are_named_counted_and_never_paired(folder, capsys):
    folder.edit("samples: 2", "samples: 0")
    folder.write(*({"problem": PROBLEM, "messages": log} for log in (RIGHT, *SHOP)))
    generate.main()
    printed = capsys.readouterr()
    assert (
        "4 of 5 chains made elsewhere call tools that stepcall does not have: Discount, Price, shop.Price"
        in printed.err
    )
    counts = json.loads(Path("metrics/generate.json").read_text())["unknown_tool"]
    assert counts == {"chains": 4, "tools": {"Discount": 2, "Price": 2, "shop.Price": 1}}
    rows = schema.read("data/chains.jsonl", "chains")
    verdicts = verify.verdicts(rows, 0.0)
    assert sorted((row["verdict"], row["failure"]) for row in verdicts) == [
        ("correct", ""),
        *[("undecided", "unknown_tool")] * 4,
    ]
    assert verify.metrics(rows, verdicts)["failures"]["unknown_tool"] == 4
    for lucky in ("lucky: false", "lucky: true"):
        (folder.folder / "params.yaml").write_text(
            (folder.folder / "params.yaml").read_text().replace("lucky: false", lucky)
        )
        assert pair.pairs(rows, verdicts, load().pair) == ([], 0)


def test_a_live_chain_that_calls_an_unknown_tool_is_the_models_own_mistake(folder):
    problem = sources.load("train", load().problems)[0]
    attempt = Attempt(problem, 14, 3, 0, teacher="live")
    for text in ("Price(item='pen')", "Price(item='pen')", "Add(a=1, b=1)", "Finish(answer=-5)"):
        attempt.advance(Reply(text))
    row = attempt.chain().row()
    assert [step["failure"] for step in row["steps"]] == ["unknown_tool", "unknown_tool", "", ""]
    assert [v["verdict"] for v in verify.verdicts([row], 0.0)] == ["incorrect"]
    again = {"question": problem.question, "answer": problem.gold, "task": problem.task}
    (verdict,) = folder.verdicts({"problem": again, "messages": row["messages"]})  # its messages made a log
    assert verdict == ("incorrect", "wrong_answer")
    assert run_call("Price(item='pen')", TOOLKITS["arithmetic"].tools, None).error == row["steps"][0]["error"]
