"""`python -m stages.teacher.journal`: what it shows is what is there, and no command loses or changes an answer."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from test_journal import buy, known, request, response, shards

from stages.teacher.journal.journal import Journal
from stages.teacher.journal.ledger import Ledger
from stages.teacher.journal.record import request_key

OTHER = {"model": "another/model"}


def run(folder: Path, *arguments: object, status: int = 0) -> str:
    """What a command says, as its user runs it."""
    env = os.environ | {"STEPCALL_JOURNAL": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.teacher.journal", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def answers(place: Path) -> dict[str, dict | None]:
    ledger = Ledger().read_all(place)
    assert ledger.faults == []
    return {key: ledger.get(key) for key in ledger.calls}


@pytest.fixture
def journal(tmp_path) -> Path:
    """Two runs: three calls of one model, then two of another, of which one had been asked before."""
    folder = tmp_path / "journal"
    buy(folder, request("a"), request("b"), request("c"))
    buy(folder, request("d") | OTHER)
    buy(folder, request("a"), answer="Finish(answer=2)")
    return folder


def test_show_says_calls_and_cost_by_model(journal):
    said = run(journal)
    assert said == run(journal, "show")
    assert f"{journal}: 4 calls in 3 shards, 0.0 MB" in said
    assert "1 line replaced by later ones" in said and "cannot be read" not in said
    rows = [line.split() for line in said.splitlines()]
    assert ["another/model", "1", "12", "3", "$0.0010"] in rows
    assert ["some/model", "3", "36", "9", "$0.0030"] in rows


def test_show_writes_nothing_and_where_no_journal_is_it_makes_none(journal, tmp_path):
    before = {path: path.read_bytes() for path in journal.iterdir()}
    for command in ("show", "verify"):
        run(journal, command)
        assert run(tmp_path / "nowhere", command, status=1).startswith(
            f"error: {tmp_path / 'nowhere'}: no journal here"
        )
    assert {path: path.read_bytes() for path in journal.iterdir()} == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", ["show", "verify", "compact", "export", "merge"])
def test_each_command_has_help(command, tmp_path):
    assert f"usage: python -m stages.teacher.journal {command}" in run(tmp_path, command, "--help")
    assert command in run(tmp_path, "--help")


SPOILT = {
    "its key does not fit its request": lambda line: line.replace(b'"content":"b"', b'"content":"x"'),
    "its check does not fit its answer": lambda line: line.replace(b"Finish(answer=1)", b"Finish(answer=7)"),
    "no line of a journal": lambda line: b"[1, 2]\n",
}


@pytest.mark.parametrize("reason", SPOILT)
def test_verify_names_file_and_line_of_what_is_bad_and_compact_drops_it(journal, reason):
    assert "4 calls are whole, 0 lines cannot be read" in run(journal, "verify")
    shard = shards(journal)[0]
    lines = shard.read_bytes().splitlines(keepends=True)
    (number,) = [number for number, line in enumerate(lines) if b'"content":"b"' in line]
    lines[number] = SPOILT[reason](lines[number])
    shard.write_bytes(b"".join(lines))
    said = run(journal, "verify", status=1)
    assert f"{shard}:{number + 1}: {reason}\n" in said and "3 calls are whole, 1 line cannot be read" in said
    assert "1 line that cannot be read; `python -m stages.teacher.journal verify` names them" in run(journal)
    assert "1 replaced line and 1 bad one dropped" in run(journal, "compact")
    assert "3 calls are whole, 0 lines cannot be read" in run(journal, "verify")


def test_verify_names_a_torn_line(journal):
    last = shards(journal)[-1]
    last.write_bytes(last.read_bytes()[:-40])
    assert f"{last}:2: torn, or just being written" in run(journal, "verify", status=1)


def test_a_line_without_its_system_message_is_bad(tmp_path):
    buy(tmp_path, request("a"))
    (shard,) = shards(tmp_path)
    shard.write_bytes(shard.read_bytes().splitlines(keepends=True)[1])
    assert f"{shard}:1: its system message does not stand before it" in run(tmp_path, "verify", status=1)


def test_compact_leaves_one_shard_with_the_same_answers_and_the_same_figures(journal):
    keys = [request_key(request(question)) for question in "abc"]
    with Journal(journal) as opened:
        opened.finish(keys[:2], {})
    buy(journal, request("e"))
    everything = [*keys, request_key(request("d") | OTHER), request_key(request("e"))]
    before = answers(journal)
    assert before[keys[0]] == response("Finish(answer=2)")
    copy = journal.with_name("copy")
    shutil.copytree(journal, copy)
    assert "5 calls in 1 shard" in run(journal, "compact")
    assert answers(journal) == before and len(shards(journal)) == 1
    assert Ledger().read_all(journal).replaced == 0
    assert "nothing to drop" in run(journal, "compact")
    made = []
    for folder in (journal, copy):  # the next version was asked for as many calls, compacted or not
        with Journal(folder) as opened:
            made.append([opened.finish(keys[:2], {}), opened.finish(everything, {})])
    assert made[0] == made[1]
    assert [(one["teacher_calls"], one["journal_hits"]) for one in made[0]] == [(2, 0), (1, 4)]


KILLED = """
import os, signal, sys
from pathlib import Path
from stages.teacher.journal import __main__ as journal_commands
name, after = sys.argv[1], int(sys.argv[2])
real, calls = getattr(os, name), 0
def dying(*arguments, **named):
    global calls
    calls += 1
    if calls == after:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)
