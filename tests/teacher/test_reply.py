"""Whose fault a failure is: what the model wrote is its turn, what the server broke off is asked again."""

from __future__ import annotations

import json

import pytest
from projects import KEY
from provider import Fault, Provider, completion, error
from strict_server import solved
from teachers import MESSAGES, ask, settings

from stages.agent.loop import Reply
from stages.teacher.journal.journal import Journal
from stages.teacher.provider import ProviderError, TeacherError

pytestmark = pytest.mark.usefixtures("environment")

CALL = '<function=Add{"a": 1, "b": "x\\ny"}</function>'


def refused(message: str, code: str | None = None, status: int = 400, **more: object) -> Fault:
    return Fault(status, {"error": {"message": message, "type": "invalid_request_error", "code": code, **more}})


# What the model wrote so badly that its provider refused it

MISCALLS = {
    "Groq: no call": (refused("Failed to call a function.", "tool_use_failed", failed_generation=CALL), CALL),
    "Groq: nothing": (refused("Failed to call a function.", "tool_use_failed", failed_generation=""), ""),
    "Groq: an object": (refused("no", "json_validate_failed", failed_generation={"a": [1]}), '{"a": [1]}'),
    "Groq: other arguments": (refused("tool call validation failed: /a: expected number", "tool_use_failed"), ""),
    "Groq: no tools offered": (refused("Tool choice is none, but model called a tool", "tool_use_failed"), ""),
    "Cerebras": (refused("Failed to generate tool_calls. Exception: Tool is not present in the tools list."), ""),
    "Cohere": (Fault(422, {"message": "No valid tool call or response generated"}), ""),
    "Bedrock": (refused("Model produced invalid sequence as part of ToolUse. Please refer", status=424), ""),
    "Ollama": (
        refused("error parsing tool call: raw='{\"a\": it's', err=invalid character", status=500),
        '{"a": it\'s',
    ),
    "llama.cpp": (refused("Failed to parse input at pos 39: <|call|>[Add(a: 1)]", status=500), "<|call|>[Add(a: 1)]"),
}


