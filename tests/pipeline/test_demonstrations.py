"""Demonstrations: which correct chains sft learns from, and how they are cut into prompt and completion."""

from __future__ import annotations

from dataclasses import replace

from test_pair import CUPS, PENS, RIGHT, chain, folder, store, tokenizer  # noqa: F401

from stages import pair
from stages.records import schema


def row(chain_id, problem, *texts):
    steps = [{"text": text, "tool": "", "arguments": {}, "error": "Error" if "fail" in text else ""} for text in texts]
    messages = [{"role": "user", "content": "How many?"}]
    for text in texts:
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "1"}]
    named = {"chain_id": chain_id, "problem_id": problem, "task": "math", "stop": "finish"}
    return {**named, "steps": steps, "messages": messages[:-1]}


def test_those_without_failed_calls_come_first_and_then_the_shortest():
    chains = [
        row("a", "p", "fail", "x", "end"),
        row("b", "p", "x", "y", "end"),
        row("c", "p", "x", "end"),
        row("d", "p", "x", "end"),  # the same as c
        row("e", "p", "wrong"),
        row("f", "q", "fail", "end"),
        row("g", "r", "fail", "end"),
        row("h", "r", "x", "y", "end"),
    ]
    words = {"e": "incorrect"}
    verdicts = [{"chain_id": name, "verdict": words.get(name, "correct"), "failure": ""} for name in "abcdefgh"]
    assert [one["chain_id"] for one in pair.demonstrations(chains, verdicts, 2)] == ["b", "c", "f", "g", "h"]
    assert [one["chain_id"] for one in pair.demonstrations(chains, verdicts, 1)] == ["c", "f", "h"]


def test_the_completion_begins_with_the_models_first_turn_and_ends_with_its_last():
    made, judged = chain(PENS, RIGHT, 0)
    (one,) = pair.demonstrations([made], [judged], 1)
    assert one["prompt"] + one["completion"] == made["messages"]
    assert [message["role"] for message in one["prompt"]] == ["system", "user"]
    assert [m["content"] for m in one["completion"] if m["role"] == "assistant"] == [s["text"] for s in made["steps"]]
    assert one["completion"][-1]["role"] == "assistant"


def test_what_the_template_refuses_is_no_demonstration(folder, capsys):  # noqa: F811
    template = folder / "models/base/chat_template.jinja"
    refuse = "{%- for m in messages %}{%- if 'cups' in m.content %}{{ raise_exception('no') }}{%- endif %}{%- endfor %}"
    cups = replace(CUPS, question=CUPS.question.replace("pens", "cups"))
    wrong = [chain(PENS, RIGHT, 0), chain(PENS, ('Finish(answer="84")',), 1), chain(cups, RIGHT, 0)]
    store(folder, wrong)
    pair.main()
    both = schema.read(folder / "data/demonstrations.jsonl", "demonstrations")
    assert [one["problem_id"] for one in both] == [PENS.id, CUPS.id]
    template.write_text(refuse + template.read_text())
    pair.main()
    (one,) = schema.read(folder / "data/demonstrations.jsonl", "demonstrations")
    assert one["problem_id"] == PENS.id and "refuses a conversation: no" in capsys.readouterr().err


def test_a_correct_chain_that_is_too_long_is_no_demonstration_and_is_named(folder, capsys):  # noqa: F811
    long = ('Reasoning(thought="' + "very long " * 150 + '")', *RIGHT)
    made, judged = chain(CUPS, long, 0)
    assert judged["verdict"] == "correct"
    store(folder, [chain(PENS, RIGHT, 0), chain(PENS, ('Finish(answer="84")',), 1), (made, judged)])
    pair.main()
    (one,) = schema.read(folder / "data/demonstrations.jsonl", "demonstrations")
    assert one["problem_id"] == PENS.id
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"chain {made['chain_id']} dropped: ") and "limit 900; raise pair.max_length" in line
