"""Hostile calls as text: read as one typed call or refused, never run."""

from __future__ import annotations

import pytest
from conftest import examples
from guard import harmless
from hypothesis import given
from hypothesis import strategies as st

from stages.tools import TOOLKITS
from stages.tools.arithmetic.toolkit import ARITHMETIC
from stages.tools.calls import CallError, parse
from stages.tools.json_calls import parse_json
from stages.tools.run import run_call
from stages.tools.tool import Tool

PROVE = Tool("Prove", {"premises": "texts", "goal": "text"}, "Proves.", 'Prove(premises=["a"], goal="b")', str)
TOOLS = ARITHMETIC.tools | {"Prove": PROVE}
FAILURES = ("malformed_call", "unknown_tool", "bad_arguments")
SECRET = "sk-hostile-0123456789abcdef"


@pytest.mark.parametrize(
    "code", ["open('/dev/null')", "exec('1')", "__import__('this_module')", "sum(range(5 * 10**7))"]
)
def test_the_guard_sees_what_it_guards_against(code):
    with pytest.raises((AssertionError, ImportError)), harmless():
        eval(compile(code, "", "eval"))


def refused(read, *arguments: str) -> CallError:
    """The error that the text gives, short, in one line, and at no cost."""
    with harmless(), pytest.raises(CallError) as caught:
        read(*arguments, TOOLS)
    message = str(caught.value)
    assert caught.value.failure in FAILURES
    assert "\n" not in message and message.isprintable() and len(message) < 1000
    return caught.value


# Python that another engine would run; each stands where a constant may stand, and as the whole turn.
CODE = [
    "__import__('os').system('touch pwned')",
    "open('/etc/hostname').read()",
    "().__class__.__base__.__subclasses__()",
    "getattr(0, '\\x5f\\x5fclass\\x5f\\x5f')",
    "[x for x in range(10**9)]",
    "'a'*10**10",
    "[0]*10**9",
    "lambda: 1",
    "f'{SECRET}'",
    "f\"{__import__('os')}\"",
    "1 if True else 2",
    "(yield)",
    "await x",
    "x := 1",
    "*range(10)",
    "**{'a': 1}",
    "9**9**9",
    "b'1'",
    "r'1'",
    "'a' 'b'",
    "'a' + 'b'",
    "None",
    "...",
    "NaN",
    "-inf",
    "1e400",
    "0b1",
    "0o7",
    "{1: 2}",
    "{1, 2}",
    "(1, 2)",
    "[1, 2]",
    "[[1]]",
    "a.b",
    "a[0]",
    "not 1",
    "1 < 2",
    "~1",
    "-(-1)",
    "Add(a=1, b=2)",
]


