"""The wire form `tools` through litellm and the journal: what is sent and kept, and the text form's chains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from projects import KEY, Project
from provider import Provider, completion, error
from strict_server import after, solved, what_a_provider_refuses

from stages.agent import native as wire
from stages.agent.prompt import system_text
from stages.records.errors import InputError
from stages.teacher.journal.journal import Journal
from stages.teacher.teacher import ProviderError
from stages.tools import TOOLKITS
from stages.tools.calls import CallError, parse

TOOLS = TOOLKITS["arithmetic"].tools

pytestmark = pytest.mark.usefixtures("environment")


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
        assert (len(journal), len(journal.faults)) == (2, 0)
        (tmp_path / "calls").mkdir()
        keys = [json.loads(line)["key"] for line in lines[1:]]
        journal.snapshot(tmp_path / "calls", {"a.jsonl": keys})
    with Journal(tmp_path / "other") as journal:
        journal.seed(tmp_path / "calls")
        assert (len(journal), len(journal.faults)) == (2, 0)
    assert solved(tmp_path / "other", None, "tools") == chain
    shard.write_text(shard.read_text().replace("anyOf", "allOf", 1))  # other tools: no call fits its key any more
    with Journal(tmp_path / "live") as journal:
        assert (len(journal), len(journal.faults)) == (0, 3)


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


def in_form(form: str, folder: Path, monkeypatch) -> Project:
    """A project of its own, where the teacher is asked in this form."""
    (folder / form).mkdir()
    monkeypatch.chdir(folder / form)
    project = Project(folder / form)
    project.edit("wire: text", f"wire: {form}")
    return project


def test_the_same_teacher_gives_the_same_chains_in_both_forms_but_for_tokens(tmp_path, monkeypatch):
    """The whole stage against a real server; the second run of each form asks nothing."""
    made = {}
    for form in ("text", "tools"):
        project = in_form(form, tmp_path, monkeypatch)
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
        project = in_form(form, tmp_path, monkeypatch)
        project.edit("model: openai/test", "model: simulated/teacher")
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
