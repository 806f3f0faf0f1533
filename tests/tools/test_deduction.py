"""The deduction toolkit: what it reads, what one call may derive, and what an answer may rest on."""

import pytest

from stages.tools import TOOLKITS
from stages.tools.deduction.toolkit import open_theory
from stages.tools.tool import ToolError

TOOLS = TOOLKITS["deduction"].tools

LEO = (
    "Each rompus is a zumpus. Each zumpus is an impus. Leo is a rompus. Each zumpus that is not shy is red. "
    "Each impus is never shy. Each fompus is sour. Each rompus that is shy is a fompus. Is it true that Leo is red?"
)


def derive(state, *facts):
    return [TOOLS["Derive"].run(state, fact=fact) for fact in facts]


def recall(state, about):
    return TOOLS["Recall"].run(state, about=about)


def refusal(state, fact):
    with pytest.raises(ToolError) as refused:
        derive(state, fact)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def texts(literals):
    return sorted(literal.text() for literal in literals)


# Derive


def test_a_chain_derives_the_goal_one_rule_at_a_time():
    state = open_theory(LEO)
    steps = ["Leo is a zumpus", "Leo is an impus", "Leo is not shy", "Leo is red"]
    assert derive(state, *steps) == steps
    assert [literal.text() for literal in state.derived] == steps
    assert state.rests_on("True") and state.gold() == "True"


def test_no_step_of_a_proof_can_be_skipped():
    state = open_theory(LEO)
    assert refusal(state, "Leo is red") == '"Leo is red" needs "Leo is a zumpus", which is not known yet'
    derive(state, "Leo is a zumpus")
    assert refusal(state, "Leo is red") == '"Leo is red" needs "Leo is not shy", which is not known yet'
    assert refusal(state, "Leo is not shy") == '"Leo is not shy" needs "Leo is an impus", which is not known yet'
    assert state.derived == [] or texts(state.derived) == ["Leo is a zumpus"]


def test_a_refused_call_changes_nothing():
    state = open_theory(LEO)
    for fact in ("Leo is red", "Leo is a rompus", "Leo is not a rompus", "Leo is blue", "Max is red", "so what?"):
        refusal(state, fact)
    assert state.derived == [] and state.known == set(state.given)


def test_a_fact_that_is_known_already_is_refused():
    state = open_theory(LEO)
    assert "is known already" in refusal(state, "Leo is a rompus")
    derive(state, "Leo is a zumpus")
    assert "is known already" in refusal(state, "Leo is a zumpus.")


def test_a_fact_that_no_rule_gives_is_refused():
    state = open_theory(LEO)
    for fact in ("Leo is not red", "Leo is blue", "Max is red", "Leo likes Max", "Leo is shy"):
        assert "no rule gives" in refusal(state, fact)


def test_the_opposite_of_a_known_fact_is_refused():
    state = open_theory("Leo is a rompus. Leo is shy. Each rompus is not shy. Is it true that Leo is shy?")
    assert refusal(state, "Leo is not shy") == '"Leo is not shy" contradicts "Leo is shy", which is known'


def test_a_missing_fact_is_not_taken_as_false():
    state = open_theory("Leo is a rompus. Each rompus that is not shy is red. Is it true that Leo is red?")
    assert refusal(state, "Leo is red") == '"Leo is red" needs "Leo is not shy", which is not known yet'
    assert state.gold() == "Unknown"


@pytest.mark.parametrize("fact", ["leo is an impus.", "LEO IS A IMPUS", "Leo is impus", " Leo  is an Impus !"])
def test_case_article_and_period_of_a_fact_do_not_matter(fact):
    state = open_theory(LEO)
    derive(state, "leo is zumpus")
    assert derive(state, fact) == ["Leo is an impus"]


@pytest.mark.parametrize("fact", ["Leo is never shy", "Leo is not shy", "Leo isn't shy", "leo is not a shy."])
def test_never_and_not_are_one_negation(fact):
    state = open_theory(LEO)
    derive(state, "Leo is a zumpus", "Leo is an impus")
    assert derive(state, fact) == ["Leo is not shy"]


