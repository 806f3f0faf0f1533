"""The wire form `tools`: native calls there and back, and the chains of the text form."""

from __future__ import annotations

import asyncio
import json
import os
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from projects import KEY, Project
from provider import Provider, completion, error
from test_calls import VALUES
from test_teacher import settings

from stages import teacher, wire
from stages.agent import Attempt, Reply, reply_from_row, solve
from stages.chain import Call, Chain, chain_from_row
from stages.journal import Journal
from stages.params import AgentParams, InputError
from stages.problems.problem import Problem
from stages.prompt import system_text
from stages.record import canonical
from stages.teacher import ProviderError, Teacher
from stages.tools import TOOLKITS
from stages.tools.calls import CallError, parse
from stages.tools.json_calls import parse_json

PROBLEM = Problem("p1", "math", "arithmetic", "test", "Tom has 3 apples and buys 4. How many?", "7")
TOOLS = TOOLKITS["arithmetic"].tools
LIMITS = AgentParams(max_steps=6, max_errors=3, examples=0)
FINISH = completion(None, "tool_calls", calls=[("end", "Finish", '{"answer": "7"}')])


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("STEPCALL_JOURNAL", raising=False)
    monkeypatch.setattr(teacher, "FIRST_WAIT_S", 0.01)


def attempt(form: str = "tools", steps: int = 6) -> Attempt:
    return Attempt(PROBLEM, steps, 3, 0, wire=form)


def native(*calls: tuple[str, str, str], text: str = "", cut: bool = False) -> Reply:
    names = ("id", "name", "arguments")
    return Reply(text, cut=cut, calls=tuple(dict(zip(names, call, strict=True)) for call in calls))


def what_a_provider_refuses(request: dict) -> str:
    """What is wrong with a request in the eyes of a strict server; empty where nothing is."""
    waiting: list[str] = []
    seen: set[str] = set()
    for message in request["messages"]:
        if type(message.get("content")) is not str:
            return "content is no text"
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return "a result without its call"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return f"calls without results: {waiting}"
        for call in message.get("tool_calls", ()):
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            if call["id"] in seen or not 0 < len(call["id"]) <= 4000 or not call["id"].isprintable():
                return f"the id {call['id'][:80]!r}"
            if not 0 < len(name) <= 64 or not set(name) <= set(map(chr, range(128))) or not name.isidentifier():
                return f"the name {name!r}"
            try:
                if type(json.loads(arguments, parse_constant=int)) is not dict:  # int("NaN") is a ValueError
                    return "arguments that are no object"
            except ValueError:
                return "arguments that are no JSON"
            seen.add(call["id"])
            waiting.append(call["id"])
    return f"calls without results: {waiting}" if waiting else ""


def solved(folder: Path, url: str | None, form: str, problem: Problem = PROBLEM, **changes: object) -> Chain:
    """The chain of one attempt through teacher, journal and litellm."""
    chosen = settings(url=url, wire=form, **changes)
    with Journal(folder) as journal:
        asked = Teacher(chosen.generate, chosen.runtime, journal)
        tools = wire.offered(problem.toolkit, form)

        async def ask(messages, sample):
            return await asked.ask(messages, sample, tools=tools)

        return asyncio.run(solve(problem, 0, ask, LIMITS, asked.model, form))


def after(first: object, folder: Path, **changes: object) -> tuple[Chain, list[dict]]:
    """The chain whose first turn is this answer and whose second is `Finish`; and the requests, all strictly right."""

    def answer(request: dict) -> object:
        fault = what_a_provider_refuses(request)
        if fault:
            return error(400, fault)
        return first if len(request["messages"]) == 2 else FINISH

    with Provider(answer) as provider:
        chain = solved(folder, provider.url, "tools", retries=0, **changes)
    assert [what_a_provider_refuses(request) for request in provider.seen] == [""] * len(provider.seen)
    return chain, provider.seen


# What is offered


