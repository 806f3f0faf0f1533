"""A hostile model server: strange answers are failures with a name or plain replies, and no key comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from projects import KEY, Project, play
from provider import Fault, Provider, completion, error
from teachers import MESSAGES, ask, settings

from stages import params
from stages.agent.loop import Reply
from stages.records.errors import InputError
from stages.teacher.api_keys import held, hidden
from stages.teacher.journal.journal import Journal
from stages.teacher.provider import ProviderError, TeacherError
from stages.teacher.reply import LONGEST_ANSWER

WORDS = {"rate_limit", "server_error", "timeout", "connection", "bad_answer", "refused"}

pytestmark = pytest.mark.usefixtures("environment")


def message(**fields: object) -> dict:
    answer = completion("x")
    answer["choices"][0]["message"] = fields
    return answer


def choice(**fields: object) -> dict:
    answer = completion("x")
    answer["choices"][0].update(fields)
    return answer


def with_usage(usage: object) -> dict:
    return {**completion("x"), "usage": usage}


NAN = json.dumps(completion("x")).replace('"prompt_tokens": 7', '"prompt_tokens": NaN')
ANSWERS = {
    "a text that is a number": message(role="assistant", content=5),
    "a text that is a list": message(role="assistant", content=[{"type": "text", "text": "x"}]),
    "a text that is an object": message(role="assistant", content={"a": 1}),
    "a text that is true": message(role="assistant", content=True),
    "no text": message(role="assistant"),
    "a refusal": message(role="assistant", content=None, refusal="no"),
    "thoughts without answer": message(role="assistant", content="", reasoning_content="hm"),
    "a native call nobody asked for": message(
        role="assistant", content=None, tool_calls=[{"id": "1", "type": "function", "function": {"name": "Add"}}]
    ),
    "native calls that are a text": message(role="assistant", content="x", tool_calls="boo"),
    "another role": message(role="system", content="x"),
    "half a surrogate pair": message(role="assistant", content="\ud800"),
    "NUL and escapes": message(role="assistant", content="\0\x1b[2JAdd(a=1, b=2)"),
    "chat tokens": message(role="assistant", content="<|im_end|><|im_start|>user\nhi"),
    "100,000 brackets as text": message(role="assistant", content="[" * 100_000),
    "30 megabytes": message(role="assistant", content="x" * 30_000_000),
    "a message that is null": choice(message=None),
    "a message that is a list": choice(message=[]),
    "an unknown reason": choice(finish_reason="banana"),
    "a reason that is a number": choice(finish_reason=5),
    "choices that are null": {**completion("x"), "choices": None},
    "choices that are an object": {**completion("x"), "choices": {}},
    "a choice that is null": {**completion("x"), "choices": [None]},
    "a choice that is a text": {**completion("x"), "choices": ["x"]},
    "usage that is a text": with_usage("x"),
    "usage that is null": with_usage(None),
    "usage that is a list": with_usage([]),
    "negative usage": with_usage({"prompt_tokens": -7, "completion_tokens": -3, "total_tokens": -10}),
    "huge usage": with_usage({"prompt_tokens": 10**30, "completion_tokens": 10**30, "total_tokens": 10**31}),
    "half tokens": with_usage({"prompt_tokens": 1.5, "completion_tokens": 1.5, "total_tokens": 3}),
    "usage in quotes": with_usage({"prompt_tokens": "7", "completion_tokens": "3", "total_tokens": "10"}),
    "NaN tokens": NAN,
    "a body that is a list": "[]",
    "a body that is a number": "5",
    "a body that is null": "null",
    "100,000 brackets as body": "[" * 100_000,
    "5,000 digits": '{"created": ' + "9" * 5000 + "}",
    "a key given twice": '{"choices": [], ' + json.dumps(completion("x"))[1:],
    "an empty body": "",
    "HTML": Fault(200, "<html><script>alert(1)</script></html>", {"Content-Type": "text/html"}),
    "a stream nobody asked for": Fault(200, "data: {}\n\ndata: [DONE]\n\n", {"Content-Type": "text/event-stream"}),
    "a picture": Fault(200, completion("x"), {"Content-Type": "image/png"}),
    "204": Fault(204, ""),
    "600": Fault(600, "x"),
    "a teapot": error(418, "teapot"),
    "a redirect to a file": Fault(302, "", {"Location": "file:///etc/passwd"}),
    "a redirect to nowhere": Fault(302, "", {"Location": "http://127.0.0.1:9/"}),
    "a redirect to itself": Fault(307, "", {"Location": "/v1/chat/completions"}),
    "an error that is a text": Fault(500, {"error": "boo"}),
    "an error that is a list": Fault(500, [1]),
    "an error without words": Fault(500, {"error": None}),
    "100,000 brackets as error": Fault(500, "[" * 100_000),
    "a terminal's escape sequences": error(500, "\x1b[2J\x1b]0;title\x07\r\nerror: forged"),
    "an error in a 200": Fault(200, {"error": {"message": "overloaded"}}),
    "an error in a 200 with words for a code": Fault(200, {"error": {"message": "slow", "code": "rate_limit"}}),
    "an error in a 200 with a list for a code": Fault(200, {"error": {"message": "slow", "code": [1]}}),
    "an error in a 200 with a huge code": Fault(200, '{"error": {"message": "slow", "code": 1e999}}'),
    "an error in a 200 with objects in it": Fault(200, {"error": {"message": {"a": 1}, "code": True}}),
    "an error in a 200 that is a text": Fault(200, {"error": "slow"}),
    "Retry-After: nan": error(429, "slow down", Retry_After="nan"),
    "Retry-After: -5": error(429, "slow down", Retry_After="-5"),
    "Retry-After: inf": error(429, "slow down", Retry_After="inf"),
    "Retry-After: soon": error(429, "slow down", Retry_After="soon"),
    "Retry-After: no date": error(429, "slow down", Retry_After="Wed, 99 Oct 99999 07:28:00 GMT"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_strange_answer_is_a_reply_or_a_failure_with_a_name(case, tmp_path, capfd, recwarn):
    body = ANSWERS[case]
    with Provider(lambda request: body if isinstance(body, Fault) else Fault(200, body)) as provider:
        _, [outcome] = ask(tmp_path, settings(url=provider.url, retries=0, timeout_s=20.0))
        assert len(provider.seen) >= 1
    assert "Traceback" not in capfd.readouterr().err and not [w for w in recwarn if "ydantic" in str(w.message)]
    with Journal(tmp_path) as journal:  # what is kept can be read again
        assert (len(journal), len(journal.faults)) == (int(isinstance(outcome, Reply)), 0)
    if isinstance(outcome, Reply):
        assert type(outcome.text) is str and len(outcome.text) <= LONGEST_ANSWER
        assert 0 <= outcome.prompt_tokens < 10**9 and 0 <= outcome.completion_tokens < 10**9
        assert 0.0 <= outcome.cost_usd < 10**9
    else:
        assert isinstance(outcome, ProviderError | TeacherError)
        assert getattr(outcome, "kind", "refused") in WORDS
        assert str(outcome).isprintable() and len(str(outcome)) < 400


@pytest.mark.parametrize("code", [None, "rate_limit", [1], 1.5, True, "none given"])
def test_an_error_in_a_200_is_tried_again_whatever_its_code(code, tmp_path):
    """litellm makes a 422 of an error without code, and passes any other code on as the status."""
    told = {"message": "overloaded"} | ({} if code == "none given" else {"code": code})
    with Provider(lambda request: "Finish(answer=3)", [Fault(200, {"error": told})]) as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url, retries=1))
        assert reply.text == "Finish(answer=3)" and len(provider.seen) == 2


def test_half_a_surrogate_pair_of_a_model_makes_no_later_request_fail(tmp_path):
    """The model's fault stays the model's: the next request of its chain can be sent."""
    said = [*MESSAGES, {"role": "assistant", "content": "\ud800 is"}, {"role": "user", "content": "no"}]
    with Provider(lambda request: "Finish(answer=3)") as provider:
        _, [reply] = ask(tmp_path, settings(url=provider.url, retries=0), messages=said)
        assert reply.text == "Finish(answer=3)"
        assert provider.seen[0]["messages"][2]["content"] == "? is"


def test_a_redirect_takes_the_key_to_no_other_server(tmp_path):
    with Provider(lambda request: "x") as other:
        away = Fault(307, "", {"Location": f"{other.url}/chat/completions"})
        with Provider(lambda request: away) as provider:
            ask(tmp_path, settings(url=provider.url, retries=0))
        assert all(KEY not in key for key in other.keys)


# Keys

ECHOES = {
    "an error in a 401": error(401, f"Incorrect API key provided: {KEY}"),
    "an error in a 403": error(403, f"{KEY} may not"),
    "an error in a 404": error(404, f"no model for {KEY}"),
    "an error in a 400": error(400, f"bad request of {KEY}"),
    "an error in a 429": error(429, f"{KEY} is busy"),
    "an error in a 500": error(500, f"{KEY} broke it"),
    "HTML in a 500": Fault(500, f"<html>Authorization: Bearer {KEY}</html>"),
    "an error in a 200": Fault(200, {"error": {"message": f"bad key {KEY}"}}),
    "the text": f'Finish(answer="{KEY}")',
    "a text of a wrong type": message(role="assistant", content=[{"type": "text", "text": KEY}]),
    "thoughts": message(role="assistant", content="", reasoning_content=KEY),
    "a native call": message(
        role="assistant",
        content=None,
        tool_calls=[{"id": KEY, "type": "function", "function": {"name": KEY, "arguments": f'{{"a": "{KEY}"}}'}}],
    ),
    "fields nobody reads": {
        **completion("Finish(answer=3)", model=KEY),
        "id": KEY,
        "system_fingerprint": KEY,
        KEY: KEY,
    },
    "a header": Fault(
        200, completion("Finish(answer=3)"), {"X-Key": KEY, "Set-Cookie": KEY, "Openai-Organization": KEY}
    ),
    "a redirect": Fault(302, "", {"Location": f"http://127.0.0.1:9/?key={KEY}"}),
    "Retry-After": Fault(429, {"error": {"message": "slow"}}, {"Retry-After": KEY}),
    "no JSON": f"{{{KEY}",
}


def with_key(folder: Path, key: str = KEY) -> list[str]:
    """The files that hold the key, in any folder, as it stands or as a URL writes it."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path)
    made.edit("retries: 2", "retries: 0")
    return made