@pytest.mark.parametrize(
    "fact",
    """Leo | Leo is | is red | red Leo | Leo is red and shy | Each zumpus is red | If Leo is shy then Leo is red
    | Is Leo red? | Leo is not not shy | someone is red | it is red | Leo is 'red' | Leo = red | Leo is red; Max is red
    | \x00 | | {}""".format("Leo is red " * 100).split("|"),
)
def test_what_is_no_fact_is_refused_with_an_example(fact):
    assert 'is not understood; write one fact, such as "Leo is not red"' in refusal(open_theory(LEO), fact)


def test_a_refusal_echoes_only_the_start_of_a_long_text_and_no_control_signs():
    message = refusal(open_theory(LEO), "a\x1b[31m\n\u202e" + "red " * 10_000)
    assert len(message) < 140 and message.isprintable()


def test_relations_are_derived_with_their_verbs_in_the_right_form():
    state = open_theory(
        "The bald eagle is big. If something is big then it chases the cat. If something chases the cat then the cat "
        "does not like the bald eagle. If the cat does not like the bald eagle then the cat watches Bob. "
        "Is it true that the cat watches Bob?"
    )
    assert derive(
        state, "Bald eagle chases the cat.", "the cat does not like the bald eagle", "The cat watches bob"
    ) == [
        "the bald eagle chases the cat",
        "the cat does not like the bald eagle",
        "the cat watches Bob",
    ]
    assert state.rests_on("True")


# Check


def test_check_says_what_is_known_so_far_and_derives_nothing():
    state = open_theory("Leo is a rompus. Each rompus is never red. Is it true that Leo is red?")
    asked = [TOOLS["Check"].run(state, fact=fact) for fact in ("Leo is a rompus", "Leo is not a rompus", "Leo is red")]
    assert asked == ["True", "False", "Unknown"] and state.derived == []
    derive(state, "Leo is not red")
    assert TOOLS["Check"].run(state, fact="leo is red.") == "False"


# Recall


def test_recall_lists_what_is_said_of_an_individual_given_first():
    state = open_theory(
        "Max is red. Leo is a rompus. Leo is never shy. Each rompus is a zumpus. Is it true that Leo is red?"
    )
    derive(state, "Leo is a zumpus")
    for about in ("Leo", "leo.", " LEO "):
        assert recall(state, about) == "Leo is a rompus. Leo is never shy. Leo is a zumpus."


def test_recall_lists_rules_by_their_conditions_in_the_problems_order_and_words():
    state = open_theory(LEO)
    for about in ("zumpus", "a zumpus", "Zumpuses", "is a zumpus"):
        assert recall(state, about) == "Each zumpus is an impus. Each zumpus that is not shy is red."
    shy = "Each zumpus that is not shy is red. Each rompus that is shy is a fompus."
    assert recall(state, "shy") == recall(state, "not shy") == shy


def test_recall_finds_rules_by_their_verb():
    rule = "If something chases the cat then it is big."
    state = open_theory(f"The dog chases the cat. {rule} The cat is red. Is it true that the dog is big?")
    assert recall(state, "chases") == recall(state, "chase") == rule
    assert recall(state, "the cat") == "The dog chases the cat. The cat is red."


@pytest.mark.parametrize("about", ["fep", "red", "Max", "Leo is red", "(", "is"])
def test_recall_says_so_when_nothing_is_said(about):
    assert recall(open_theory(LEO), about) == f'Nothing is said about "{about}".'


def test_recall_of_nothing_is_refused():
    with pytest.raises(ToolError, match="about is empty"):
        recall(open_theory(LEO), " . ")


# Questions and answers


