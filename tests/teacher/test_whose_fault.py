"""200 chains against a server that shows every fault whose owner is in doubt: each chain ends for the right reason.

`python -m pytest -s tests/teacher/test_whose_fault.py` prints what the server counted.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from pathlib import Path

import pytest
from projects import Project
from provider import Fault, Provider, completion, error
from strict_server import what_a_provider_refuses

from stages.records.errors import InputError

CHAINS, RETRIES = 200, 3
SCRIPT = (("Reasoning", {"thought": "Both."}), ("Add", {"a": 12, "b": 3}), ("Finish", {"answer": "15"}))
GROQ = {"message": "Failed to call a function.", "type": "invalid_request_error", "code": "tool_use_failed"}
UNREADABLE = completion(None)
UNREADABLE["choices"][0]["message"]["content"] = [{"type": "text", "text": "Add(a=12, b=3)"}]  # OpenAI sends a text


def thoughts(tokens: int = 3) -> dict:
    answer = completion("")
    answer["choices"][0]["message"]["reasoning_content"] = "Twelve and three, so."
    answer["usage"]["completion_tokens"] = tokens
    return answer


# By kind: the turn that fails and what the server says there instead, on the first tries or (None) on every one.
FAULTS = {
    "refused": (0, error(400, "strange request"), None),  # the first request of all is one of these
    "groq": (0, Fault(400, {"error": GROQ | {"failed_generation": "<function=Add{12}"}}), None),
    "groq, no text": (1, Fault(400, {"error": GROQ | {"message": "tool call validation failed: /a"}}), None),
    "ollama": (1, error(500, "error parsing tool call: raw='{12', err=invalid character"), None),
    "gemini": (1, completion(None, "MALFORMED_FUNCTION_CALL"), None),
    "gemini, not offered": (0, completion(None, "UNEXPECTED_TOOL_CALL"), None),
    "thoughts": (1, thoughts(), None),
    "thoughts once": (1, thoughts(), 1),
    "thoughts to the end": (1, thoughts(256), None),
    "cut": (1, completion("Add(a=1", "MAX_TOKENS"), None),
    "broken off once": (1, completion("Add(a=1", "abort"), 1),
    "broken off twice": (0, completion("Add(a=1", "error"), 2),
    "broken off": (1, completion("Add(a=1", "error"), None),
    "unreadable": (1, UNREADABLE, None),
    "refused later": (2, error(422, "strange request"), None),
    "filtered": (1, completion("x", "content_filter"), None),
    "busy": (1, error(429, "slow down"), 2),
    "down": (0, error(503, "down"), 1),
    "sound": (9, None, None),
    "sound too": (9, None, None),
}
MISCALLED = {"groq": 0, "groq, no text": 1, "ollama": 1, "gemini": 1, "gemini, not offered": 0, "thoughts": 1}
CUT = {"thoughts to the end", "cut"}
MISSING = {
    "broken off": "bad_answer",
    "unreadable": "bad_answer",
    **dict.fromkeys(("refused", "refused later", "filtered"), "refused"),
}
TRIES = {"thoughts": 2, "broken off": 1 + RETRIES}  # of the request that fails for ever; 1 of every other
KINDS = tuple(FAULTS)


class Mixed:
    """A server's answers, by the number that stands in the question; it counts each request by what it asks."""

    def __init__(self, form: str):
        self.form = form
        self.mended = False
        self.tries: Counter[str] = Counter()
        self.good: Counter[str] = Counter()  # answers that a run can use
        self.wrong: list[str] = []
        self.probes = 0
        self._lock = threading.Lock()

    def __call__(self, request: dict) -> object:
        question = next(message["content"] for message in request["messages"] if message["role"] == "user")
        key = json.dumps(request, sort_keys=True)
        with self._lock:
            if question == "Say ok.":
                self.probes += 1
                return "ok"
            self.tries[key] += 1
            if fault := self.form == "tools" and what_a_provider_refuses(request):
                self.wrong.append(fault)
            turn = sum(message["role"] == "assistant" for message in request["messages"])
            kind = KINDS[int(re.search(r"\d+", question)[0]) % len(KINDS)]
            at, said, times = FAULTS[kind]
            failed = turn == at and not self.mended and (times is None or self.tries[key] <= times)
            if not failed or kind in CUT or kind in MISCALLED and self.tries[key] == TRIES.get(kind, 1):
                self.good[key] += 1
            if failed:
                return said
            return self.turn(turn - (kind in MISCALLED and turn > at))

    def turn(self, number: int) -> object:
        name, arguments = SCRIPT[number]
        if self.form == "tools":
            return completion(None, "tool_calls", calls=[(f"call{number:05}", name, json.dumps(arguments))])
        return f"{name}({', '.join(f'{key}={json.dumps(value)}' for key, value in arguments.items())})"


