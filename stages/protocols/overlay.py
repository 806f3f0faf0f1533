"""An overlay laid over params.yaml: the text changes only where a value does, so comments, order and spacing stay.

ruamel's own round trip is not used to write: it keeps the comment behind a list with the list's last entry, and loses
it, with the line break before the next section, where the list is replaced. Here it only says where each value is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stages.records.errors import InputError


def overlaid(text: str, overlay: str) -> tuple[str, list[str]]:
    """The text with the values of the overlay, and what that changed: mappings are merged, lists replaced whole.

    A change is a key with the text of its value before and after, `train.dpo.beta: 0.1 -> 0.2`.

    Raises:
        InputError: the overlay sets a key that the text does not have, or the text is written in a way (anchors,
            lists over several lines in brackets) in which a value cannot be replaced alone.
    """
    from ruamel.yaml.error import YAMLError

    text = text if text.endswith("\n") else f"{text}\n"
    found = list(_differences(_nodes(text), plain(text), _nodes(overlay), plain(overlay)))
    changes = [f"{key}: {_shown(text, old)} -> {_shown(overlay, new)}" for key, _, old, new, _ in found]
    edits = [edit for _, name, old, new, flow in found for edit in _edits(text, name, old, overlay, new, flow)]
    made = text
    for start, end, written in sorted(edits, reverse=True):
        made = made[:start] + written + made[end:]
    try:
        whole = plain(made) == _merged(plain(text), plain(overlay))
    except YAMLError:
        whole = False
    if not whole:
        keys = ", ".join(key for key, *_ in found)
        raise InputError(f"params.yaml: {keys} cannot be replaced as it is written there; start from the committed one")
    return made, changes


def plain(text: str) -> dict:
    """The values of a YAML text."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)


def leaves(tree: dict, above: str = "") -> dict[str, object]:
    """Each value that is no mapping by its whole key, `train.dpo.beta`."""
    found = {}
    for name, value in tree.items():
        found |= leaves(value, f"{above}{name}.") if isinstance(value, dict) and value else {f"{above}{name}": value}
    return found


def _nodes(text: str):
    """The same as ruamel's nodes, which say where in the text each value begins and ends."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).compose(text)


def _merged(tree: dict, over: dict) -> dict:
    made = dict(tree)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(made[name], dict)
        made[name] = _merged(made[name], value) if both else value
    return made


def _differences(node, tree: dict, over_node, over: dict, above: str = "") -> Iterator[tuple]:
    """Each key that the overlay changes: its whole name, its node, the value's old and new node; and whether the
    mapping that it is in is written in braces."""
    given = {name.value: (name, value) for name, value in node.value}
    for over_name, new in over_node.value:
        key, name = f"{above}{over_name.value}", over_name.value
        if name not in given:
            raise InputError(f"params.yaml has no key {key}, which the protocol sets; start from the committed one")
        name_node, old = given[name]
        if isinstance(tree[name], dict) and isinstance(over[name], dict):
            yield from _differences(old, tree[name], new, over[name], f"{key}.")
        elif tree[name] != over[name]:
            yield key, name_node, old, new, node.flow_style


def _edits(text: str, name, old, overlay: str, new, flow: bool) -> Iterator[tuple[int, int, str]]:
    """What to replace for one value, as (start, end, new text): the value on its key's line, and the lines below it."""
    # On the key's line stands a scalar, or what is in brackets; a list with a line an entry leaves that place empty.
    start, end = (name.end_mark.index + 1,) * 2 if _lined(old) else (old.start_mark.index, old.end_mark.index)
    value = "" if _lined(new) and not flow else _shown(overlay, new)
    if value and _lined(old):
        value = f" {value}"
    # A comment behind the value stays in its column, where there is room.
    spaces = re.match(" *", text[end:])[0]
    commented = text[end + len(spaces)] == "#"
    space = " " * max(2, end - start + len(spaces) - len(value)) if commented else spaces
    yield start, end + len(spaces), f"{value}{space}".rstrip() if not commented else f"{value}{space}"

    # The lines below: those of the old entries, or none.
    indent = old.start_mark.column if _lined(old) else name.start_mark.column
    lines = [f"{' ' * indent}- {_shown(overlay, entry)}\n" for entry in new.value] if _lined(new) and not flow else []
    if _lined(old):
        first = text.rfind("\n", 0, old.start_mark.index) + 1
        last = text.index("\n", old.value[-1].end_mark.index) + 1
    else:
        first = last = text.index("\n", end) + 1
    if _lined(old) or lines:
        yield first, last, "".join(lines)


def _lined(node) -> bool:
    """Whether this is a list with a line an entry."""
    return node.id == "sequence" and not node.flow_style


def _shown(text: str, node) -> str:
    """The value on one line, as its author wrote it."""
    if _lined(node):
        return f"[{', '.join(_shown(text, entry) for entry in node.value)}]"
    return text[node.start_mark.index : node.end_mark.index]
