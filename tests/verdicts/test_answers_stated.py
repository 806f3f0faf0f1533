"""Answers as chat models write them: marked by a box, a heading, a tag or emphasis, and nothing else taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verdicts.answers import equal

MARKED = [
    "**Answer:** 18",
    "**Answer: 18**",
    "> **Answer:** 18",
    "### Answer\n18",
    "## Final Answer: 18",
    "**Answer**\n\n18 plums",
    "Answer:\n**18**",
    "**Final Answer:** $18$",
    "Answer = 18",
    "The answer is: 18.",
    "Step 1: 3*6 = 18\n\nAnswer: 18",
    "3 bags of 6\n#### 18",
    "<think>3*6</think>\n<answer>18</answer>",
    "\\[ \\boxed{18} \\]",
    "$$\\boxed{18}$$",
    "\\( \\boxed{18} \\)",
    "$\\boxed{\\$18}$",
    "\\boxed{18\\text{ plums}}",
    "\\boxed{\\textbf{18}}",
    "So Tom has $\\boxed{18}$ plums left.",
    "3 × 6 = \\boxed{18}",
    "Final Answer: The final answer is $18$. I hope it is correct.",
    "Tom has **18** plums left.",
    "Tom has **18 plums** left.",
    "**Tom** has **18** plums.",
    "Janet makes **$18** every day.",
    "Thus, the total is *18*.",
    "The answer is `18`.",
    "__18__",
    "_18_",
]
NOT_READ = [
    "The answer is not **18**.",
    "It isn't \\boxed{18}",
    "Tom does not have **18** plums",
    "Tom has more than **18** plums",
    "half of **18**",
    "If he buys **18** plums",
    "Answer: about 18",
    "Answer: 17\nAnswer: 18",
    "**3** bags of **6**",
    "Tom buys 3 bags, so **18**",
    "\\boxed{18} or \\boxed{19}",
    "*18* *19*",
    "2**18",
    "5 *1/2*",
    "Tom has 18 plums left.",
    "Answer: 18\nThat is 3 bags of 6.",
]


@pytest.mark.parametrize("answer", MARKED)
def test_a_marked_answer_is_read(answer):
    assert equal(answer, "18", "math") is equal("18", answer, "math") is True
    assert equal(answer, "19", "math") is equal("19", answer, "math") is False


@pytest.mark.parametrize("answer", NOT_READ)
def test_what_is_denied_doubted_or_one_of_several_is_undecided(answer):
    assert {equal(answer, gold, "math") for gold in ("18", "19", "2.5", "5.5")} == {None}


@pytest.mark.parametrize(
    ("answer", "gold", "task"),
    [
        ("The answer is **(B)**", "B", "logic"),
        ("\\boxed{\\text{True}}", "True", "logic"),
        ("### Answer\nTrue", "True", "logic"),
        ("<answer>False</answer>", "False", "logic"),
        ("**Answer:** Unknown", "Unknown", "logic"),
        ("The final answer is: C", "C", "logic"),
        ("\\boxed{\\{1, 2\\}}", "{2, 1}", "math"),
        ("$\\boxed{[1, 2)}$", "[1, 2)", "math"),
        ("**Answer:** {1, 2}", "{1, 2}", "math"),
        ("\\[\\boxed{\\sqrt{2}}\\]", "\\sqrt{2}", "math"),
    ],
)
def test_marks_are_taken_from_labels_letters_sets_and_notation_too(answer, gold, task):
    assert equal(answer, gold, task) is True


WRAPPED = st.sampled_from(
    ["**{}**", "\\boxed{{{}}}", "$\\boxed{{{}}}$", "\\[\\boxed{{{}}}\\]", "Answer: {}", "### Answer\n{}", "`{}`"]
    + ["<answer>{}</answer>", "**Answer:** {}", "She needs **{}** of them."]
)


@given(st.decimals(-(10**6), 10**6, places=2), st.decimals(-(10**6), 10**6, places=2), WRAPPED)
def test_a_mark_changes_no_number(a, b, mark):
    assert equal(mark.format(a), str(b), "math") is (a == b)
