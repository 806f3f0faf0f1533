"""generate: killed, stopped, capped or failed by its provider, it loses no answer and asks none twice."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable

import pytest
from projects import CHAINS, KEY, TURNS, play
from provider import Fault, Provider, completion, error

from stages.params import load
from stages.problems import sources
from stages.records.command import run
from stages.records.errors import InputError
from stages.teacher.journal.journal import Journal, JournalError


def asked(requests: list[dict]) -> Counter[str]:
    """How often each request was made, known by its seed and its messages after the system message."""
    names = []
    for request in requests:
        messages = [message for message in request["messages"] if message["role"] != "system"]
        seed = request["seed"] if "seed" in request else request["sampling"]["seed"]
        names.append(json.dumps([seed, messages], sort_keys=True))
    return Counter(names)


def wait_for(seen: Callable[[], bool], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not seen():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_anywhere_it_goes_on_without_a_second_call(project):
    def slow(request: dict) -> str:
        time.sleep(0.02)
        return play(request)

    with Provider(slow) as provider:
        project.at(provider)
        for share in (0.3, 0.6):
            process = project.start()
            wait_for(lambda share=share: len(project.journal()) > share * CHAINS * TURNS, process)
            process.kill()
            process.communicate()
        kept, sent = asked(project.journal()), len(provider.seen)
        project.run()
        again = asked(provider.seen[sent:])
        assert not set(again) & set(kept)  # no finished call is repeated
        assert set(again) | set(kept) == set(asked(provider.seen)) and len(again) + len(kept) == CHAINS * TURNS
        assert max(again.values()) == max(kept.values()) == 1
    killed = project.outputs()
    for name in ("data", "metrics", ".journal"):
        shutil.rmtree(project.folder / name)
    with Provider(play) as provider:
        project.at(provider)
        project.run()
    assert project.outputs() == killed  # the figures too


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_waits_for_the_calls_in_flight_and_keeps_them(project, number):
    def slow(request: dict) -> str:
        time.sleep(0.1)
        return play(request)

    with Provider(slow) as provider:
        project.at(provider)
        process = project.start()
        wait_for(lambda: len(provider.answered) > 40, process)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 1
        assert f"{number.name}: the calls in flight are kept" in said and "chains are missing" in said
        assert "Traceback" not in said
        assert asked(project.journal()) == asked(provider.seen)
        project.run()
        assert set(provider.answered.values()) == {1} and len(provider.seen) == CHAINS * TURNS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_that_waits_for_the_hub(project, number):
    """The hub takes the connection and never answers; nothing was asked of the teacher."""
    project.edit("student: tiny", "student: somebody/a-model")
    hub = socket.create_server(("127.0.0.1", 0))
    environment = project.environment() | {"HF_ENDPOINT": f"http://127.0.0.1:{hub.getsockname()[1]}"}
    environment |= {"HF_HOME": str(project.folder / "hub"), "HF_HUB_ETAG_TIMEOUT": "200"}
    with hub, Provider(play) as provider:
        project.at(provider)
        process = project.start(environment)
        hub.settimeout(120)
        asked, _ = hub.accept()
        with asked:
            process.send_signal(number)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == 1 and "Traceback" not in said
        assert said.endswith("\nerror: interrupted while a model was loaded; nothing was asked by then\n")
        assert provider.seen == []


def test_chains_that_the_provider_failed_are_named_and_the_rest_is_kept(project):
    project.edit("retries: 2", "retries: 1")
    down = set()

    def half(request: dict) -> str | Fault:
        question = request["messages"][1]["content"]
        if len(down) < 4:
            down.add(question)
        return error(500, "down") if mended is False and question in down else play(request)

    mended = False
    with Provider(half) as provider:
        project.at(provider)
        with pytest.raises(InputError) as refused:
            project.run()
        assert str(refused.value) == (
            "data/chains.jsonl: 12 of 72 chains are missing: 12 server_error; "
            "every answer is kept in the journal: run again, and only the rest is asked"
        )
        made = project.metrics()
        assert (made["chains"], made["provider_failures"]) == (60, 12)
        assert made["missing"]["server_error"]["chains"] == 12 and len(made["missing"]["server_error"]["problems"]) == 4
        rows = [json.loads(line) for line in open("data/chains.jsonl")]
        assert len(rows) == 60 and {len(row["steps"]) for row in rows} == {TURNS}  # no failure became a step
        mended, before = True, len(provider.seen)
        project.run()
        assert len(provider.seen) - before == 12 * TURNS
    made = project.metrics()
    assert (made["chains"], made["provider_failures"], "missing" in made) == (72, 0, False)
    assert made["teacher_calls"] == CHAINS * TURNS  # of this version, by both runs


def test_a_provider_that_is_down_stops_the_run_instead_of_failing_every_chain_in_turn(project):
    project.edit("retries: 2", "retries: 1")
    with Provider(lambda request: error(503, "down")) as provider:
        project.at(provider)
        with pytest.raises(InputError, match="72 of 72 chains are missing: .*16 chains in a row failed"):
            project.run()
        assert 16 <= len(provider.seen) / 2 <= 16 + 2 * 8  # and the chains under way, twice the calls in flight


def test_passing_faults_change_no_byte(project):
    with Provider(play) as provider:
        project.at(provider)
        project.run()
    clean = project.outputs()
    for name in ("data", "metrics", ".journal"):
        shutil.rmtree(project.folder / name)
    faults = [error(429, "slow down"), error(500, "down"), error(200, "overloaded"), Fault(200, "<html>")]
    numbers = itertools.count()

    def unsteady(request: dict) -> str | Fault:
        number = next(numbers)
        return faults[number // 4 % 4] if number % 4 == 0 else play(request)

    project.edit("retries: 2", "retries: 9")
    with Provider(unsteady) as provider:
        project.at(provider)
        project.run()
        assert len(provider.seen) > 1.3 * CHAINS * TURNS and set(provider.answered.values()) == {1}
    assert project.outputs() == clean


def test_a_cap_stops_the_run_and_a_higher_one_goes_on(project):
    project.edit("max_new_calls: 100000", "max_new_calls: 100")
    with Provider(play) as provider:
        project.at(provider)
        with pytest.raises(InputError, match="runtime.max_new_calls = 100 is reached; raise it"):
            project.run()
        assert len(provider.seen) == 100
        assert "calls" not in os.listdir("data")  # a version that is not finished is no version
        project.edit("max_new_calls: 100", "max_new_calls: 1000")
        project.run()
        assert len(provider.seen) == CHAINS * TURNS


def priced(request: dict) -> dict:
    """`play`, at what a call of gpt-4o-mini costs."""
    return completion(play(request), model="gpt-4o-mini")


CALL_USD = 7 * 0.15e-6 + 3 * 0.6e-6  # as the server counts tokens, at litellm's prices


def test_a_budget_stops_the_run_within_one_call_a_worker_and_a_higher_one_goes_on(project):
    project.edit("model: openai/test", "model: openai/gpt-4o-mini")
    project.edit("budget_usd: 1.0", f"budget_usd: {100 * CALL_USD:.9f}")
    with Provider(priced) as provider:
        project.at(provider)
        with pytest.raises(InputError, match="chains are missing: .*not_asked") as refused:
            project.run()
        sent, workers = len(provider.seen), 8
        assert 100 <= sent <= 100 + workers
        said = re.search(r"is spent; raise it, .*; this run spent (\S+) USD; ", str(refused.value))
        assert float(said[1]) == pytest.approx(sent * CALL_USD, rel=1e-4)
        assert asked(project.journal()) == asked(provider.seen)  # all that was paid for is kept
        project.edit(f"budget_usd: {100 * CALL_USD:.9f}", "budget_usd: 1.0")
        project.run()
        assert len(provider.seen) == CHAINS * TURNS and set(provider.answered.values()) == {1}
    assert project.metrics()["cost_usd"] == pytest.approx(CHAINS * TURNS * CALL_USD, abs=1e-4)  # rounded there


def test_a_chain_that_takes_too_long_fails_as_a_timeout_and_what_was_paid_is_kept(project):
    """The last turn of one problem's chains is put off by more than `chain_timeout_s`, which is 60."""
    questions = []

    def half(request: dict) -> str | Fault:
        question = request["messages"][1]["content"]
        questions.append(question)
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return error(429, "later", Retry_After="100") if question == questions[0] and turn == 2 else play(request)

    with Provider(half) as provider:
        project.at(provider)
        with pytest.raises(InputError, match="3 of 72 chains are missing: 3 timeout; "):
            project.run()
    kept = [request["messages"][0]["content"] for request in project.journal()]
    assert kept.count(questions[0]) == 3 * 2  # each of its three chains had two answers
    made = project.metrics()["missing"]
    assert made.keys() == {"timeout"} and made["timeout"]["chains"] == 3 and len(made["timeout"]["problems"]) == 1


