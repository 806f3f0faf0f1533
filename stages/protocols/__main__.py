"""Apply a published protocol: `python -m stages.protocols NAME` lays stages/protocols/NAME.yaml over ./params.yaml."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from stages.params import checked, load
from stages.protocols.overlay import leaves, overlaid, plain
from stages.records.command import parser, run
from stages.records.errors import InputError
from stages.records.files import replace_file

FOLDER = Path(__file__).parent
PARAMS = Path("params.yaml")


def protocols() -> dict[str, str]:
    """The text of each overlay, by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}


def apply(name: str) -> None:
    """Write the protocol's values into ./params.yaml, and say what changed.

    Raises:
        InputError: no such protocol, params.yaml is not valid, or another protocol's values are still in it.
    """
    known = protocols()
    if name not in known:
        raise InputError(f"no protocol {name!r}; there are {', '.join(known)}")
    load(PARAMS)  # what is wrong with the file as it is
    text = PARAMS.read_text(encoding="utf-8")
    _refuse_another(plain(text), name, known)
    made, changes = overlaid(text, known[name])
    checked(made, f"{PARAMS} with protocol {name}")
    if not changes:
        print(f"{PARAMS}: has all values of protocol {name}; nothing changed")
        return
    replace_file(PARAMS, made)
    print(*changes, sep="\n")
    print(f"{PARAMS}: protocol {name}, {len(changes)} values changed; `git checkout {PARAMS}` takes them back")


def _refuse_another(tree: dict, name: str, known: dict[str, str]) -> None:
    """A value that another protocol sets and this one leaves alone would stay, and the run would be neither of them."""
    here, ours = leaves(tree), leaves(plain(known[name]))
    found = []
    for other, overlay in known.items():
        standing = [key for key, value in leaves(plain(overlay)).items() if here.get(key, ...) == value]
        if left := [key for key in standing if key not in ours]:
            found.append((len(standing), other, left))
    if found:
        _, other, left = max(found)  # the protocol of which most is there
        raise InputError(
            f"{PARAMS}: {', '.join(left)} still as protocol {other} has it, and {name} would leave it so; go back to "
            f"the default first (`git checkout {PARAMS}`), and make changes of your own after {name}"
        )


def main(arguments: Sequence[str]) -> None:
    command = parser("stages.protocols", __doc__)
    command.add_argument("name", nargs="?", help="one of the protocols; without it they are listed")
    command.epilog = (
        "A protocol is applied to the committed params.yaml: `git checkout params.yaml` first. Where values of another "
        "protocol are in it, nothing is written. Comments and order stay, and each changed value is printed."
    )
    name = command.parse_args(arguments).name
    if name is not None:
        return apply(name)
    for known, overlay in protocols().items():
        print(f"{known:<16} {overlay.partition(chr(10))[0].removeprefix('# ')}")


if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