setattr(os, name, dying)
sys.argv[1:] = ["compact"]
journal_commands.main()
"""


@pytest.mark.parametrize(
    ("name", "after"), [("fsync", 1), ("replace", 1), ("fsync", 2), ("unlink", 1), ("unlink", 2), ("unlink", 3)]
)
def test_compact_killed_anywhere_loses_nothing(journal, name, after):
    before = answers(journal)
    env = os.environ | {"STEPCALL_JOURNAL": str(journal), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, name, str(after)], env=env)
    assert done.returncode == -9
    assert answers(journal) == before
    assert known(journal, *before) == [True] * len(before)
    run(journal, "compact")
    assert answers(journal) == before and len(shards(journal)) == 1
    assert list(journal.glob(".*.part")) == []


@pytest.mark.parametrize("command", [["compact"], ["merge", "nothing"]])
def test_what_writes_waits_for_the_buyer_and_what_reads_does_not(journal, tmp_path, command):
    (tmp_path / "nothing").mkdir()
    with Journal(journal):
        said = run(journal, *[word if word != "nothing" else tmp_path / word for word in command], status=1)
        assert f"process {os.getpid()} is buying calls through this journal" in said
        assert "4 calls" in run(journal) and "4 calls" in run(journal, "verify")


def test_what_is_exported_merges_into_an_empty_journal_and_is_all_there(journal, tmp_path):
    target, new = tmp_path / "calls.jsonl", tmp_path / "new"
    assert "4 calls" in run(journal, "export", target)
    assert answers(target) == answers(journal)
    assert f"{new}: 4 new calls of {target}; 0 were known" in run(new, "merge", target)
    assert answers(new) == answers(journal)
    assert f"0 new calls of {target}; 4 were known" in run(new, "merge", target)


def test_an_export_is_the_same_bytes_however_the_calls_were_bought(tmp_path):
    asked = [request(f"q{number}", system=f"System {number % 2}.") for number in range(6)]
    buy(tmp_path / "one", *asked)
    for each in reversed(asked):
        buy(tmp_path / "two", each)
    for name in ("one", "two"):
        run(tmp_path / name, "export", tmp_path / f"{name}.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_export_of_one_model_holds_only_its_calls(journal, tmp_path):
    run(journal, "export", tmp_path / "one.jsonl", "--model", "another/model")
    assert list(answers(tmp_path / "one.jsonl")) == [request_key(request("d") | OTHER)]
    said = run(journal, "export", tmp_path / "none.jsonl", "--model", "no/model", status=1)
    assert "no call of no/model; models: another/model, some/model" in said
    assert not (tmp_path / "none.jsonl").exists()


def test_export_overwrites_nothing(journal, tmp_path):
    (tmp_path / "mine.jsonl").write_text("mine")
    for there in (tmp_path, tmp_path / "mine.jsonl"):
        assert "already there; name a new file" in run(journal, "export", there, status=1)
    assert (tmp_path / "mine.jsonl").read_text() == "mine"


def test_merge_keeps_what_is_known_and_says_so(journal, tmp_path):
    buy(tmp_path / "theirs", request("a"), request("new"), answer="theirs")
    said = run(journal, "merge", tmp_path / "theirs")
    assert "1 new call of" in said and "1 were known, 1 of them with another answer here, which stays" in said
    after = answers(journal)
    assert after[request_key(request("a"))] == response("Finish(answer=2)")
    assert after[request_key(request("new"))] == response("theirs")


def test_merged_calls_were_known_before_what_is_bought_here(tmp_path):
    theirs, mine = request("theirs"), request("mine")
    buy(tmp_path / "mine", mine)
    buy(tmp_path / "theirs", theirs)
    run(tmp_path / "mine", "merge", tmp_path / "theirs")
    run(tmp_path / "mine", "compact")
    with Journal(tmp_path / "mine") as journal:
        made = journal.finish([request_key(theirs), request_key(mine)], {})
    assert (made["teacher_calls"], made["journal_hits"]) == (1, 1)


def test_merge_names_each_line_it_cannot_read_and_takes_the_rest(journal, tmp_path):
    buy(tmp_path / "theirs", request("x"), request("y"))
    (shard,) = shards(tmp_path / "theirs")
    shard.write_bytes(shard.read_bytes().replace(b'"content":"x"', b'"content":"z"') + b'{"version":[]}\n\x1b[31m')
    said = run(journal, "merge", tmp_path / "theirs", status=1)
    assert "1 new call of" in said and "3 lines cannot be read and were left out" in said
    reasons = re.findall(rf"{re.escape(str(shard))}:(\d): (.*)", said)
    assert [number for number, _ in reasons] == ["2", "4", "5"]
    assert reasons[0][1] == "its key does not fit its request" and reasons[2][1].startswith("torn")
    assert shard.read_bytes().endswith(b"\x1b[31m")  # theirs is as it was
    assert len(answers(journal)) == 5


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANY_JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
NAMES = ("check", "key", "request", "response", "system", "text", "version", "teacher_calls", "journal_hits")
LIKE_A_LINE = st.dictionaries(st.sampled_from(NAMES), ANY_JSON)


@examples(300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.binary() | (ANY_JSON | LIKE_A_LINE).map(lambda value: json.dumps(value).encode()), min_size=1))
def test_whatever_a_file_holds_each_line_is_read_or_named(tmp_path, lines):
    content = b"\n".join(lines) + b"\n"
    (tmp_path / "any.jsonl").write_bytes(content)
    ledger = Ledger().read_all(tmp_path / "any.jsonl")
    assert ledger.calls == {}
    named = {fault.number for fault in ledger.faults}
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        assert number in named or json.loads(line).keys() in ({"system", "text"}, {*NAMES[6:]})


def test_lines_that_would_break_a_reader_are_named(tmp_path):
    lines = [b"[" * 100_000, b'{"key":' * 50_000, b'{"version":NaN}', b"9" * 10_000, b"\xff\xfe", b"null", b'"key"']
    (tmp_path / "hostile.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    ledger = Ledger().read_all(tmp_path / "hostile.jsonl")
    assert [fault.reason for fault in ledger.faults] == ["no line of a journal"] * len(lines)


def test_a_snapshot_merges_too(journal, tmp_path):
    with Journal(journal) as opened:
        opened.snapshot(tmp_path / "calls", {"all.jsonl": list(opened.calls)})
    assert "4 new calls" in run(tmp_path / "new", "merge", tmp_path / "calls")
    assert answers(tmp_path / "new") == answers(journal)
    assert "no such file or folder" in run(journal, "merge", tmp_path / "nowhere", status=1)


def test_totals_count_a_call_once(journal):
    ledger = Ledger().read_all(journal)
    key = request_key(request("b"))
    assert ledger.totals([key, key])["some/model"] == {
        "calls": 1,
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "cost_usd": 0.001,
    }
    assert json.dumps(ledger.totals([])) == "{}"