@pytest.mark.parametrize("code", CODE)
def test_code_in_the_place_of_a_constant_is_refused(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in (f"Add(a={code}, b=1)", f"Add({code})", f"Finish(answer={code})", f"Add(a=1, b=2) or {code}"):
        refused(parse, text)
    assert not list(tmp_path.iterdir())


TURNS = {
    "a right-to-left override that shows another number": 'Finish(answer="\u202e24")',
    "a byte order mark": "\ufeffAdd(a=1, b=2)",
    "a zero-width joiner in a name": "A\u200ddd(a=1, b=2)",
    "a soft hyphen in a number": "Add(a=1\u00ad0, b=2)",
    "a no-break space in a number": "Add(a=1\u00a00, b=2)",
    "a Cyrillic letter in a name": "А" + "dd(a=1, b=2)",
    "a ligature in a name": "ﬁnish(answer=1)",
    "a full-width bracket": "Add（a=1, b=2)",
    "a full-width digit": "Add(a=１, b=2)",
    "an Arabic digit": "Add(a=١, b=2)",
    "a superscript": "Add(a=2², b=2)",
    "a vulgar fraction": "Add(a=½, b=2)",
    "a minus sign that is no hyphen": "Add(a=−1, b=2)",
    "curly quotes": "Finish(answer=“42”)",
    "a fraction slash": "Add(a=1⁄2, b=2)",
    "a next-line character": "Add(a=1,\x85b=2)",
    "a form feed": "Add(a=1,\x0cb=2)",
    "a carriage return": "Add(a=1,\r\nb=2)",
    "an escape sequence of a terminal": "\x1b[2J\x1b]0;title\x07Add(a=1, b=2)",
    "a tag character": "Add(a=1, b=2)\U000e0041",
    "half a surrogate pair": 'Finish(answer="\udc00")',
    "a private-use character in a name": "Add\ue000(a=1, b=2)",
    "combining marks": "Add(a=1" + "\u0301" * 500 + ", b=2)",
    "two calls on one line": "Add(a=1, b=2) Add(a=3, b=4)",
    "two calls with a semicolon": "Add(a=1, b=2); Finish(answer=3)",
    "a call and its result": "Add(a=1, b=2)\n3\nFinish(answer=3)",
    "an assignment": "x = Add(a=1, b=2)",
    "a method": "tools.Add(a=1, b=2)",
    "a decorated name": "@Add(a=1, b=2)",
    "a comment": "Add(a=1, b=2)  # the sum",
    "a comment inside": "Add(a=1, # one\nb=2)",
    "two pairs of fences": "```\n```\nAdd(a=1, b=2)\n```\n```",
    "a fence that is not closed": "```\nAdd(a=1, b=2)",
    "a chat token after the call": "Add(a=1, b=2)<|im_end|>",
    "a chat token before the call": "<|assistant|>Add(a=1, b=2)",
    "XML": "<tool_call>Add(a=1, b=2)</tool_call>",
    "JSON": '{"name": "Add", "arguments": {"a": 1, "b": 2}}',
    "an object as argument": 'Add({"a": 1, "b": 2})',
    "a triple-quoted text": 'Finish(answer="""42""")',
    "a text that is not closed": 'Finish(answer="' + "4" * 1900,
    "a text that ends in a backslash": 'Finish(answer="4\\")',
    "a name of dunders": "__class__(a=1)",
    "a dunder parameter": "Add(a=1, b=2, __class__=3)",
    "self as parameter": "Add(_state=1, a=1, b=2)",
    "a positional argument after named ones": "Add(a=1, 2)",
    "an empty name": "(a=1, b=2)",
    "a keyword": "lambda(a=1, b=2)",
    "a comparison for a name": "Add(a==1, b=2)",
    "an arrow": "Add(a=>1, b=2)",
    "a colon": "Add(a: 1, b: 2)",
    "no comma": "Add(a=1 b=2)",
    "a list in a text parameter": 'Finish(answer=["42"])',
    "a list that holds a number": 'Prove(premises=["a", 1], goal="b")',
    "a huge denominator": "Add(a=1/" + "9" * 1900 + ", b=1)",
    "a huge decimal": "Add(a=0." + "9" * 1900 + ", b=1)",
    "2,001 characters": "Add(a=1, b=" + "0" * 1989 + ")",
    "a megabyte": "Add(a=1, b=" + "0" * 10**6 + ")",
    "20,000 minus signs": "-" * 20_000 + "1",
    "100,000 brackets": "(" * 100_000,
    "nothing but spaces": " " * 100_000,
    "nothing": "",
}


@pytest.mark.parametrize("name", TURNS)
def test_a_hostile_turn_is_refused(name):
    refused(parse, TURNS[name])


def test_microchain_1e400_is_no_infinity_and_its_product_no_nan():
    assert refused(parse, "Multiply(a=1e400, b=0)").failure == "malformed_call"
    assert refused(parse_json, "Multiply", '{"a": 1e400, "b": 0}').failure == "bad_arguments"


def test_microchain_power_of_huge_numbers_hangs_nothing():
    assert refused(parse, "Power(a=9, b=99999999)").failure == "unknown_tool"
    with harmless():
        step = run_call('Calculate(expression="9**99999999")', TOOLS, None)
    assert step.failure == "tool_error" and "exponent" in step.error


def test_microchain_types_are_enforced_not_only_shown():
    assert refused(parse, 'Round(x="2.5", digits=0)').failure == "bad_arguments"
    assert refused(parse, "Reasoning(thought=1)").failure == "bad_arguments"


def test_microchain_lists_are_arguments():
    assert parse('Prove(premises=["a", "b"], goal="c")', TOOLS).arguments["premises"] == ("a", "b")


def test_microchain_two_engines_share_no_state():
    """Its default `state=dict()` is one dictionary for all engines."""
    question = "Leo is a rompus. Each rompus is red. Is it true that Leo is red?"
    one, other = (TOOLKITS["deduction"].open(question) for _ in range(2))
    tools = TOOLKITS["deduction"].tools
    assert not run_call('Derive(fact="Leo is red")', tools, one).error
    assert run_call('Check(fact="Leo is red")', tools, one).result == "True"
    assert run_call('Check(fact="Leo is red")', tools, other).result == "Unknown"


def test_microchain_the_error_holds_no_traceback_and_no_path():
    for text in (TURNS["20,000 minus signs"], CODE[0], "Add(a=1/0, b=1)", "Divide(a=1, b=0)"):
        step = run_call(text, TOOLS, None)
        assert step.error.startswith("Error: ") and "\n" not in step.error
        assert not any(word in step.error for word in ("Traceback", "File ", "stages", ".py", "line "))


@examples(2000)
@given(
    st.text(max_size=80)
    | st.text("Add(ab=\"'\\1.,/-)[] \n`é\u202e", max_size=60)
    | st.builds("{}({}={}".format, st.sampled_from(sorted(TOOLS)), st.sampled_from("abx"), st.text(max_size=40))
)
def test_any_text_is_one_call_or_a_call_error(text):
    with harmless():
        try:
            call = parse(text, TOOLS)
        except CallError as error:
            assert error.failure in FAILURES and str(error).isprintable()
            return
    assert set(call.arguments) == set(TOOLS[call.tool].parameters)
    assert parse(call.text(), TOOLS) == call
