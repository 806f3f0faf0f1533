"""The journal and the versions of a project: their snapshots, what each cost, and where the one journal lies."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from test_journal import buy, known, read, request, response, shards

from stages.teacher.journal.journal import SYSTEMS, Journal, journal_folder
from stages.teacher.journal.record import request_key


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