@pytest.mark.parametrize(
    ("question", "gold"),
    [
        ("Is it true that Leo is red?", "True"),
        ("Is it false that Leo is red?", "False"),
        ("Is it true that Leo is not red?", "False"),
        ("Is it false that Leo is not red?", "True"),
        ("Is it true that Leo is never red?", "False"),
        ("Is it true that Leo is sour?", "Unknown"),
        ("Is it false that Leo is sour?", "Unknown"),
        ("Is it true or false that Leo is not red?", "False"),
        ("Is the following statement true or false? Leo is red.", "True"),
        (
            "Based on the above information, is the following statement true, false, or unknown? Leo is not red.",
            "False",
        ),
        ("True or false: Leo is not red.", "False"),
    ],
)
def test_every_polarity_of_a_question_is_answered(question, gold):
    state = open_theory(f"Leo is a rompus. Each rompus is red. {question}")
    assert state.gold() == gold and state.unread == ()
    answers = ("True", "False", "Unknown")
    assert [answer for answer in answers if state.rests_on(answer)] == ([] if gold != "Unknown" else ["Unknown"])
    derive(state, "Leo is red")
    assert [answer for answer in answers if state.rests_on(answer)] == [gold]


def test_the_asked_statement_is_not_a_premise():
    state = open_theory("Leo is a rompus. Is the following statement true or false? Leo is red. Each rompus is shy.")
    assert texts(state.given) == ["Leo is a rompus"] and len(state.rules) == 1 and state.gold() == "Unknown"


def test_unknown_rests_on_having_followed_every_rule_that_could_matter():
    state = open_theory(
        "Leo is a rompus. Each rompus is a zumpus. Each zumpus is sour. Each zumpus that is shy is red. Each rompus is "
        "kind. Is it true that Leo is red?"
    )
    assert state.gold() == "Unknown" and not state.rests_on("Unknown") and texts(state.pending()) == ["Leo is a zumpus"]
    derive(state, "Leo is a zumpus")
    assert state.rests_on("Unknown"), "sour and kind are no condition of any rule"
    assert not state.rests_on("True") and not state.rests_on("False") and not state.rests_on("unknown")


def test_unknown_rests_on_following_the_asked_individual_even_where_no_rule_gives_the_goal():
    state = open_theory("Leo is a rompus. Each rompus is a zumpus. Each zumpus is sour. Is it true that Leo is red?")
    assert texts(state.pending()) == ["Leo is a zumpus"] and not state.rests_on("Unknown")
    derive(state, "Leo is a zumpus")
    assert state.rests_on("Unknown")


def test_unknown_does_not_wait_for_a_rule_that_contradicts_a_known_fact():
    state = open_theory(
        "Leo is a rompus. Leo is shy. Each rompus is not shy. Each fompus that is not shy is red. "
        "Is it true that Leo is red?"
    )
    assert state.pending() == [] and state.rests_on("Unknown")


def test_unknown_does_not_rest_while_another_individual_could_still_decide():
    state = open_theory(
        "The cat is red. If the cat is red then the dog is big. If the dog is big then the mouse is cold. "
        "Is it true that the mouse is cold?"
    )
    assert not state.rests_on("Unknown")
    derive(state, "The dog is big")
    assert not state.rests_on("Unknown") and not state.rests_on("True")
    derive(state, "The mouse is cold")
    assert state.rests_on("True") and not state.rests_on("Unknown")


def test_only_the_first_question_is_asked():
    state = open_theory(
        "Leo is red. Is it false that Leo is red? Is the following statement true? Leo is shy. Leo is sad."
    )
    assert state.goal.text() == "Leo is red" and state.gold() == "False"
    assert state.unread == ("Leo is shy.",) and texts(state.given) == ["Leo is red", "Leo is sad"]


def test_without_a_question_no_answer_rests_and_gold_is_refused():
    state = open_theory("Leo is a rompus. Each rompus is red.")
    assert not any(state.rests_on(answer) for answer in ("True", "False", "Unknown"))
    with pytest.raises(ToolError, match="no question is understood"):
        state.gold()


def test_chains_on_one_problem_do_not_share_what_they_derive():
    first, second = open_theory(LEO), open_theory(LEO)
    derive(first, "Leo is a zumpus")
    assert second.derived == [] and recall(second, "Leo") == "Leo is a rompus."
    assert derive(second, "Leo is a zumpus") == ["Leo is a zumpus"]