def test_refused_problems_are_named_with_what_to_do(project):
    refused = []

    def filtered(request: dict) -> str | Fault:
        question = request["messages"][1]["content"]
        if len(refused) < 2 and question not in refused:
            refused.append(question)
        body = {"error": {"message": "maximum context length is 9 tokens", "code": "context_length_exceeded"}}
        return Fault(400, body) if question in refused else play(request)

    with Provider(filtered) as provider:
        project.at(provider)
        with pytest.raises(InputError) as said:
            project.run()
        assert len(provider.seen) == 6 + (CHAINS - 6) * TURNS  # a refusal is not asked again in the same run
    assert re.search(
        r"6 of 72 chains are missing: 6 refused; refused for content or length: builtin/\S+, builtin/\S+; "
        r"leave these out of problems\.train, or take a model that answers them .*the last was refused with: .*9 tok",
        str(said.value),
    )


def test_a_key_that_is_wrong_ends_the_run_at_once(project):
    with Provider(lambda request: error(401, f"wrong key {KEY}")) as provider:
        project.at(provider)
        with pytest.raises(InputError, match="generate.teacher.model openai/test: .*set its key in the environment"):
            project.run()
        assert len(provider.seen) <= 8  # one a worker


def test_an_error_is_one_line_and_an_exit_code(project):
    project.edit("model: openai/test", "model: nonsense/test")
    with pytest.raises(SystemExit) as ended:
        run(project.run)
    said = ended.value.code  # a text, which Python writes to stderr as a line before it ends with 1
    assert said.startswith("error: params.yaml: generate.teacher.model is 'nonsense/test'") and "\n" not in said


