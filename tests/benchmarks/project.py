"""A temporary project folder for the benchmarks: params.yaml, problems, and generate as its own process in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-test-0123456789"


def make(folder: Path, url: str, chains: int, **runtime: object) -> None:
    """A project of so many problems, one chain each, whose teacher is the server at `url`."""
    rows = [
        {"question": f"Order {number}: apples cost 3 each, I buy 12 and a box for 14. What is left of 100?"}
        for number in range(chains)
    ]
    with open(folder / "orders.jsonl", "w") as file:
        file.writelines(json.dumps({**row, "answer": "50", "task": "math"}) + "\n" for row in rows)
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(ROOT / "params.yaml")
    params["problems"]["train"] = [{"source": "jsonl", "path": "orders.jsonl"}]
    params["generate"]["samples"] = 1
    params["generate"]["teacher"]["model"] = "openai/test"
    params["runtime"] |= {"progress": False, **runtime}
    params["runtime"].get("teacher", params["runtime"])["api_base"] = url
    with open(folder / "params.yaml", "w") as file:
        yaml.dump(params, file)


def start(folder: Path) -> subprocess.Popen:
    """`python -m stages.generate` there."""
    return subprocess.Popen([sys.executable, "-m", "stages.generate"], cwd=folder, env=environment())


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STEPCALL", "DVC"))}
    return {**kept, "OPENAI_API_KEY": KEY, "PYTHONPATH": str(ROOT)}