@pytest.fixture
def folder(tmp_path, monkeypatch, environment) -> Project:
    """200 questions, one chain each."""
    monkeypatch.chdir(tmp_path)
    rows = (
        {"question": f"Order {number}: 12 pears and 3 plums. How many?", "answer": "15", "task": "math"}
        for number in range(CHAINS)
    )
    Path("orders.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = Project(tmp_path)
    made.edit(
        "  train:\n  - {source: builtin/math, n: 12, seed: 1}\n  - {source: builtin/logic, n: 12, seed: 1}\n",
        "  train:\n  - {source: jsonl, path: orders.jsonl}\n",
    )
    made.edit("samples: 3", "samples: 1")
    made.edit("retries: 2", f"retries: {RETRIES}")
    return made


def rows_by_kind() -> dict[str, list[dict]]:
    rows = {kind: [] for kind in KINDS}
    for line in Path("data/chains.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[KINDS[int(re.search(r"\d+", row["question"])[0]) % len(KINDS)]].append(row)
    return rows


def as_it_should_end(kind: str, row: dict) -> bool:
    failures = [step["failure"] for step in row["steps"]]
    if kind in MISCALLED:
        expected = ["", "", ""]
        expected.insert(MISCALLED[kind], "malformed_call")
        return failures == expected and (row["stop"], row["answer"]) == ("finish", "15")
    if kind in CUT:
        return failures == ["", "malformed_call"] and row["stop"] == "max_tokens"
    return failures == ["", "", ""] and (row["stop"], row["answer"]) == ("finish", "15")


@pytest.mark.parametrize("form", ["text", "tools"])
def test_each_of_200_chains_ends_for_the_right_reason_and_nothing_is_bought_twice(form, folder, capfd):
    folder.edit("wire: text", f"wire: {form}")
    server, each = Mixed(form), CHAINS // len(KINDS)
    with Provider(server) as provider:
        folder.at(provider)
        for run in (1, 2):
            before, probes = server.tries.copy(), server.probes
            with pytest.raises(InputError, match=rf"{5 * each} of {CHAINS} chains are missing: ") as ended:
                folder.run()
            assert f"{2 * each} bad_answer, {3 * each} refused; refused for content or length: " in str(ended.value)
            assert folder.metrics()["missing"].keys() == {"bad_answer", "refused"}
            for kind, rows in rows_by_kind().items():
                assert len(rows) == (0 if kind in MISSING else each)
                assert all(as_it_should_end(kind, row) for row in rows), kind
            assert set(server.good.values()) == {1} and not server.wrong
            asked = server.tries - before
            for_ever = Counter(kind_of(key) for key, count in asked.items() for _ in range(count))
            if run == 1:
                assert asked.total() == CHAINS * 3 + expected_more(each)
                assert server.probes <= 1  # for the first, unless another request was answered before
            else:  # what failed, and no other
                assert for_ever == {kind: each * TRIES.get(kind, 1) for kind in MISSING}
                assert server.probes - probes <= 5
            with capfd.disabled():
                print(
                    f"\n{form}, run {run}: {asked.total()} requests and {server.probes - probes} probes; {ended.value}"
                )
        server.mended, before = True, server.tries.copy()
        folder.run()
        asked = server.tries - before
        assert {kind_of(key) for key in asked} == set(MISSING)
        assert set(asked.values()) == {1} and set(server.good.values()) == {1}
        with capfd.disabled():
            print(f"{form}, mended: {asked.total()} requests, {server.good.total()} answers used, each once")
    assert sum(map(len, rows_by_kind().values())) == CHAINS


def kind_of(key: str) -> str:
    return KINDS[int(re.search(r"Order (\d+)", key)[1]) % len(KINDS)]


def expected_more(each: int) -> int:
    """Requests of the first run beside three a chain."""
    more = 0
    for kind, (at, _, times) in FAULTS.items():
        if kind in MISCALLED:
            more += TRIES.get(kind, 1)  # the failed turn, and the second try after thoughts
        elif kind in CUT or kind in MISSING:
            more += at + TRIES.get(kind, 1) - 3  # what came before, and the request that ends the chain
        else:
            more += times or 0
    return each * more