def test_a_second_run_is_refused_while_the_first_buys(project):
    with Provider(play) as provider, Journal(project.folder / ".journal"):
        project.at(provider)
        with pytest.raises(JournalError, match=f"process {os.getpid()} is buying calls"):
            project.run()
        assert provider.seen == []


def test_failures_between_good_chains_do_not_stop_the_run_and_between_known_ones_they_do(project):
    """Every second chain fails: 36 of them, of which no eight are in a row."""
    project.edit("retries: 2", "retries: 0")
    project.edit("concurrency: 8", "concurrency: 1")
    project.edit("max_failures: 16", "max_failures: 8")
    down = {problem.question for problem in sources.load("train", load("params.yaml").problems)[::2]}

    def half(request: dict) -> str | Fault:
        return error(500, "down") if request["messages"][1]["content"] in down else play(request)

    with Provider(half) as provider:
        project.at(provider)
        with pytest.raises(InputError, match="36 of 72 chains are missing: 36 server_error; every answer"):
            project.run()
    with Provider(half) as provider:
        project.at(provider)
        with pytest.raises(InputError, match="8 chains in a row failed"):
            project.run()
        assert len(provider.seen) <= 8 + 1  # and the other chain under way


def test_refusals_do_not_stop_the_run_as_a_provider_that_is_down(project):
    project.edit("max_failures: 16", "max_failures: 1")
    body = {"error": {"message": "maximum context length is 9 tokens", "code": "context_length_exceeded"}}
    with Provider(lambda request: Fault(400, body)) as provider:
        project.at(provider)
        with pytest.raises(InputError, match="72 of 72 chains are missing: 72 refused; "):
            project.run()
        assert len(provider.seen) == CHAINS
