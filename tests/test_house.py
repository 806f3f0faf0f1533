"""The house: rooms that stand on each other, no file that imports in a circle."""

from __future__ import annotations

import ast
from pathlib import Path

from conftest import ROOT

# Each room with the rooms it may import from. What a room does not list is above it, or none of its business.
ROOMS = {
    "records": set(),
    "params": {"records"},
    "tools": {"records"},
    "verdicts": {"records", "tools"},
    "problems": {"records", "params", "tools", "verdicts"},
    "students": {"records", "params"},
    "agent": {"records", "params", "tools", "problems", "students"},
    "teacher": {"records", "params", "tools", "verdicts", "problems", "students", "agent"},
    "training": {"records", "params", "students", "agent"},
    "report": {"records", "params", "verdicts"},
    "protocols": {"records", "params"},
}
STAGES = {"generate", "verify", "pair", "train", "eval"}  # import rooms, and no stage imports another


def modules() -> dict[str, Path]:
    paths = (ROOT / "stages").rglob("*.py")
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imports() -> dict[str, set[str]]:
    """Which files each file imports, also inside functions."""
    known = modules()
    found = {name: set() for name in known}
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "stages":
                for alias in node.names:
                    module = f"{node.module}.{alias.name}"
                    found[name].add(module if module in known else node.module)
        found[name] -= {name}
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_no_file_imports_in_a_circle():
    arrows, done = imports(), set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(arrows[name]):
                walk(other, (*path, name))
            done.add(name)

    for name in arrows:
        walk(name, ())


def test_a_room_imports_only_from_rooms_below_it():
    for name, others in imports().items():
        for other in others:
            here, there = room(name), room(other)
            if here in STAGES:
                assert there not in STAGES, f"{name} imports {other}: no stage imports another"
            elif here != there and here and there:
                assert there in ROOMS[here], f"{name} imports {other}"


def test_every_file_stands_in_a_room_or_is_a_stage():
    assert {room(name) for name in modules()} - {""} == ROOMS.keys() | STAGES