@pytest.mark.parametrize("toolkit", TOOLKITS)
def test_every_tool_is_offered_with_its_sentence_an_example_and_a_schema_that_the_example_fits(toolkit):
    offered = {tool["function"]["name"]: tool["function"] for tool in wire.offered(toolkit, "tools")}
    assert list(offered) == list(TOOLKITS[toolkit].tools)
    for tool in TOOLKITS[toolkit].tools.values():
        schema = offered[tool.name]["parameters"]
        jsonschema.Draft202012Validator.check_schema(schema)
        sentence, _, example = offered[tool.name]["description"].partition(" Example: ")
        assert sentence == tool.description
        jsonschema.validate(json.loads(example), schema)
        assert parse_json(tool.name, example, TOOLKITS[toolkit].tools) == parse(tool.example, TOOLKITS[toolkit].tools)
        for wrong in ({}, json.loads(example) | {"other": 1}, dict.fromkeys(tool.parameters)):
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(wrong, schema)
    assert wire.offered(toolkit, "text") is None


def test_the_schema_of_a_number_takes_a_fraction_and_no_other_text():
    schema = wire.offered("arithmetic", "tools")[0]["function"]["parameters"]
    for right in (3, -0.5, "10/3", "-1/2"):
        jsonschema.validate({"a": right, "b": 1}, schema)
    for wrong in ("3", "ten", "1/", [1], True):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"a": wrong, "b": 1}, schema)


def test_the_system_message_lists_no_function_and_its_examples_are_native():
    assert "Add(" in system_text("arithmetic", "math", 2)
    text = system_text("arithmetic", "math", 2, "tools")
    assert "Add(" not in text and "Functions:" not in text
    assert text.count('> Finish {"answer": ') == 2
    assert "Worked examples" not in system_text("arithmetic", "math", 0, "tools")


# There and back


@st.composite
def call_lists(draw):
    made = []
    for name in draw(st.lists(st.sampled_from(sorted(set(TOOLS) - {"Finish"})), max_size=5)) + ["Finish"]:
        parameters = draw(st.permutations(list(TOOLS[name].parameters)))
        made.append(Call(name, {key: draw(VALUES[TOOLS[name].parameters[key]]) for key in parameters}))
    return made


def as_json_says(call: Call) -> Call:
    """JSON has no fractions: where a text is allowed too, `10/3` is one."""
    kinds = TOOLS[call.tool].parameters
    arguments = {}
    for name, value in call.arguments.items():
        if kinds[name] == "value" and isinstance(value, Fraction) and "/" in Call("", {"": value}).text():
            value = Call("", {"": value}).text()[2:-1]
        arguments[name] = value
    return Call(call.tool, arguments)


@examples(max_examples=300, deadline=None)
@given(
    call_lists(), st.lists(st.sampled_from(["", "a", "a", "call00000", "\u202e", "x" * 5000]), min_size=6, max_size=6)
)
def test_calls_become_native_messages_and_again_the_same_calls(calls, ids):
    there, text = attempt(steps=9), attempt("text", steps=9)
    for call, call_id in zip(calls, ids, strict=False):
        if there.stop:
            break
        there.advance(Reply("", calls=(wire.native_call(call, call_id),)))
        text.advance(Reply(as_json_says(call).text()))
    assert there.chain().row() == text.chain().row()
    assert chain_from_row(there.chain().row()) == there.chain()
    assert what_a_provider_refuses({"messages": there.messages[: 1 - 2 * (there.stop == "finish") or None]}) == ""
    sent = [message["tool_calls"][0]["function"] for message in there.messages if message["role"] == "assistant"]
    for function, call in zip(sent, calls, strict=False):
        schema = next(t for t in wire.offered("arithmetic", "tools") if t["function"]["name"] == call.tool)["function"]
        if len(function["arguments"]) <= 2000 and "unreadable" not in function["arguments"]:
            assert parse_json(function["name"], function["arguments"], TOOLS) == as_json_says(call)
            jsonschema.validate(json.loads(function["arguments"]), schema["parameters"])


