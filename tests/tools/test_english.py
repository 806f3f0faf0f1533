"""The sentence reader: each form it understands, and what it leaves unread rather than guess."""

import pytest

from stages.tools.deduction.english import read_sentence
from stages.tools.deduction.toolkit import open_theory


def literals_of(sentence):
    reading = read_sentence(sentence)
    return reading and (sorted(literal.text() for literal in reading.conditions), reading.conclusion.text())


@pytest.mark.parametrize(
    ("sentence", "conditions", "conclusion"),
    [
        ("Leo is a rompus.", [], "Leo is a rompus"),
        ("Leo is never shy.", [], "Leo is not shy"),
        ("The bald eagle does not chase the cat.", [], "the bald eagle does not chase the cat"),
        ("The lion chases the lion.", [], "the lion chases the lion"),
        ("The cat never sees Bob.", [], "the cat does not see Bob"),
        ("Each rompus is red.", ["? is each rompus"], "? is red"),
        ("Every rompus is not an impus.", ["? is each rompus"], "? is not an impus"),
        ("A rompus is never red.", ["? is each rompus"], "? is not red"),
        ("No rompus is red.", ["? is each rompus"], "? is not red"),
        ("Each rompus that is shy is red.", ["? is each rompus", "? is shy"], "? is red"),
        ("Each rompus that is not shy is a zumpus.", ["? is each rompus", "? is not shy"], "? is a zumpus"),
        ("Each rompus that is shy and not sour is red.", ["? is each rompus", "? is not sour", "? is shy"], "? is red"),
        ("Each rompus that chases the cat is red.", ["? chases the cat", "? is each rompus"], "? is red"),
        ("Each rompus likes the cat.", ["? is each rompus"], "? likes the cat"),
        ("Each one that is shy is red.", ["? is shy"], "? is red"),
        ("Everyone who is shy is red.", ["? is shy"], "? is red"),
        ("Rompuses are zumpuses.", ["? is many rompuses"], "? is perhaps zumpuses"),
        ("All red, rough things are not big.", ["? is red", "? is rough"], "? is not perhaps big"),
        ("ROUGH PEOPLE ARE COLD", ["? is rough"], "? is perhaps cold"),
        ("Rough people are cold.", ["? is rough"], "? is perhaps cold"),
        ("If something is red and not big then it is cold.", ["? is not big", "? is red"], "? is cold"),
        ("If something is red, it is cold.", ["? is red"], "? is cold"),
        ("If someone sees the cat and they do not like Bob then they are cold.",
         ["? does not like Bob", "? sees the cat"], "? is perhaps cold"),
        ("If someone is red and likes the cat then they see Bob.", ["? is red", "? likes the cat"], "? sees Bob"),
        ("If Dave is red and Dave is not big then Dave is cold.", ["Dave is not big", "Dave is red"], "Dave is cold"),
        ("If Dave is red then he is cold.", ["Dave is red"], "Dave is cold"),
    ],
)  # fmt: skip
def test_sentence_forms(sentence, conditions, conclusion):
    assert literals_of(sentence) == (conditions, conclusion)


@pytest.mark.parametrize(
    "sentence",
    """
    Leo is red or shy.
    Leo is either red or shy.
    Leo and Max are red.
    They are red.
    Someone is red.
    Everyone is red.
    Nobody is red.
    No one is red.
    A dog chases the cat.
    Each rompus that likes someone is red.
    Each rompus that is red likes someone.
    If something is red and it likes it then it is big.
    If something is red and it does not like it then it is big.
    Most rompuses are red.
    Not all rompuses are red.
    Only rompuses are red.
    No rompus is not red.
    Each rompus that shy is red.
    Each that is red is big.
    If Leo is red or Leo is shy then Leo is big.
    If Leo is red then Leo is big and Leo is cold.
    If someone is red then someone is big.
    If someone is red and someone is big then they are cold.
    If Bob likes the cat then it is red.
    If Leo is red
    Leo is red (or so they say).
    Rina is a person who jokes about being addicted to caffeine.
    1 + 1 = 2
    if then
    each
    All.
    """.strip().splitlines(),
)
def test_what_is_not_surely_understood_is_not_read(sentence):
    sentence = sentence.strip()
    assert literals_of(sentence) is None
    state = open_theory(f"Leo is a rompus.\n{sentence}\nEach rompus is red. Is it true that Leo is red?")
    assert state.unread == (sentence,)
    assert state.derive("Leo is red") == "Leo is red" and state.recall("rompus") == "Each rompus is red."


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        line.split(": ")
        for line in """Rompuses: a rompus, Impuses: an impus, Buses: a bus, Bosses: a boss, Foxes: a fox, Axes: an axe,
        Houses: a house, Horses: a horse, Shoes: a shoe, Wolves: a wolf, Olives: an olive, Butterflies: a butterfly,
        Lies: a lie, Men: a man, People: a person, Mice: a mouse, Sheep: a sheep, Prime numbers: a prime number
        """.split(",")
    ],
)
def test_plurals_find_the_singular_that_the_problem_uses(plural, singular):
    plural, singular = plural.strip(), singular.strip()
    for rule in (f"{plural} are red.", f"All {plural.lower()} are red."):
        state = open_theory(f"Leo is {singular}. {rule} Is it true that Leo is red?")
        assert state.derive("Leo is red") == "Leo is red"
    chain = open_theory(f"Max is a wug. Wugs are {plural.lower()}. Each {singular.split(' ', 1)[1]} is red.")
    assert [chain.derive(fact) for fact in (f"Max is {singular}", "Max is red")]


def test_plurals_without_a_singular_in_the_problem_get_one():
    state = open_theory(
        "Leo is a rompus. Rompuses are jompuses. Jompuses are nervous. Jompuses are horses. Horses are shy."
    )
    steps = ["Leo is a jompus", "Leo is nervous", "Leo is a horse", "Leo is shy"]
    assert [state.derive(step) for step in steps] == steps


def test_a_noun_and_an_adjective_of_one_spelling_stay_apart():
    state = open_theory("Leo is orange. Each orange is a fruit. Is it true that Leo is a fruit?")
    assert state.gold() == "Unknown"
