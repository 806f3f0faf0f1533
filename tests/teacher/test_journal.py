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
from conftest import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from stages.teacher.journal import journal as journal_module
from stages.teacher.journal.journal import Journal, JournalError
from stages.teacher.journal.record import request_key


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


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.text(st.characters(), min_size=1), system=st.text(st.characters()), answer=st.text(st.characters()))
def test_any_text_comes_back_as_it_was(tmp_path, question, system, answer):
    shutil.rmtree(tmp_path / "j", ignore_errors=True)
    (key,) = buy(tmp_path / "j", request(question, system=system), answer=answer)
    with Journal(tmp_path / "j") as journal:
        assert journal.get(key) == response(answer)
        assert len(journal.faults) == 0


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
            assert len(journal.faults) == 0
            journal.snapshot(torn / "calls", {"all.jsonl": [first, second, last]})
        assert [json.loads(line)["key"] for line in open(torn / "calls" / "all.jsonl")] == sorted([first, second, last])


KILLED_IN_MID_WRITE = """
import asyncio, os, signal, sys
from stages.teacher.journal import journal
from stages.teacher.journal.record import request_key
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
        assert len(journal.faults) == 0 and len(journal) == 4


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


@examples(300, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        assert len(journal.faults) == 1


HOLD = """
import sys, time
from stages.teacher.journal.journal import Journal
with Journal(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


FULL = """
import resource, sys
from stages.teacher.journal.journal import Journal
from stages.records.command import run
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)  # the kernel takes no more of a file
run(lambda: Journal(sys.argv[1]).__enter__())
"""


def test_a_disk_that_is_full_before_the_first_call_is_named(tmp_path):
    for size, name, reason in (("0", ".gitignore", "File too large"), ("2", "lock", "No space left on device")):
        command = [sys.executable, "-c", FULL, str(tmp_path / "journal"), size]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=Path.cwd())
        assert ended.returncode == 1 and ended.stderr.count("\n") == 1
        assert ended.stderr.startswith(f"error: {tmp_path}/journal/{name}: ") and reason in ended.stderr
    assert (tmp_path / "journal/.gitignore").read_text() == "*\n"


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
from stages.teacher.journal.journal import Journal, JournalError
from stages.teacher.journal.record import request_key
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
        assert len(journal.faults) == 0