def test_a_reply_survives_the_journal_and_one_without_calls_has_the_bytes_it_always_had():
    reply = native(("1", "Add", '{"a": 1}'), text="Now.", cut=True)
    assert reply_from_row(json.loads(canonical(reply.row()))) == reply
    plain = '{"completion_tokens":3,"cost_usd":0.0,"cut":false,"prompt_tokens":7,"text":"x"}'
    assert canonical(Reply("x", 7, 3).row()) == plain
    assert reply_from_row(json.loads(plain)) == Reply("x", 7, 3)


# What a turn looks like


def test_a_native_turn_is_answered_under_its_id():
    made = attempt()
    made.advance(native(("call_abc", "Add", '{"a":3, "b": 4}'), text="First the sum."))
    assert made.messages[2:] == [
        {
            "role": "assistant",
            "content": "First the sum.",
            "tool_calls": [
                {"id": "call_abc", "type": "function", "function": {"name": "Add", "arguments": '{"a":3, "b": 4}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_abc", "content": "7"},
    ]
    assert made.chain().messages()[2:] == [
        {"role": "assistant", "content": "Add(a=3, b=4)"},
        {"role": "user", "content": "7"},
    ]


def test_of_several_calls_the_first_is_run_and_each_is_answered():
    made = attempt()
    made.advance(native(*((f"c{n}", "Add", f'{{"a": {n}, "b": 1}}') for n in range(20))))
    assert [step.result for step in made.steps] == ["1"]
    sent, *results = made.messages[2:]
    assert [call["id"] for call in sent["tool_calls"]] == [f"c{n}" for n in range(wire.MOST_CALLS)]
    assert [result["tool_call_id"] for result in results] == [call["id"] for call in sent["tool_calls"]]
    assert [result["content"] for result in results] == ["1", *[wire.NOT_RUN] * (wire.MOST_CALLS - 1)]


@pytest.mark.parametrize(
    ("name", "arguments", "shown", "failure"),
    [
        ("Add", '{"a": 3, "b"', '`{"a": 3, "b"` is no object of arguments', "bad_arguments"),
        ("Add", '{"a": 3}', "Add: b is missing", "bad_arguments"),
        ("Add", '{"a": "3", "b": 4}', "a must be a number such as 6", "bad_arguments"),
        ("Sum", '{"a": 3, "b": 4}', "there is no tool `Sum`", "unknown_tool"),
        ("functions.Add", '{"a": 3, "b": 4}', "there is no tool `functions.Add`", "malformed_call"),
        ("Divide", '{"a": 3, "b": 0}', "0", "tool_error"),
    ],
)
def test_what_is_wrong_with_a_native_call_is_a_failed_step_shown_under_its_id(name, arguments, shown, failure):
    made = attempt()
    made.advance(native(("c1", name, arguments)))
    result = made.messages[-1]
    assert (result["role"], result["tool_call_id"]) == ("tool", "c1")
    assert result["content"].startswith("Error: ") and shown in result["content"] and "\n" not in result["content"]
    assert made.steps[0].failure == failure and not made.stop
    assert what_a_provider_refuses({"messages": made.messages}) == ""
    assert chain_from_row(made.chain().row()).row() == made.chain().row()


def test_broken_or_endless_arguments_go_back_inside_an_object_and_right_ones_as_they_came():
    made = attempt()
    made.advance(native(("c1", "Add", '{"a": 3, "b"')))
    made.advance(native(("c2", "Add", '{ "a":3,"b" : 4 }')))
    made.advance(native(("c3", "Reasoning", json.dumps({"thought": "x" * 50_000}))))
    deep = '{"a": ' + "[" * 1900
    made.advance(native(("c4", "Add", deep)))
    assert wire.said(({"id": "", "name": "", "arguments": deep},)).split() == ['{"a":', "[" * 1900]
    sent = [message["tool_calls"][0]["function"] for message in made.messages if message["role"] == "assistant"]
    assert json.loads(sent[0]["arguments"]) == {"unreadable": '{"a": 3, "b"'}
    assert sent[1]["arguments"] == '{ "a":3,"b" : 4 }'
    assert len(sent[2]["arguments"]) < 2100
    assert json.loads(sent[3]["arguments"]) == {"unreadable": deep}


def test_an_id_that_is_missing_taken_or_strange_becomes_nine_letters_and_digits():
    made = attempt()
    odd = ["", "a", "a", "with space", "x" * 4001, "\x1b[2J", "call00002", "\ud800"]
    made.advance(native(*((name, "Add", '{"a": 1, "b": 1}') for name in odd)))
    ids = [call["id"] for call in made.messages[2]["tool_calls"]]
    assert ids == [*("call00000", "a", "call00002", "call00003", "call00004", "call00005", "call00006", "call00007")]
    made.advance(native(("a", "Add", '{"a": 1, "b": 1}')))  # the same id in a later turn
    assert made.messages[-1]["tool_call_id"] == "call00008"


def test_a_text_instead_of_a_call_goes_the_way_of_the_text_form():
    made, text = attempt(), attempt("text")
    for said in ("I would add them.", "Add(a=3, b=4)", 'Finish(answer="7")'):
        made.advance(Reply(said))
        text.advance(Reply(said))
    assert made.messages[1:] == text.messages[1:] and made.chain() == text.chain()


def test_a_fraction_is_a_text_where_json_has_no_number_for_it():
    made = attempt()
    made.advance(native(("c", "Multiply", '{"a": "10/3", "b": 0.1}')))
    assert (made.steps[0].text, made.steps[0].result) == ("Multiply(a=10/3, b=0.1)", "1/3")


def test_a_half_call_at_the_token_limit_ends_the_chain():
    made = attempt()
    made.advance(native(("c", "Reasoning", '{"thought": "I think that'), cut=True))
    assert (made.stop, made.steps[0].failure) == ("max_tokens", "bad_arguments")


# Through litellm and the journal


def test_the_request_offers_the_tools_and_asks_for_one_call_a_turn(tmp_path):
    chain, [first, second] = after(completion("Now.", "tool_calls", calls=[("c1", "Add", '{"a":3,"b":4}')]), tmp_path)
    assert first["tools"] == wire.offered("arithmetic", "tools") == second["tools"]
    assert first["parallel_tool_calls"] is False
    assert first["messages"][0]["content"] == system_text("arithmetic", "math", 0, "tools")
    assert chain.messages()[0]["content"] == system_text("arithmetic", "math", 0)
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert second["messages"][2] == {
        "role": "assistant",
        "content": "Now.",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "Add", "arguments": '{"a":3,"b":4}'}}],
    }
    assert second["messages"][3] == {"role": "tool", "tool_call_id": "c1", "content": "7"}
    assert [step.text for step in chain.steps] == ["Add(a=3, b=4)", 'Finish(answer="7")']
    assert (chain.answer, chain.stop, chain.prompt_tokens) == ("7", "finish", 14)


def test_nothing_beside_tools_is_sent_in_the_text_form(tmp_path):
    with Provider(lambda request: "Finish(answer=7)") as provider:
        solved(tmp_path, provider.url, "text")
    assert not {"tools", "parallel_tool_calls", "tool_choice"} & set(provider.seen[0])


def test_the_second_run_asks_nothing_and_each_form_has_its_own_calls(tmp_path):
    first, seen = after(completion("", "tool_calls", calls=[("", "Add", '{"a": 3, "b": 4}')] * 3), tmp_path)
    assert len(seen) == 2
    assert solved(tmp_path, "http://127.0.0.1:9/v1", "tools") == first  # nothing listens there
    with pytest.raises(ProviderError):
        solved(tmp_path, "http://127.0.0.1:9/v1", "text", retries=0)


def test_the_tools_stand_in_the_journal_once_and_a_snapshot_brings_them_along(tmp_path):
    chain, _ = after(completion(None, "tool_calls", calls=[("c", "Add", '{"a": 3, "b": 4}')]), tmp_path / "live")
    [shard] = (tmp_path / "live").glob("*.jsonl")
    lines = shard.read_text().splitlines()
    assert len(lines) == 3 and [line.count("additionalProperties") > 0 for line in lines] == [True, False, False]
    with Journal(tmp_path / "live") as journal:
        assert (len(journal), journal.dropped) == (2, 0)
        (tmp_path / "calls").mkdir()
        keys = [json.loads(line)["key"] for line in lines[1:]]
        journal.snapshot(tmp_path / "calls", {"a.jsonl": keys})
    with Journal(tmp_path / "other") as journal:
        journal.seed(tmp_path / "calls")
        assert (len(journal), journal.dropped) == (2, 0)
    assert solved(tmp_path / "other", None, "tools") == chain
    shard.write_text(shard.read_text().replace("anyOf", "allOf", 1))  # other tools: no call fits its key any more
    with Journal(tmp_path / "live") as journal:
        assert (len(journal), journal.dropped) == (0, 3)


@pytest.mark.parametrize("model", ["ollama/llama3", "perplexity/sonar", "deepseek/deepseek-reasoner", "petals/x"])
def test_a_model_that_takes_no_tools_is_refused_before_the_first_call(model, tmp_path, monkeypatch):
    for name in ("PERPLEXITYAI_API_KEY", "DEEPSEEK_API_KEY", "PETALS_API_KEY"):
        monkeypatch.setenv(name, KEY)
    with Provider(lambda request: "x") as provider:
        with pytest.raises(InputError) as refused:
            solved(tmp_path, provider.url, "tools", model=model)
        assert not provider.seen
    assert str(refused.value).startswith(f"params.yaml: generate.teacher.wire is tools, and {model} takes no tools; ")
    assert "\n" not in str(refused.value)


def test_a_model_of_our_own_takes_no_tools_whatever_litellm_says(monkeypatch):
    import litellm

    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "own", "custom_handler": litellm.CustomLLM()}])
    litellm.utils.custom_llm_setup()
    assert "tools" in litellm.get_supported_openai_params("own/model")
    with pytest.raises(InputError, match="own/model takes no tools"):
        wire.parameters(litellm, "own/model")


