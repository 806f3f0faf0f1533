"""A folder in which generate runs against a provider, and the teacher that answers there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, small_params
from provider import Provider

from stages import generate

KEY = "sk-test-0123456789"
CHAINS, TURNS = 72, 3  # of the small params with `play`


def play(request: dict) -> str:
    """Three turns a chain: a thought, a wrong call, an answer that depends on the seed."""
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    return ('Reasoning(thought="Let me see.")', "Add(a=1)", f'Finish(answer="{request["seed"]}")')[turn]


class Project:
    """A folder with params.yaml, where generate runs against a provider."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "params.yaml").write_text(small_params())
        self.edit("model: simulated/teacher", "model: openai/test")

    def edit(self, old: str, new: str) -> None:
        text = (self.folder / "params.yaml").read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in params.yaml"
        (self.folder / "params.yaml").write_text(text.replace(old, new))

    def at(self, provider: Provider) -> None:
        lines = (self.folder / "params.yaml").read_text().splitlines()
        lines = [f"    api_base: {provider.url}" if line.startswith("    api_base:") else line for line in lines]
        (self.folder / "params.yaml").write_text("\n".join(lines) + "\n")

    def start(self, environment: dict[str, str] | None = None) -> subprocess.Popen:
        """generate in its own process."""
        command, env = [sys.executable, "-m", "stages.generate"], environment or self.environment()
        return subprocess.Popen(command, cwd=self.folder, env=env, stderr=subprocess.PIPE, text=True)

    def environment(self) -> dict[str, str]:
        """PYTHONUNBUFFERED so that what a process says can be waited for."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("STEPCALL", "DVC"))}
        return env | {"OPENAI_API_KEY": KEY, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def run(self) -> None:
        generate.main()

    def metrics(self) -> dict:
        return json.loads((self.folder / "metrics/generate.json").read_text())

    def outputs(self) -> dict[str, bytes]:
        """Every file that DVC would hash."""
        files = [path for name in ("data", "metrics") for path in (self.folder / name).rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}

    def journal(self) -> list[dict]:
        """The requests in the live journal, as often as they stand there; a line that is being written is not yet."""
        files = [path.read_bytes() for path in (self.folder / ".journal").glob("*.jsonl")]
        lines = [line for file in files for line in file.rpartition(b"\n")[0].split(b"\n")]
        return [row["request"] for row in map(json.loads, filter(None, lines)) if "key" in row]