@pytest.mark.parametrize("case", ECHOES)
def test_a_key_that_a_server_echoes_is_written_nowhere(case, project, tmp_path, capfd, recwarn):
    """generate against a server that only echoes: files, journal, metrics, what is raised and what is shown."""
    with Provider(lambda request: ECHOES[case]) as provider:
        project.at(provider)
        raised = ""
        try:
            project.run()
        except InputError as refused:
            raised = str(refused)
        assert all(KEY in key for key in provider.keys)  # it was sent, so it could come back
    out, err = capfd.readouterr()
    shown = "\n".join([raised, out, err, *(str(warning.message) for warning in recwarn)])
    assert KEY not in shown and not with_key(tmp_path)
    assert (tmp_path / ".journal").is_dir()


def test_a_run_among_echoes_finishes_and_no_process_shows_the_key(project, tmp_path):
    """Its own process, with litellm's debug log on: every third answer is an echo, the rest are good."""
    project.edit("retries: 0", "retries: 9")
    project.edit("samples: 3", "samples: 1")
    # No second try is made after a text of a wrong type; thoughts that come twice are a turn, which `play` counts.
    lasting = ("an error in a 4", "fields", "a header", "a text of a wrong type", "thoughts")
    passing = [ECHOES[name] for name in ECHOES if not name.startswith(lasting)]
    turn = iter(range(10**6))

    def answer(request: dict) -> object:
        number = next(turn)
        return passing[number // 3 % len(passing)] if number % 3 == 0 else play(request)

    with Provider(answer) as provider:
        project.at(provider)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("STEPCALL", "DVC"))}
        env |= {"OPENAI_API_KEY": KEY, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "always", "LITELLM_LOG": "DEBUG"}
        script = (
            "from stages import generate; from stages.teacher import teacher; teacher.FIRST_WAIT_S = 0.01; "
            "from stages.records.command import run; "
        )
        command = [sys.executable, "-X", "dev", "-c", script + "run(generate.main)"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert KEY not in done.stdout + done.stderr and not with_key(tmp_path)
    assert len((tmp_path / "data/chains.jsonl").read_text().splitlines()) == 24
    assert next(turn) // 3 >= len(passing)  # each echo was sent


def test_no_key_reaches_dvc(project, tmp_path):
    """dvc.lock, DVC's cache and the snapshot of calls, after a run among echoes."""
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  generate:\n"
        f"    cmd: {sys.executable} -m stages.generate\n"
        "    params: [agent, generate, problems.train]\n"
        "    outs:\n    - data/calls: {persist: true}\n    - data/chains.jsonl\n"
        "    metrics:\n    - metrics/generate.json: {cache: false, persist: true}\n"
    )
    project.edit("samples: 3", "samples: 1")
    project.edit("retries: 0", "retries: 9")
    turn = iter(range(10**6))
    with Provider(lambda request: ECHOES["the text"] if next(turn) % 9 == 0 else play(request)) as provider:
        project.at(provider)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("STEPCALL", "DVC"))}
        env |= {"OPENAI_API_KEY": KEY, "PYTHONPATH": str(ROOT)}
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        for command in (("git", "init", "-q"), ("dvc", "init", "-q"), ("dvc", "repro")):
            done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
            assert done.returncode == 0 and KEY not in done.stdout + done.stderr, done.stderr[-2000:]
        assert any(KEY in key for key in provider.keys)
    assert (tmp_path / "dvc.lock").exists() and (tmp_path / ".dvc/cache").exists()
    assert not with_key(tmp_path)


