"""The journal: nothing that was answered is lost or asked again, whatever happens to the process or the file."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages import journal as journal_module
from stages.journal import SYSTEMS, Journal, JournalError, journal_folder
from stages.record import request_key


def request(question: str, sample: int = 0, system: str = "Solve it.", **sampling: object) -> dict:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return {"messages": messages, "model": "some/model", "sample": sample, "sampling": sampling, "tools": None}


def response(text: str) -> dict:
    return {"text": text, "prompt_tokens": 12, "completion_tokens": 3, "cost_usd": 0.001, "cut": False}


def buy(folder: Path, *requests: dict, answer: str = "Finish(answer=1)") -> list[str]:
    """Put answers to these requests into the journal, all at once; their keys."""

    async def append_all(journal: Journal) -> None:
        await asyncio.gather(*(journal.append(asked, request_key(asked), response(answer)) for asked in requests))

    with Journal(folder) as journal:
        asyncio.run(append_all(journal))
    return [request_key(asked) for asked in requests]


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def known(folder: Path, *keys: str) -> list[bool]:
    with Journal(folder) as journal:
        return [journal.get(key) is not None for key in keys]


messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": st.text()}), min_size=1
)


values = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(messages, st.dictionaries(st.text(), values))
def test_a_key_is_the_hash_of_the_whole_request_in_canonical_json(messages, sampling):
    asked = {"model": "m", "messages": messages, "sampling": sampling, "tools": None, "sample": 2}
    plain = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert request_key(asked) == hashlib.sha256(plain.encode()).hexdigest()


@pytest.mark.parametrize("part", ["model", "sample", "tools", "sampling", "messages"])
def test_each_part_of_a_request_is_part_of_its_key(part):
    other = request("b", 1, top_p=0.5) | {"model": "another/model", "tools": []}
    assert request_key(request("a")) != request_key(request("a") | {part: other[part]})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(question=st.text(st.characters(), min_size=1), system=st.text(st.characters()), answer=st.text(st.characters()))
def test_any_text_comes_back_as_it_was(tmp_path, question, system, answer):
    shutil.rmtree(tmp_path / "j", ignore_errors=True)
    (key,) = buy(tmp_path / "j", request(question, system=system), answer=answer)
    with Journal(tmp_path / "j") as journal:
        assert journal.get(key) == response(answer)
        assert journal.dropped == 0


def test_half_a_surrogate_pair_comes_back_as_it_was(tmp_path):
    (key,) = buy(tmp_path, request("\ud83d"), answer="\ude00")
    with Journal(tmp_path) as journal:
        assert journal.get(key) == response("\ude00")


def test_a_system_message_is_stored_once_a_shard(tmp_path):
    buy(tmp_path, *(request(f"q{number}", system="A long system message.") for number in range(20)))
    buy(tmp_path, request("later", system="A long system message."))
    assert [path.read_text().count("A long system message.") for path in shards(tmp_path)] == [1, 1]


def test_a_journal_torn_at_any_byte_of_its_last_record_loses_only_that(tmp_path):
    first, second, last = buy(tmp_path / "whole", request("a"), request("b"), request("c"))
    (shard,) = shards(tmp_path / "whole")
    content = shard.read_bytes()
    start = content.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(content)):
        torn = tmp_path / f"torn-{end}"
        torn.mkdir()
        (torn / shard.name).write_bytes(content[:end])
        whole = end == len(content) - 1  # only the line's end is missing
        assert known(torn, first, second, last) == [True, True, whole]
        assert (torn / shard.name).read_bytes() == (content if whole else content[:start])  # healed
        buy(torn, request("c"))
        with Journal(torn) as journal:
            assert journal.dropped == 0
            journal.snapshot(torn / "calls", {"all.jsonl": [first, second, last]})
        assert [json.loads(line)["key"] for line in open(torn / "calls" / "all.jsonl")] == sorted([first, second, last])


KILLED_IN_MID_WRITE = """
import asyncio, os, signal, sys
from stages import journal
from stages.record import request_key
from test_journal import request, response
write, share = os.write, float(sys.argv[2])
def half(descriptor, content):
    write(descriptor, content[: int(len(content) * share)])
    os.kill(os.getpid(), signal.SIGKILL)