@pytest.mark.parametrize("model", ["openai/test", "groq/test", "hosted_vllm/test"])
@pytest.mark.parametrize("case", MISCALLS)
def test_a_call_that_its_provider_cannot_read_is_the_models_turn_and_kept(case, model, tmp_path, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    fault, text = MISCALLS[case]
    with Provider(lambda request: fault) as provider:
        for _ in range(2):
            asked, [reply] = ask(tmp_path, settings(model, provider.url))
            assert reply == Reply(text) and asked.retried == 0
        assert len(provider.seen) == 1 and asked.hits == 1


@pytest.mark.parametrize("form", ["text", "tools"])
@pytest.mark.parametrize("case", ["Groq: no call", "Groq: nothing"])
def test_the_model_is_shown_what_was_wrong_with_it_and_goes_on(case, form, tmp_path):
    fault, text = MISCALLS[case]
    with Provider(lambda request: "Finish(answer=7)", [fault]) as provider:
        chain = solved(tmp_path, provider.url, form)
        sent = provider.seen[1]["messages"]
    assert [(step.text, step.failure) for step in chain.steps] == [(text, "malformed_call"), ("Finish(answer=7)", "")]
    assert chain.stop == "finish" and len(provider.seen) == 2
    assert [message["content"] for message in sent[2:]] == [text or "(empty)", chain.steps[0].error]


def test_what_a_refused_call_says_is_bounded_and_holds_no_key(tmp_path):
    for number, text in enumerate((f"Add({KEY})", "x" * 300_000)):
        fault = refused("Failed to call a function.", "tool_use_failed", failed_generation=text)
        with Provider(lambda request, fault=fault: fault) as provider:
            _, [failure] = ask(tmp_path / str(number), settings(url=provider.url, retries=0))
            assert isinstance(failure, ProviderError) and failure.kind == "bad_answer" and KEY not in str(failure)


# One refused request, and all

STRANGE = error(400, "strange request")


def strange(*seeds: int):
    """A server that refuses these requests only."""
    return lambda request: STRANGE if request["seed"] in seeds and "Say ok" not in str(request) else "x"


def test_a_refused_first_request_ends_its_chain_only(tmp_path):
    with Provider(strange(1)) as provider:
        asked, [failure, reply] = ask(tmp_path, settings(url=provider.url), 0, 1)
        assert (failure.kind, reply.text, asked.retried) == ("refused", "x", 0) and "strange request" in str(failure)
        assert len(provider.seen) == 3
    probe = provider.seen[1]
    assert probe == provider.seen[0] | {"messages": [MESSAGES[0], {"role": "user", "content": "Say ok."}]}


def test_where_only_refused_requests_are_left_no_run_ends_fatally(tmp_path):
    with Provider(strange(*range(1, 41))) as provider:
        for _ in range(2):
            before = len(provider.seen)
            _, failures = ask(tmp_path, settings(url=provider.url), *range(40))
            assert {getattr(failure, "kind", None) for failure in failures} == {"refused"}
            assert len(provider.seen) - before == 40 + 3  # a probe vouches for 16


def test_an_account_that_ends_during_a_run_is_not_taken_for_refusals(tmp_path):
    """Anthropic says with a 400 that there is no credit, Google that a key is wrong."""
    spent = error(400, "Your credit balance is too low to access the API")
    with Provider(lambda request: "x" if request["seed"] < 5 else spent) as provider:
        _, outcomes = ask(tmp_path, settings(url=provider.url), *range(30))
        kinds = [getattr(outcome, "kind", type(outcome).__name__) for outcome in outcomes]
        assert kinds == ["Reply"] * 4 + ["refused"] * 16 + ["TeacherError"] * 10
        assert "credit balance is too low" in str(outcomes[-1])
        assert len(provider.seen) <= 4 + 16 + 10 + 1


def test_a_probe_that_is_not_answered_decides_nothing(tmp_path):
    with Provider(lambda request: error(503, "down") if "Say ok" in str(request) else STRANGE) as provider:
        _, failures = ask(tmp_path, settings(url=provider.url), 0, 1)
        assert {failure.kind for failure in failures} == {"refused"} and len(provider.seen) == 4


def test_what_a_probe_costs_is_counted(tmp_path):
    answer = completion("x", model="gpt-4o-mini")
    with Provider(lambda request: answer if "Say ok" in str(request) else STRANGE) as provider:
        asked, [failure] = ask(tmp_path, settings("openai/gpt-4o-mini", provider.url))
        assert failure.kind == "refused" and asked.spent_usd == pytest.approx(7 * 0.15e-6 + 3 * 0.6e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "Your chosen model requires moderation and your input was flagged"),
        (400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy"),
        (413, "Payload too large"),
    ],
)
def test_a_refusal_for_content_or_length_needs_no_probe(status, message, tmp_path):
    with Provider(lambda request: error(status, message)) as provider:
        _, [failure] = ask(tmp_path, settings(url=provider.url))
        assert failure.kind == "refused" and len(provider.seen) == 1


# Why an answer ended


