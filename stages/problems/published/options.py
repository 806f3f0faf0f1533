"""What the lettered logic sets have in common, as Logic-LM publishes them: id, context, question, options, answer."""

from __future__ import annotations

import re

from stages.problems.jsonl import JsonlError
from stages.problems.published.rows import text

FORM = "id, context, question, options and answer"
_OPTION = re.compile(r"\(?([A-Z])\) ?(\S.*)")


def asked(where: str, row: dict) -> tuple[str, str, dict[str, str], str]:
    """Id, the context with the question behind it, the options by letter, and the letter of the right one.

    Raises:
        JsonlError: a key is missing, an option has no letter, or the answer is none of the options' letters.
    """
    name, context, question, answer = (text(where, row, key, FORM) for key in ("id", "context", "question", "answer"))
    listed = row.get("options")
    matches = [_OPTION.fullmatch(str(option).strip()) for option in listed] if isinstance(listed, list) else []
    options = {match[1]: match[2] for match in matches if match}
    if len(options) < max(2, len(matches)):
        raise JsonlError(f"{where}: options are no list such as A) True, B) False; a row has {FORM}")
    if answer not in options:
        raise JsonlError(f"{where}: answer is {answer[:40]!r}; it takes a letter: {', '.join(options)}")
    return name, f"{context} {question}", options, answer


def label(where: str, options: dict[str, str], answer: str, labels: tuple[str, ...]) -> str:
    """The word of the right option, where all options are such words."""
    for option in options.values():
        if option not in labels:
            raise JsonlError(f"{where}: option {option[:40]!r} is none of {', '.join(labels)}")
    return options[answer]