async def work(opened):
    for number in range(4):
        if number == 3:
            os.write = half
        asked = request(f"{number}")
        await opened.append(asked, request_key(asked), response("Finish(answer=1)"))
with journal.Journal(sys.argv[1]) as opened:
    asyncio.run(work(opened))
"""


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_killed_in_mid_write_it_keeps_what_was_reported(tmp_path, share):
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", KILLED_IN_MID_WRITE, str(tmp_path), str(share)], env=env)
    assert done.returncode == -9
    keys = [request_key(request(str(number))) for number in range(4)]
    assert known(tmp_path, *keys) == [True, True, True, share == 1.0]
    buy(tmp_path, request("3"))
    with Journal(tmp_path) as journal:
        assert journal.dropped == 0 and len(journal) == 4


def test_a_journal_is_read_with_grep_and_any_reader_of_json(tmp_path):
    (key, *_) = buy(tmp_path, request("Wie viele Bücher?", system="Löse es."), request("How many books?"))
    (shard,) = shards(tmp_path)
    lines = subprocess.run(["grep", "-h", "Bücher", str(shard)], capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == 1
    call = json.loads(lines[0])
    assert call["key"] == key and call["response"] == response("Finish(answer=1)")
    assert call["request"]["messages"] == [{"role": "user", "content": "Wie viele Bücher?"}]
    assert call["request"]["model"] == "some/model" and call["request"]["sample"] == 0
    found = subprocess.run(["grep", "-c", f'"system":"{call["request"]["system"]}","text":"Löse es."', str(shard)])
    assert found.returncode == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(place=st.integers(0, 10**6), byte=st.binary(min_size=1, max_size=1))
def test_a_changed_byte_never_changes_an_answer(tmp_path, place, byte):
    if not (tmp_path / "whole").exists():
        buy(tmp_path / "whole", request("a"), request("b"), answer="Add(a=1, b=2)")
    (shard,) = shards(tmp_path / "whole")
    content = bytearray(shard.read_bytes())
    content[place % len(content)] = byte[0]
    shutil.rmtree(tmp_path / "changed", ignore_errors=True)
    (tmp_path / "changed").mkdir()
    (tmp_path / "changed" / shard.name).write_bytes(content)
    with Journal(tmp_path / "changed") as journal:
        for question in "ab":
            assert journal.get(request_key(request(question))) in (None, response("Add(a=1, b=2)"))


def test_a_record_whose_key_does_not_fit_its_request_is_dropped(tmp_path):
    key, other = buy(tmp_path, request("a"), request("b"))
    (shard,) = shards(tmp_path)
    shard.write_text(shard.read_text().replace('"content":"a"', '"content":"c"'))
    with Journal(tmp_path) as journal:
        assert journal.get(key) is None and journal.get(request_key(request("c"))) is None
        assert journal.get(other) is not None
        assert journal.dropped == 1


HOLD = """
import sys, time
from stages.journal import Journal
with Journal(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_buyer_is_refused_by_the_name_of_the_first_and_served_after_its_death(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalError, match=f"process {holder.pid} is buying calls.*kill {holder.pid}"):
            Journal(tmp_path).__enter__()
    finally:
        holder.kill()
        holder.communicate()
    assert known(tmp_path, "no such key") == [False]


def test_an_answer_is_on_disk_before_it_is_reported_and_many_share_one_sync(tmp_path, monkeypatch):
    synced = []  # the size of the shard at each sync
    sync = os.fsync

    def watched(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(journal_module.os, "fsync", watched)

    async def worker(journal: Journal, name: int) -> None:
        for turn in range(20):
            asked = request(f"{name} {turn}")
            await journal.append(asked, request_key(asked), response("x"))
            (shard,) = shards(tmp_path)
            content = shard.read_bytes()[: max(synced)]
            assert request_key(asked).encode() in content

    async def work(journal: Journal) -> None:
        await asyncio.gather(*(worker(journal, name) for name in range(40)))

    with Journal(tmp_path) as journal:
        asyncio.run(work(journal))
        assert len(journal) == 800
    assert len(synced) < 100


def test_answers_that_came_while_the_run_was_cancelled_are_kept(tmp_path, monkeypatch):
    one, two = request("on its way to disk"), request("behind it")
    reached, released = threading.Event(), threading.Event()
    sync = os.fsync

    def slow(descriptor: int) -> None:
        reached.set()
        released.wait()
        sync(descriptor)

    async def cancelled(journal: Journal) -> None:
        first = asyncio.create_task(journal.append(one, request_key(one), response("paid")))
        while not reached.is_set():
            await asyncio.sleep(0.001)
        second = asyncio.create_task(journal.append(two, request_key(two), response("paid")))
        await asyncio.sleep(0)
        for appending in (first, second):
            appending.cancel()

    with Journal(tmp_path) as journal:
        monkeypatch.setattr(journal_module.os, "fsync", slow)
        threading.Timer(0.2, released.set).start()
        asyncio.run(cancelled(journal))
    assert known(tmp_path, request_key(one), request_key(two)) == [True, True]


FULL_DISK = """
import asyncio, resource, sys
from stages.journal import Journal, JournalError
from stages.record import request_key
from test_journal import request, response
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
async def work(journal):
    for number in range(200):
        asked = request(f"{number}")
        await journal.append(asked, request_key(asked), response("x" * 300))
        print(number, flush=True)
with Journal(sys.argv[1]) as journal:
    try:
        asyncio.run(work(journal))
    except JournalError as error:
        sys.exit(f"refused: {error}")
"""


def test_a_full_disk_is_one_error_and_keeps_what_was_reported(tmp_path):
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    reported = [int(line) for line in done.stdout.split()]
    assert 5 < len(reported) < 100
    said = f"refused: {tmp_path}: not written: File too large; make room, and run again: it goes on"
    assert done.stderr.strip() == said
    assert shards(tmp_path)[0].read_bytes().endswith(b"}\n")  # no half line, which a later one would be glued to
    keys = [request_key(request(str(number))) for number in range(len(reported) + 1)]
    assert known(tmp_path, *keys) == [True] * len(reported) + [False]
    with Journal(tmp_path) as journal:
        assert journal.dropped == 0


def test_a_snapshot_holds_exactly_its_calls_whatever_the_order_they_were_bought_in(tmp_path):
    asked = [request(f"q{number}", sample) for number in range(10) for sample in range(2)]
    buy(tmp_path / "one", *asked, request("of another version"))
    for each in reversed(asked):
        buy(tmp_path / "two", each)
    keys = {sample: [request_key(each) for each in asked if each["sample"] == sample] for sample in (0, 1)}
    files = {f"block-{sample}.jsonl": keys[sample] for sample in keys}
    for name in ("one", "two"):
        with Journal(tmp_path / name) as journal:
            journal.snapshot(tmp_path / f"{name}-calls", files)
    assert read(tmp_path / "one-calls") == read(tmp_path / "two-calls")
    assert set(read(tmp_path / "one-calls")) == {*files, SYSTEMS}
    lines = (tmp_path / "one-calls" / "block-0.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == sorted(files["block-0.jsonl"])


def test_a_new_snapshot_deletes_strays_and_leaves_equal_files_alone(tmp_path):
    first, second = buy(tmp_path / "j", request("a"), request("b"))
    with Journal(tmp_path / "j") as journal:
        journal.snapshot(tmp_path / "calls", {"a.jsonl": [first], "b.jsonl": [second]})
        before = {path.name: path.stat().st_ino for path in (tmp_path / "calls").iterdir()}
        journal.snapshot(tmp_path / "calls", {"a.jsonl": [first], "c.jsonl": [second]})
    after = {path.name: path.stat().st_ino for path in (tmp_path / "calls").iterdir()}
    assert set(after) == {"a.jsonl", "c.jsonl", SYSTEMS}
    assert after["a.jsonl"] == before["a.jsonl"] and after[SYSTEMS] == before[SYSTEMS]


def test_a_snapshot_seeds_another_journal_for_good(tmp_path):
    keys = buy(tmp_path / "one", request("a"), request("b", system="Another."))
    with Journal(tmp_path / "one") as journal:
        journal.snapshot(tmp_path / "calls", {"all.jsonl": keys})
    with Journal(tmp_path / "two") as journal:
        journal.seed(tmp_path / "calls")
        assert [journal.get(key) for key in keys] == [response("Finish(answer=1)")] * 2
        journal.snapshot(tmp_path / "calls-again", {"all.jsonl": keys})
    assert read(tmp_path / "calls") == read(tmp_path / "calls-again")
    assert known(tmp_path / "two", *keys) == [True, True]


def test_the_answer_of_the_version_checked_out_holds_against_the_journals_own(tmp_path):
    keys = buy(tmp_path / "one", request("a"), answer="theirs")
    buy(tmp_path / "two", request("a"), answer="mine")
    with Journal(tmp_path / "one") as journal:
        journal.snapshot(tmp_path / "calls", {"all.jsonl": keys})
    for _ in range(2):
        with Journal(tmp_path / "two") as journal:
            journal.seed(tmp_path / "calls")
            assert journal.get(keys[0]) == response("theirs")
    assert len(shards(tmp_path / "two")) == 2  # taken over once


def test_nothing_is_seeded_from_a_folder_that_is_not_there(tmp_path):
    with Journal(tmp_path / "j") as journal:
        journal.seed(tmp_path / "calls")
        assert len(journal) == 0


def counts(folder: Path, keys: list[str], recorded: dict | None = None) -> tuple[int, int]:
    with Journal(folder) as journal:
        journal.seed(folder / "calls")
        made = journal.finish(keys, recorded or {})
        journal.snapshot(folder / "calls", {"all.jsonl": keys})
    return made["teacher_calls"], made["journal_hits"]


def test_a_version_says_for_ever_what_it_cost_when_it_was_first_made(tmp_path):
    small = buy(tmp_path, request("a"), request("b"))
    assert counts(tmp_path, small) == (2, 0)
    assert counts(tmp_path, small) == (2, 0)  # a forced run
    large = small + buy(tmp_path, request("a", 1))
    large += buy(tmp_path, request("b", 1))  # the run before was killed here, and this is the second try
    assert counts(tmp_path, large) == (2, 2)
    assert counts(tmp_path, small) == (2, 0)  # the way back
    assert counts(tmp_path, large) == (2, 2)


def test_what_another_machine_recorded_of_the_same_version_holds(tmp_path):
    keys = buy(tmp_path, request("a"), request("b"))
    with Journal(tmp_path) as journal:
        version = journal.finish(keys, {})["version"]
    assert counts(tmp_path, keys, {"version": version, "teacher_calls": 1, "journal_hits": 1}) == (1, 1)
    assert counts(tmp_path, keys) == (1, 1)
    assert counts(tmp_path, keys[:1], {"version": version, "teacher_calls": 7, "journal_hits": 7}) == (0, 1)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_worktrees_and_temporary_experiments_share_the_journal_of_the_main_checkout(tmp_path, monkeypatch):
    monkeypatch.delenv("STEPCALL_JOURNAL", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init", "-q")
    git(main, "commit", "-q", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "-q", str(tmp_path / "tree"))
    (main / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    for folder in (main, tmp_path / "tree", main / "inside"):
        monkeypatch.chdir(folder)
        assert journal_folder() == main / ".journal"
    monkeypatch.chdir(tmp_path / "outside")
    assert journal_folder() == tmp_path / "outside" / ".journal"
    monkeypatch.setenv("DVC_ROOT", str(main))
    assert journal_folder() == main / ".journal"
    monkeypatch.setenv("STEPCALL_JOURNAL", str(tmp_path / "mine"))
    assert journal_folder() == tmp_path / "mine"


def test_git_never_takes_the_journal(tmp_path):
    git(tmp_path, "init", "-q")
    buy(tmp_path / ".journal", request("a"))
    command = ["git", "-C", str(tmp_path), "status", "--short"]
    status = subprocess.run(command, capture_output=True, text=True, check=True)
    assert status.stdout == ""
