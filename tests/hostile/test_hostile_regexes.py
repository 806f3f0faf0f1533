"""Every regular expression of the project on hostile text: none may cost more than its text is long."""

from __future__ import annotations

import ast
import importlib
import re
import signal
import time
from collections.abc import Iterator

import pytest
from conftest import PROFILE, ROOT
from students import byte_tokenizer

from stages.problems.solutions import annotations
from stages.students.chat import ChatText
from stages.students.scratch.tokenizer import train_tokenizer
from stages.tools.arithmetic import expression

LENGTH = 100_000 if PROFILE == "full" else 20_000
# A linear search takes milliseconds, the cheapest quadratic one several times the limit.
SECONDS = LENGTH * 5e-6
SHORT_SECONDS = 0.5  # of the patterns in SHORT, on their own length

# What patterns are made of; each is repeated, alone and before something that fits nothing.
BITS = [
    *" \n",
    *"aZ_0é\"'`\\.,;:=-+*/%$^~<>|#@!?()[]{}",
    *(
        "0,",
        "000,",
        "1.",
        "1/",
        "a'",
        "a ",
        "a,",
        ", ",
        ". ",
        "\\\\",
        '\\"',
        "((",
        ")(",
        "{}",
        "```",
        "```\n",
        "`a`",
        "= ",
    ),
    *("\\boxed{", "\\text{", "\\frac{1}{", "10^", "x 10", "1 10", "the ", "is it true ", "so ", "a=", '"a",', " and 1"),
    *(
        "<|",
        "<tool_call>",
        "functions.",
        "<|eot_id|>",
        " <|eot_id|",
        "∀x",
        "¬",
        "->",
        "P(x) & ",
        "://",
        "//a:",
        "<<1=",
        ">>",
        "1+",
        "a-",
        "b.",
        "'s ",
    ),
]
ENDS = ("", "\0")

# Patterns whose text is shorter when they see it, and the limit that says so.
SHORT = {
    ("stages.tools.arithmetic.expression", "_TOKEN"): expression.MAX_LENGTH,
    **{("stages.problems.solutions.annotations", name): annotations.MAX_LENGTH for name in ("_LINEAR", "_SOLVED")},
}


def sources() -> dict[str, ast.Module]:
    found = {}
    for path in sorted((ROOT / "stages").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text())
    return found


SOURCES = sources()


def compiled(value: object) -> Iterator[re.Pattern]:
    """The patterns in a module's value, also inside lists, tuples and dictionaries."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from compiled(part)


def calls(tree: ast.AST) -> Iterator[tuple[str, str, ast.Call]]:
    """`name.method(...)` in a module: the name, the method and the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if isinstance(node.func.value, ast.Name | ast.Attribute):
                owner = node.func.value
                yield owner.id if isinstance(owner, ast.Name) else owner.attr, node.func.attr, node


def patterns() -> dict[str, tuple[re.Pattern, set[str], int]]:
    """Each pattern with the methods that the code calls on it, and the longest text that it sees."""
    found, places = {}, {}
    for name, tree in SOURCES.items():
        module = importlib.import_module(name)
        for variable, value in vars(module).items():
            for place, pattern in enumerate(compiled(value)):
                methods = {method for owner, method, _ in calls(tree) if owner == variable}
                length = SHORT.get((name, variable), LENGTH)
                if isinstance(pattern.pattern, str):
                    # A pattern that is imported from another module is one entry, with the methods of both.
                    place_of = places.setdefault((pattern, length), f"{name}.{variable}[{place}]")
                    found.setdefault(place_of, (pattern, set(), length))[1].update(methods)
        for owner, method, call in calls(tree):
            if owner == "re" and method not in ("compile", "escape"):
                argument = call.args[0]
                text = argument.value if isinstance(argument, ast.Constant) else getattr(module, argument.id)
                found[f"{name} line {call.lineno}"] = re.compile(text), {method}, LENGTH
    chat = ChatText(byte_tokenizer("llama"))
    for variable, value in vars(chat).items():
        for pattern in compiled(value):
            methods = {method for owner, method, _ in calls(SOURCES["stages.students.chat"]) if owner == variable}
            found[f"ChatText.{variable}"] = pattern, methods, LENGTH
    return found


PATTERNS = patterns()


class Slow(Exception):
    pass


def _stop(*_: object) -> None:
    raise Slow


@pytest.fixture
def clock():
    """Calls `_stop` when the process has used so many seconds: Python's matcher lets signals through."""
    before = signal.signal(signal.SIGVTALRM, _stop)
    yield lambda seconds: signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def run(pattern: re.Pattern, method: str, text: str) -> None:
    if method in ("match", "fullmatch"):
        getattr(pattern, method)(text)
    else:  # search, finditer, findall, split, sub: all of them try every place
        for _ in pattern.finditer(text):
            pass


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_time_as_its_text_is_long(name, clock):
    pattern, methods, length = PATTERNS[name]
    ways = {method if method in ("match", "fullmatch") else "search" for method in methods} or {"search"}
    own = [pattern.pattern[start : start + 4].replace("\\", "") for start in range(0, min(40, len(pattern.pattern)), 4)]
    seconds = SECONDS if length == LENGTH else SHORT_SECONDS
    for bit in dict.fromkeys([*BITS, *filter(None, own)]):
        for end in ENDS:
            text = bit * (length // len(bit)) + end
            for method in ways:
                clock(seconds)
                try:
                    run(pattern, method, text)
                except Slow:
                    pytest.fail(f"{method}: more than {seconds} s on {bit!r} * n + {end!r}")
                finally:
                    clock(0)


@pytest.mark.parametrize("name", PATTERNS)
def test_no_group_is_repeated_possessively(name):
    """CPython before 3.11.5, Debian 12's for one, takes what a last, failed repetition had read (gh-106052)."""
    assert not re.search(r"(?<!\\)\)(?:[*+?]|\{[0-9,]+\})\+|\(\?>", PATTERNS[name][0].pattern)


def test_every_pattern_of_the_project_is_among_them():
    """Patterns that are built while a function runs escape the walk above; ChatText's are the only ones."""
    built = {
        name
        for name, tree in SOURCES.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for owner, method, _ in calls(function)
        if (owner, method) == ("re", "compile")
    }
    assert built == {"stages.students.chat"}
    assert len(PATTERNS) > 40


def test_the_clock_stops_a_pattern_that_blows_up(clock):
    clock(0.1)
    with pytest.raises(Slow):
        re.compile(r"(a+,?)+$").match("a" * 40 + "!")


def test_the_students_tokenizer_takes_time_as_its_text_is_long():
    """Its patterns run in Rust's engine, which no signal stops, and WordPiece tries every part of a word."""
    talk = [{"role": "user", "content": "Leo is a rompus. Add(a=1, b=2)"}]
    tokenizer = train_tokenizer([talk] * 3, 700)
    for bit in ("a", "1", " ", "a ", "(", '"', "(a=", "é", "中", "<|end|>", "\0", "\n", 'a="', "!a", "##"):
        text = bit * (LENGTH // len(bit))
        start = time.thread_time()
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert time.thread_time() - start < 2.0, bit
        assert tokenizer.decode(ids) == text or tokenizer.unk_token_id in ids