def test_one_call_a_turn_is_asked_for_only_where_the_provider_takes_that():
    import litellm

    assert wire.parameters(litellm, "openai/any") == {"parallel_tool_calls": False}
    assert wire.parameters(litellm, "ollama_chat/any") == {}


# The same chains in both forms

SCRIPT = (
    'Reasoning(thought="3 + 4 \\"apples\\"\\nat \\\\ é")',
    "I would add them.",
    "Sum(a=3, b=4)",
    "Add(a=3)",
    "Divide(a=10, b=3)",
    "Multiply(a=10/3, b=-0.3)",
    'Calculate(expression="(16 - 3) * 2")',
    'Add(a="3", b=4)',
    "Divide(a=1, b=0)",
    "Add(a=3, b=4",
)
NATIVE = {  # what has no call to be read from the text
    "Sum(a=3, b=4)": ("Sum", '{"a": 3, "b": 4}'),
    "Add(a=3)": ("Add", '{"a": 3}'),
    'Add(a="3", b=4)': ("Add", '{"a": "3", "b": 4}'),
}


def scripted(request: dict) -> dict:
    """A teacher that says the same natively, where it is offered tools, and as text where it is not."""
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    begin = request["seed"] + sum(map(ord, request["messages"][1]["content"]))
    text = SCRIPT[(begin + turn) % len(SCRIPT)] if turn < 3 else f'Finish(answer="{request["seed"]}")'
    fault = what_a_provider_refuses(request)
    if fault:
        return error(400, fault)
    if "tools" not in request:
        return completion(text)
    try:
        call = wire.native_call(parse(text, TOOLS))
        name, arguments = call["name"], call["arguments"]
    except CallError:
        if text not in NATIVE:
            return completion(text)
        name, arguments = NATIVE[text]
    extra = [("", "Round", '{"x": 1, "digits": 0}')] * (turn % 2)
    answer = completion("So:" if turn else None, "tool_calls", calls=[(f"call_{turn}", name, arguments), *extra])
    return {**answer, "usage": {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100}}


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "data/chains.jsonl").read_text().splitlines()]