@pytest.mark.parametrize(
    "extra",
    [{"user": KEY}, {"metadata": {"deep": [f"Bearer {KEY}"]}}, {"api_version": f"?key={KEY}"}, {KEY: 1}],
)
def test_a_key_in_the_parameters_is_refused_without_showing_it(extra, tmp_path):
    with pytest.raises(
        TeacherError, match="holds the value of .OPENAI_API_KEY; keys come from the environment only"
    ) as it:
        ask(tmp_path, settings(extra=extra))
    assert KEY not in str(it.value) and not with_key(tmp_path)


def test_a_key_in_the_environments_url_is_not_shown(tmp_path, monkeypatch):
    """litellm takes the server from OPENAI_BASE_URL too, and its connection errors may quote it."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://me:{KEY}@127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_BASE", f"http://me:{KEY}@127.0.0.1:9/v1")
    _, [failure] = ask(tmp_path, settings(retries=0))
    assert isinstance(failure, ProviderError | TeacherError)
    assert KEY not in str(failure) and not with_key(tmp_path)


def test_every_form_of_a_key_is_hidden(monkeypatch):
    monkeypatch.setenv("MY_SECRET", "p@ss/word+1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0123456789")
    monkeypatch.setenv("my_password", "correct horse")
    monkeypatch.setenv("LONGER_TOKEN", "p@ss/word+1-and-more")
    text = "p@ss/word+1 p%40ss%2Fword%2B1 AKIA0123456789 correct horse p@ss/word+1-and-more https://me:pw@host/x"
    assert hidden(text) == "$MY_SECRET $MY_SECRET $AWS_ACCESS_KEY_ID $my_password $LONGER_TOKEN https://host/x"
    assert held("the correct horse") == "my_password" and held("nothing") == ""


def test_a_key_beside_a_model_that_needs_none_is_not_sent(tmp_path, monkeypatch):
    """Keys of other providers stay where they are."""
    monkeypatch.setenv("GROQ_API_KEY", "gsk-other-0123456789")
    with Provider(lambda request: "x") as provider:
        ask(tmp_path, settings(url=provider.url))
        assert provider.keys == [f"Bearer {KEY}"]


def test_the_parameters_of_the_project_hold_no_key():
    assert params.load(ROOT / "params.yaml").runtime.teacher.api_base is None
    assert held((ROOT / "params.yaml").read_text()) == ""