def gemini(reason: str, *parts: dict) -> dict:
    content = {"role": "model", "parts": list(parts)} if parts else {}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
    return {"candidates": [{"content": content, "finishReason": reason}], "usageMetadata": usage}


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"])
@pytest.mark.parametrize("text", ["", "Add(a=1"])
def test_what_gemini_made_of_a_call_that_it_could_not_read_is_paid_once(reason, text, tmp_path, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    answer = gemini(reason, *([{"text": text}] if text else []))
    with Provider(lambda request: answer) as provider:
        for _ in range(2):
            _, [reply] = ask(tmp_path, settings("gemini/gemini-2.5-flash", provider.url, seed=None))
            assert (reply.text, reply.prompt_tokens, reply.cut) == (text, 9, False)
        assert len(provider.seen) == 1


@pytest.mark.parametrize(
    "reason", ["error", "ERROR", "abort", "network_error", "insufficient_system_resource", "banana", 5]
)
def test_half_an_answer_is_asked_again_and_never_kept(reason, tmp_path):
    half = completion("Add(a=1", reason)
    with Provider(lambda request: "Add(a=1, b=2)", [Fault(200, half)]) as provider:
        asked, [reply] = ask(tmp_path, settings(url=provider.url))
        assert reply.text == "Add(a=1, b=2)" and asked.retried == 1
    with Provider(lambda request: half) as provider:
        _, [failure] = ask(tmp_path, settings(url=provider.url), 1)
        assert failure.kind == "bad_answer" and f"finish_reason: {str(reason).lower()}" in str(failure)
        assert len(provider.seen) == 3
    with Journal(tmp_path) as journal:
        assert len(journal) == 1


@pytest.mark.parametrize(
    "reason", ["length", "max_tokens", "MAX_TOKENS", "model_length", "length_limit", "max_output_tokens", "LENGTH"]
)
def test_every_spelling_of_length_is_a_cut(reason, tmp_path):
    with Provider(lambda request: completion("Add(a=1", reason)) as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url))
    assert (reply.text, reply.cut) == ("Add(a=1", True)


@pytest.mark.parametrize(
    "reason", ["stop", "STOP", "end_turn", "stop_sequence", "eos", "eos_token", "COMPLETE", "tool_calls", "", None]
)
def test_every_spelling_of_an_end_is_the_models(reason, tmp_path):
    """Where there is none, the server says nothing of a fault: many leave it out."""
    with Provider(lambda request: completion("Add(a=1", reason)) as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url, retries=0))
    assert (reply.text, reply.cut) == ("Add(a=1", False)


@pytest.mark.parametrize(
    ("reason", "native", "kind"),
    [
        ("stop", "a_word_of_another_provider", Reply),
        ("stop", "MALFORMED_FUNCTION_CALL", Reply),
        ("error", "MALFORMED_FUNCTION_CALL", ProviderError),  # litellm overwrites the second word by the first
        ("error", "x", ProviderError),
    ],
)
def test_the_word_of_the_provider_behind_openrouter_is_no_fault(reason, native, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    answer = completion("x", reason)
    answer["choices"][0]["native_finish_reason"] = native
    with Provider(lambda request: answer) as provider:
        _, [outcome] = ask(tmp_path, settings("openrouter/test", provider.url, retries=0))
    assert isinstance(outcome, kind)


# Thoughts and no answer


def thoughts(**fields: object) -> dict:
    answer = completion("", model="gpt-4o-mini")
    answer["choices"][0]["message"] |= {"reasoning_content": "Let me think."} | fields
    return answer


@pytest.mark.parametrize("retries", [0, 1, 9])
def test_thoughts_without_an_answer_are_asked_once_more_and_then_the_models(retries, tmp_path):
    with Provider(lambda request: thoughts()) as provider:
        asked, [reply] = ask(tmp_path, settings("openai/gpt-4o-mini", provider.url, retries=retries))
        assert reply.text == "" and not reply.cut and len(provider.seen) == min(1 + retries, 2)
        assert asked.spent_usd == pytest.approx(len(provider.seen) * (7 * 0.15e-6 + 3 * 0.6e-6), abs=1e-7)
        assert ask(tmp_path, settings("openai/gpt-4o-mini", provider.url))[0].hits == 1


def test_thoughts_that_are_only_counted_are_thoughts(tmp_path):
    silent = completion("")
    silent["usage"]["completion_tokens_details"] = {"reasoning_tokens": 3}
    with Provider(lambda request: silent) as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url, retries=9))
        assert reply.text == "" and len(provider.seen) == 2


def test_thoughts_in_the_text_with_nothing_behind_them_are_no_answer_either(tmp_path):
    """As a server without a reasoning parser sends them; the template has opened the thoughts."""
    with Provider(lambda request: "Three and four.\n</think>\n\n") as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url, retries=9))
        assert reply.text.startswith("Three and four.") and not reply.cut and len(provider.seen) == 2
    answered = "Three and four.\n</think>\n\nAdd(a=3, b=4)"
    with Provider(lambda request: answered) as provider:
        _, [reply] = ask(tmp_path / "answered", settings(url=provider.url, retries=9))
        assert reply.text == answered and len(provider.seen) == 1