def without_tokens(row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in ("prompt_tokens", "completion_tokens")}


def test_the_same_teacher_gives_the_same_chains_in_both_forms_but_for_tokens(tmp_path, monkeypatch):
    """The whole stage against a real server; the second run of each form asks nothing."""
    made = {}
    for form in ("text", "tools"):
        (tmp_path / form).mkdir()
        monkeypatch.chdir(tmp_path / form)
        monkeypatch.setenv("STEPCALL_JOURNAL", str(tmp_path / form / ".journal"))
        project = Project(tmp_path / form)
        project.edit("wire: text", f"wire: {form}")
        project.edit("  - {source: builtin/logic, n: 12, seed: 1}\n  dev:", "  dev:")
        with Provider(scripted) as provider:
            project.at(provider)
            project.run()
            asked, outputs = len(provider.seen), project.outputs()
            project.run()
            assert len(provider.seen) == asked and project.outputs() == outputs
        made[form] = rows(tmp_path / form)
    assert len(made["text"]) == 36
    assert list(map(without_tokens, made["text"])) == list(map(without_tokens, made["tools"]))
    failures = {step["failure"] for row in made["text"] for step in row["steps"]}
    assert failures == {"", "malformed_call", "unknown_tool", "bad_arguments", "tool_error"}
    assert made["text"][0]["prompt_tokens"] != made["tools"][0]["prompt_tokens"]


