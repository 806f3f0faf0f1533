"""Thoughts before a call, and servers whose tool parser is off, so that native calls come as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from projects import Project, play
from provider import Provider, completion
from strict_server import PROBLEM, after, solved
from written_forms import FORMS

from stages import generate
from stages.agent import native as wire
from stages.agent.loop import Attempt, Reply
from stages.records.errors import InputError
from stages.tools import TOOLKITS
from stages.tools.written import THOUGHTS_END

TOOLS = TOOLKITS["arithmetic"].tools

pytestmark = pytest.mark.usefixtures("environment")


# Thoughts


@pytest.mark.parametrize("opening", ["", "<think>\n", "\n<think>"])
def test_thoughts_are_in_the_journal_and_neither_in_the_chain_nor_sent_back(tmp_path, opening):
    thought = f"{opening}I could write Subtract(a=3, b=4)...\n</think>\n\n"
    turns = [f"{thought}Add(a=3, b=4)", f"{thought}Finish(answer=7)"]
    with Provider(lambda request: turns[len(request["messages"]) > 2]) as provider:
        chain = solved(tmp_path, provider.url, "text")
        assert solved(tmp_path, provider.url, "text") == chain and len(provider.seen) == 2
    assert [step.text.strip() for step in chain.steps] == ["Add(a=3, b=4)", "Finish(answer=7)"]
    assert (chain.answer, chain.stop) == ("7", "finish")
    assert "I could" not in json.dumps(provider.seen[1]) and "I could" not in json.dumps(chain.row())
    [shard] = tmp_path.glob("*.jsonl")
    if opening != "<think>\n":  # litellm itself takes these off, and the journal has what it gave
        assert shard.read_text().count("I could write Subtract(a=3, b=4)...") == 2


@pytest.mark.parametrize("mark", THOUGHTS_END)
def test_thoughts_with_nothing_behind_them_are_a_failed_turn_that_no_provider_refuses_as_empty(mark):
    made = Attempt(PROBLEM, 6, 3, 0)
    made.advance(Reply(f"Add(a=3, b=4)?{mark}\n"))
    assert (made.steps[0].text, made.steps[0].failure) == (mark, "malformed_call")
    assert made.messages[-2] == {"role": "assistant", "content": mark}


def test_a_mark_inside_a_call_is_a_part_of_it():
    made = Attempt(PROBLEM, 6, 3, 0)
    made.advance(Reply('Reasoning(thought="it ends in </think>")'))
    made.advance(Reply('Now.</think>Reasoning(thought="it ends in </think>")'))
    assert made.steps[0].text == 'Reasoning(thought="it ends in </think>")' and not made.steps[0].error
    assert made.steps[1].failure == "malformed_call"  # which mark ends the thoughts is not sure


def test_thoughts_beside_a_native_call_are_not_sent_back(tmp_path):
    first = completion("3 + 4 it is.\n</think>\n\nNow.", "tool_calls", calls=[("c1", "Add", '{"a": 3, "b": 4}')])
    _, [_, second] = after(first, tmp_path)
    assert second["messages"][2]["content"] == "Now."


# Native calls as text

HERMES = '<tool_call>\n{"name": "Reasoning", "arguments": {"thought": "Let me see."}}\n</tool_call>'


def unparsed(request: dict) -> str:
    """A server whose tool parser is off; without tools its model writes calls as it is told to."""
    return f"Hm.</think>\n{HERMES}" if "tools" in request else play(request)


@pytest.fixture
def native(tmp_path, monkeypatch) -> Project:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.edit("wire: text", "wire: tools")
    return project


@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_a_server_that_returns_calls_as_text_ends_the_run_soon_and_the_next_at_once(native, concurrency):
    native.edit("concurrency: 8", f"concurrency: {concurrency}")
    with Provider(unparsed) as provider:
        native.at(provider)
        said = r"the server returns calls as text: switch its tool parser on, or take generate\.teacher\.wire: text; "
        with pytest.raises(InputError, match=said):
            native.run()
        bought = len(provider.seen)
        assert wire.MOST_AS_TEXT <= bought < wire.MOST_AS_TEXT + 2 * concurrency  # one call a worker is under way
        with pytest.raises(InputError, match=said) as stopped:
            native.run()
        assert len(provider.seen) == bought
        assert len(native.journal()) == len(provider.seen)  # all kept, and nothing asked twice
        assert not Path("data/chains.jsonl").exists()
        assert "generate.teacher.seed" in str(stopped.value) and "\n" not in str(stopped.value)
        with pytest.raises(InputError, match=said):
            generate.main(["--estimate"])
        native.edit("wire: tools", "wire: text")
        native.run()
    assert len(Path("data/chains.jsonl").read_text().splitlines()) == 72


def test_with_the_parser_on_and_another_seed_the_run_goes_through(native):
    on = False

    def answer(request: dict) -> dict | str:
        if not on:
            return unparsed(request)
        return completion(None, "tool_calls", calls=[("c", "Finish", '{"answer": 7}')])

    with Provider(answer) as provider:
        native.at(provider)
        with pytest.raises(InputError, match="switch its tool parser on"):
            native.run()
        on = True
        native.edit("max_tokens: 256\n    seed: 1", "max_tokens: 256\n    seed: 9")
        native.run()
    assert len(Path("data/chains.jsonl").read_text().splitlines()) == 72


def test_where_native_calls_come_a_call_as_text_is_the_models_failed_step(native):
    def answer(request: dict) -> dict | str:
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        if turn == 1:
            return HERMES
        return completion(None, "tool_calls", calls=[(f"c{turn}", *NATIVE[bool(turn)])])

    native.edit("concurrency: 8", "concurrency: 1")
    with Provider(answer) as provider:
        native.at(provider)
        native.run()
    rows = [json.loads(line) for line in Path("data/chains.jsonl").read_text().splitlines()]
    assert [[step["failure"] for step in row["steps"]] for row in rows] == [["", "malformed_call", ""]] * 72


NATIVE = [("Reasoning", '{"thought": "Let me see."}'), ("Finish", '{"answer": 7}')]


def test_words_that_are_no_call_end_no_run(native):
    with Provider(lambda request: 'Use <tool_call> or {"answer": 7}.') as provider:
        native.at(provider)
        native.run()
    rows = [json.loads(line) for line in Path("data/chains.jsonl").read_text().splitlines()]
    assert {row["stop"] for row in rows} == {"max_errors"}


@pytest.mark.parametrize("form", FORMS)
def test_a_call_as_text_is_known_in_every_form(form):
    assert wire.call_as_text(f"Hm.</think>{FORMS[form]}", TOOLS)
    assert not wire.call_as_text(FORMS[form].replace("Add", "Price"), TOOLS)


# The same in the form `text`, where no tools are offered


def test_a_model_that_writes_native_calls_where_none_were_offered_is_told_so_and_then_ends_the_run(project):
    with Provider(lambda request: HERMES) as provider:
        project.at(provider)
        said = r"the model writes native calls as text: take generate\.teacher\.wire: tools, or another model; "
        with pytest.raises(InputError, match=said):
            project.run()
        bought = len(provider.seen)
        with pytest.raises(InputError, match=said):
            project.run()
        assert len(project.journal()) == len(provider.seen) == bought < 40


def test_a_model_that_learns_from_the_first_error_is_not_stopped(project):
    def answer(request: dict) -> str:
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return "Finish(answer=7)" if turn else HERMES

    with Provider(answer) as provider:
        project.at(provider)
        project.run()
    rows = [json.loads(line) for line in Path("data/chains.jsonl").read_text().splitlines()]
    assert [[step["failure"] for step in row["steps"]] for row in rows] == [["malformed_call", ""]] * 72