def test_a_second_try_after_thoughts_may_be_answered(tmp_path):
    with Provider(lambda request: "Add(a=1, b=2)", [Fault(200, thoughts())]) as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url))
        assert reply.text == "Add(a=1, b=2)" and len(provider.seen) == 2


def test_thoughts_that_used_up_the_tokens_are_cut_whatever_the_server_says(tmp_path):
    with Provider(lambda request: thoughts()) as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url, max_tokens=3))
        assert reply.cut and len(provider.seen) == 1


# Answers that litellm cannot read


def test_an_answer_that_litellm_cannot_read_is_bought_once_and_named(tmp_path, monkeypatch, capfd):
    """litellm's adapter for Groq wants a field that a server of one's own does not send."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    fields = {"service_tier": "on_demand"}
    with Provider(lambda request: completion("x") | (fields if request["seed"] != 2 else {})) as provider:
        asked, outcomes = ask(tmp_path, settings("groq/test", provider.url, retries=9), 0, 1, 2, 1)
        kinds = [getattr(outcome, "kind", "reply") for outcome in outcomes]
        assert kinds == ["reply", "bad_answer", "reply", "bad_answer"]
        assert asked.retried == 0 and len(provider.seen) == 4
    said = capfd.readouterr().err
    assert said.count("cannot read what came back (AttributeError: ") == 1 and "service_tier" in said
    assert "groq/chat/transformation.py" in said and "/site-packages" not in said


PARTS = completion("x")
PARTS["choices"][0]["message"]["content"] = [{"type": "text", "text": "Add(a=1, b=2)"}]
NO_REASON = completion("x")
NO_REASON["choices"][0]["finish_reason"] = ["stop"]


@pytest.mark.parametrize("model", ["openai/test", "hosted_vllm/test"])
@pytest.mark.parametrize("answer", [PARTS, NO_REASON, {**completion("x"), "choices": [None]}])
def test_whatever_litellm_stumbles_over_is_not_bought_again(answer, model, tmp_path):
    with Provider(lambda request: answer if request["seed"] == 2 else "x") as provider:
        asked, [_, failure, reply] = ask(tmp_path, settings(model, provider.url, retries=9), 0, 1, 2)
        assert (failure.kind, reply.text, len(provider.seen)) == ("bad_answer", "x", 3)
    assert str(failure).startswith("litellm ") and "cannot read what came back (" in str(failure)


def test_where_litellm_can_read_no_answer_the_run_ends_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    with Provider(lambda request: completion("x")) as provider:
        _, failures = ask(tmp_path, settings("groq/test", provider.url, retries=9), 0, 1)
        assert {type(failure) for failure in failures} == {TeacherError} and len(provider.seen) == 2
    assert "take another version of it, or openai/MODEL with api_base" in str(failures[0])


@pytest.mark.parametrize("body", ["", '{"id": "chatcmpl-1", "choi', "<html>"])
@pytest.mark.parametrize("model", ["openai/test", "groq/test"])
def test_half_a_body_is_not_taken_for_an_answer_that_litellm_cannot_read(body, model, tmp_path, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    whole = completion("x") | {"service_tier": "on_demand"}
    with Provider(lambda request: whole, [Fault(200, body)]) as provider:
        _, [reply] = ask(tmp_path, settings(model, provider.url))
        assert reply.text == "x" and len(provider.seen) == 2


def test_nested_bodies_are_read_within_bounds(tmp_path):
    for body in ("[" * 100_000, '{"error": ' * 50_000, json.dumps({"error": {"failed_generation": [1] * 9}})):
        with Provider(lambda request, body=body: Fault(400, body)) as provider:
            _, [outcome] = ask(tmp_path / str(len(body)), settings(url=provider.url, retries=0))
            assert isinstance(outcome, Reply | TeacherError)
