"""Chains made elsewhere, for tests: a folder that reads them from a file, and chat logs to write there."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import small_params

from stages import verify
from stages.params import load
from stages.problems import sources
from stages.records.problem import Problem
from stages.teacher.imported import chains as imported

PROBLEM = {"question": "What is 3 + 4 times 2?", "answer": "11", "task": "math"}


def native(*calls: tuple[str, dict | str, str | None], end: str = "") -> list[dict]:
    """A chat log of native calls with their results, and the last words."""
    messages = [{"role": "developer", "content": "Use the tools."}, {"role": "user", "content": "3+4*2?"}]
    for place, (name, arguments, result) in enumerate(calls):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        call = {"id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": text}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        if result is not None:
            messages.append({"role": "tool", "tool_call_id": f"call_{place}", "content": result})
    return messages + ([{"role": "assistant", "content": end}] if end else [])


def written(*turns: str) -> list[dict]:
    """A log in the text form: turns and results in turn, behind someone's prompt."""
    roles = ("assistant", "user")
    prompt = [{"role": "system", "content": "Solve."}, {"role": "user", "content": "3+4*2?"}]
    return prompt + [{"role": roles[place % 2], "content": text} for place, text in enumerate(turns)]


RIGHT = native(("Multiply", {"a": 4, "b": 2}, "8"), ("Add", {"a": 3, "b": 8}, "11"), ("Finish", {"answer": "11"}, None))


class Folder:
    """A folder with a params.yaml of two built-in problems, where chains are read from mine.jsonl."""

    def __init__(self, folder: Path):
        self.folder = folder
        text = small_params()
        text = text.replace("n: 12,", "n: 2,").replace("samples: 3", "samples: 2")
        text = text.replace("  chains: []", "  chains:\n  - {source: messages, path: mine.jsonl}")
        (folder / "params.yaml").write_text(text)
        self.params = load()

    def edit(self, old: str, new: str) -> None:
        text = (self.folder / "params.yaml").read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in params.yaml"
        (self.folder / "params.yaml").write_text(text.replace(old, new))

    def write(self, *rows: dict | str) -> None:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (self.folder / "mine.jsonl").write_text("\n".join(lines) + "\n")

    def chains(self, *rows: dict | str) -> list:
        self.write(*rows)
        params = load()
        return imported.load(params, sources.load("train", params.problems))[0]

    def verdicts(self, *rows: dict | str) -> list[tuple[str, str]]:
        made = verify.verdicts([chain.row() for chain in self.chains(*rows)], 0.0)
        return [(row["verdict"], row["failure"]) for row in made]


def log_folder(tmp_path, monkeypatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEPCALL_JOURNAL", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return Folder(tmp_path)


def stated(row: dict) -> Problem:
    return Problem("stated", row["task"], "arithmetic", "", row["question"], row["answer"])