def test_the_simulated_teacher_gives_the_same_chains_in_both_forms(tmp_path, monkeypatch):
    made = {}
    for form in ("text", "tools"):
        (tmp_path / form).mkdir()
        monkeypatch.chdir(tmp_path / form)
        monkeypatch.setenv("STEPCALL_JOURNAL", str(tmp_path / form / ".journal"))
        project = Project(tmp_path / form)
        project.edit("model: openai/test", "model: simulated/teacher")
        project.edit("wire: text", f"wire: {form}")
        project.edit("    slip: 0.1", "    slip: 0.3")
        project.run()
        made[form] = rows(tmp_path / form)
        native = [request["tools"] for request in project.journal()]
        assert set(native) == ({None} if form == "text" else {"with system"})
        lines = "".join(path.read_text() for path in (tmp_path / form / ".journal").glob("*.jsonl"))
        assert lines.count('"calls":[') > len(native) * 0.8 or form == "text"
    assert list(map(without_tokens, made["text"])) == list(map(without_tokens, made["tools"]))
    assert {step["failure"] for row in made["text"] for step in row["steps"]} >= {"malformed_call", "unknown_tool"}


def test_the_journals_line_of_a_text_is_the_one_it_always_was(tmp_path):
    """Calls that were paid for before there were two forms are found."""
    with Provider(lambda request: "Finish(answer=7)") as provider:
        solved(tmp_path, provider.url, "text")
    [shard] = tmp_path.glob("*.jsonl")
    assert shard.read_text().splitlines()[1] == (
        '{"check":"3bba1e564643ecda","key":"422a6b720e6f03a475217310ccf3fca17b562199614ac9b7acafab1c8252ce5b",'
        '"request":{"messages":[{"content":"Tom has 3 apples and buys 4. How many?","role":"user"}],'
        '"model":"openai/test","sample":0,"sampling":{"max_tokens":256,"seed":1,"temperature":1.0},'
        '"system":"e84cb3ee80d900f3","tools":null},"response":{"completion_tokens":3,"cost_usd":0.0,"cut":false,'
        '"prompt_tokens":7,"text":"Finish(answer=7)"}}'
    )
