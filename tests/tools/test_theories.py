"""Theories as a whole: how large one may be, random ones against a chainer of their own, and the published sets."""

import json
import time

import pytest
from conftest import examples, shared
from hypothesis import given
from hypothesis import strategies as st
from test_deduction import LEO, derive, recall, refusal, texts

from stages.tools.deduction.english import read_sentence
from stages.tools.deduction.toolkit import open_theory
from stages.tools.tool import ToolError

# Limits


def test_too_long_problems_are_refused_by_count():
    with pytest.raises(ToolError, match="501 sentences, limit 500"):
        open_theory("Leo is red. " * 501)
    with pytest.raises(ToolError, match="characters, limit 150,000"):
        open_theory("x" * 200_000)
    people = " ".join(f"P{i} is red." for i in range(250))
    with pytest.raises(ToolError, match="100 rules and 250 individuals: 50,000 literals, limit 20,000"):
        open_theory(people + " Each rompus is red." * 100)


def test_a_too_long_sentence_is_kept_unread():
    long = "If " + "Leo is a rompus and " * 20 + "Leo is shy then Leo is red."
    assert open_theory(long.replace("Leo is a rompus and " * 20, "Leo is a rompus and ")).unread == ()
    state = open_theory(f"Leo is a rompus. {long} Each rompus is kind.")
    assert state.unread == (long,) and derive(state, "Leo is kind") == ["Leo is kind"]


@pytest.mark.parametrize(
    "part",
    ["if ", "that is ", "and ", ", ", "the ", "is ", "a" * 299 + " ", " " * 50, "'", "things are ", "If x is y and "],
)
def test_hostile_text_is_read_in_linear_time(part):
    start = time.process_time()
    state = open_theory(part * (149_000 // len(part)))
    open_theory("\n".join((part * 300)[:299] for _ in range(400)))
    refusal(state, part * 10_000)
    assert time.process_time() - start < 2


@given(st.text(st.sampled_from("aLs .,?!'\n") | st.characters(), max_size=200), st.randoms(use_true_random=False))
def test_no_text_crashes_the_reader(noise, random):
    words = LEO.split() + noise.split(" ")
    random.shuffle(words)
    state = open_theory(" ".join(words))
    recall(state, noise + "x")
    for fact in (noise, " ".join(words[:5])):
        try:
            derive(state, fact)
        except ToolError:
            pass
    assert set(state.derived) <= state.closure()


# Properties: random theories against a forward chainer of its own, on (individual, property, positive) triples

INDIVIDUALS = ("Leo", "Max")
NOUNS = ("a rompus", "an impus", "a zumpus")
PROPERTIES = (*NOUNS, "red", "shy")
triples = st.tuples(st.sampled_from(INDIVIDUALS), st.sampled_from(PROPERTIES), st.booleans())
heads = st.tuples(st.sampled_from(PROPERTIES), st.booleans())


@st.composite
def rules(draw):
    """(conditions, conclusion) of (property, positive) pairs, and one of the sentences that say it."""
    noun, clause, head = draw(st.sampled_from(NOUNS)), draw(st.none() | heads), draw(heads)
    said = "is " + ("" if head[1] else draw(st.sampled_from(["not ", "never "]))) + head[0]
    singular = noun.split()[1]
    if clause:
        polarity = "" if clause[1] else "not "
        each = f"{draw(st.sampled_from(['Each', 'Every']))} {singular} that is {polarity}{clause[0]} {said}."
        when = f"If something is {noun} and it is {polarity}{clause[0]} then it {said}."
        return ((noun, True), clause), head, draw(st.sampled_from([each, when]))
    plain = [f"Each {singular} {said}.", f"If someone is {noun} then they {said.replace('is ', 'are ', 1)}."]
    if head[0] not in NOUNS:
        plain.append(f"{singular.capitalize()}es {said.replace('is ', 'are ', 1)}.")
    return ((noun, True),), head, draw(st.sampled_from(plain))


def one_step(known, theory):
    """What a single rule gives from the known triples."""
    return {
        (individual, *head)
        for conditions, head, _ in theory
        for individual in INDIVIDUALS
        if all((individual, *condition) in known for condition in conditions)
    } - known


@examples(200)
@given(st.lists(triples, max_size=4), st.lists(rules(), max_size=8), triples, st.randoms(use_true_random=False))
def test_derive_in_any_order_reaches_the_closure_and_refuses_only_what_no_rule_gives(facts, theory, goal, random):
    def text(triple):
        return f"{triple[0]} is {'' if triple[2] else 'not '}{triple[1]}"

    premises = [f"{text(fact)}." for fact in facts] + [sentence for *_, sentence in theory]
    random.shuffle(premises)
    state = open_theory(" ".join([*premises, f"Is it true that {text(goal)}?"]))
    assert state.unread == ()
    known, closure = set(facts), set(facts)
    while new := one_step(closure, theory):
        closure |= new
    assert texts(state.closure()) == sorted(map(text, closure))

    candidates = [
        (individual, name, sign) for individual in INDIVIDUALS for name in PROPERTIES for sign in (True, False)
    ]
    progress = True
    while progress:
        progress = False
        random.shuffle(candidates)
        for fact in candidates:
            allowed = fact in one_step(known, theory) and (*fact[:2], not fact[2]) not in known
            try:
                assert derive(state, text(fact)) == [text(fact)]
                assert allowed
                known.add(fact)
                progress = True
            except ToolError:
                assert not allowed
    consistent = not any((*fact[:2], not fact[2]) in closure for fact in closure)
    assert known == closure if consistent else known <= closure
    if consistent:
        opposite = (*goal[:2], not goal[2])
        gold = "True" if goal in closure else "False" if opposite in closure else "Unknown"
        assert state.gold() == gold
        assert [answer for answer in ("True", "False", "Unknown") if state.rests_on(answer)] == [gold]


# Real problems


def shared_rows(name):
    path = shared(name) / "dev.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def gold_label(row):
    return next(option[3:] for option in row["options"] if option.startswith(row["answer"]))


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "count"), [("prontoqa", 500), ("proofwriter", 600)])
def test_every_gold_label_is_reproduced_and_rests_on_a_full_derivation(name, count):
    rows = shared_rows(name)
    assert len(rows) == count
    for row in rows:
        state = open_theory(f"{row['context']} {row['question']}")
        assert state.unread == (), row["id"]
        assert state.gold() == gold_label(row), row["id"]
        while left := [fact for fact in state.theory.instances if fact in state.closure() and fact not in state.known]:
            before = len(state.derived)
            for fact in left:
                try:
                    assert derive(state, fact.text()) == [fact.text()]
                except ToolError:
                    pass
            assert len(state.derived) > before, row["id"]
        assert [a for a in ("True", "False", "Unknown") if state.rests_on(a)] == [gold_label(row)], row["id"]


@pytest.mark.shared_data
def test_the_gold_proofs_of_prontoqa_are_accepted_step_by_step():
    for row in shared_rows("prontoqa"):
        state = open_theory(f"{row['context']} {row['question']}")
        facts = [sentence.rstrip(".") for sentence in row["explanation"] if read_sentence(sentence).conditions == ()]
        assert not state.rests_on(gold_label(row)) or len(facts) == 1
        assert derive(state, *facts[1:]) == facts[1:], row["id"]
        assert state.rests_on(gold_label(row)), row["id"]
