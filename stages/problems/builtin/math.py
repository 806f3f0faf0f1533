"""Built-in math problems: short stories with 1 to 4 calls, some with a trap that a hasty reader falls into.

Each family is one function: it draws its numbers, writes the story and lists the calls symbolically. A trap is a
wrong way of reading that the wording invites; its calls are the problem's `misconception`. A problem has one trap at
most, and the wording shows it (a third number, "more than", "together", "off", "around"), so that a student can learn
to see it.
"""

from __future__ import annotations

import random
from fractions import Fraction

from stages.records.chain import Call, number_text
from stages.records.problem import Problem
from stages.tools.arithmetic.toolkit import ARITHMETIC
from stages.tools.calls import number

NAMES = "Tom Anna Ben Lily Max Sara Leo Nina Paul Emma Jack Rosa Omar Ivy Carl Dora".split()
UNSEEN_NAMES = "Quentin Zelda Yusuf Wanda Viktor Ursula Thaddeus Svetlana".split()
ITEMS = "apples pears books pens coins cards shells stamps eggs cups".split()
UNSEEN_ITEMS = "marbles lanterns ribbons tickets candles".split()

Operand = str | int | Fraction  # "#k": the result of the k-th call (from 0)
Plan = list[tuple[str, Operand, Operand]]


def math_problem(rng: random.Random, variant: str) -> Problem:
    """One problem; `variant` is plain, long (5 or 6 calls) or names (names and things no plain problem has)."""
    names = UNSEEN_NAMES if variant == "names" else NAMES
    items = UNSEEN_ITEMS if variant == "names" else ITEMS
    family = rng.choice(LONG) if variant == "long" else rng.choices(FAMILIES, WEIGHTS)[0]
    question, plan, wrong = family(rng, rng.sample(names, 2), rng.sample(items, 2))
    solution = run_plan(plan)
    return Problem(
        id="",
        task="math",
        toolkit="arithmetic",
        source="",
        question=question,
        gold=str(solution[-1].arguments["answer"]),
        solution=solution,
        misconception=run_plan(wrong) if wrong else (),
    )


def run_plan(plan: Plan) -> tuple[Call, ...]:
    """The plan's calls with every operand filled in, and the `Finish` that gives the last result."""
    results: list[Fraction] = []
    calls = []
    for tool, *operands in plan:
        values = [results[int(operand[1:])] if isinstance(operand, str) else Fraction(operand) for operand in operands]
        call = Call(tool, dict(zip(ARITHMETIC.tools[tool].parameters, values, strict=True)))
        results.append(number(ARITHMETIC.tools[tool].run(None, **call.arguments)))
        calls.append(call)
    return (*calls, Call("Finish", {"answer": number_text(results[-1])}))


def changes(rng: random.Random, who: str, other: str, item: str, start: int, count: int, most: int) -> tuple[str, Plan]:
    """So many changes of a number of things, each of 3 to `most`."""
    plan, text = [], ""
    amount: Operand = start
    for index in range(count):
        change = rng.randint(3, most)
        bought = rng.random() < 0.5
        text += f" {who} buys {change} more {item}." if bought else f" {who} gives {change} {item} to {other}."
        plan.append(("Add" if bought else "Subtract", amount, change))
        amount = f"#{index}"
    return text, plan


def story(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    """One or two changes of a number; the trap is a number of other things, taken for the change."""
    (who, other), (item, things) = names, items
    start, wrong = rng.randint(30, 90), []
    text, plan = changes(rng, who, other, item, start, rng.randint(1, 2), 25)
    if rng.random() < 0.5:
        lure = rng.randint(3, 25)
        text += f" {other} has {lure} {things}."
        wrong = [*plan[:-1], (plan[-1][0], plan[-1][1], lure)]
    return f"{who} has {start} {item}.{text} How many {item} does {who} have now?", plan, wrong


def price(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    count, cost = rng.randint(3, 20), rng.randint(2, 15)
    text = f"{names[0]} buys {count} {items[0]} at ${cost} each."
    return f"{text} How many dollars does {names[0]} pay?", [("Multiply", count, cost)], []


def change(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    count, cost = rng.randint(3, 12), rng.randint(2, 12)
    paid = (count * cost // 50 + rng.randint(1, 2)) * 50
    text = f"{names[0]} buys {count} {items[0]} at ${cost} each and pays with ${paid}."
    return (
        f"{text} How many dollars does {names[0]} get back?",
        [("Multiply", count, cost), ("Subtract", paid, "#0")],
        [],
    )


def pack(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    size, boxes = rng.randint(3, 12), rng.randint(3, 20)
    text = f"{names[0]} packs {size * boxes} {items[0]} into boxes of {size}."
    return f"{text} How many boxes does {names[0]} fill?", [("Divide", size * boxes, size)], []


def boxes(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    count, size, loose = rng.randint(3, 12), rng.randint(3, 12), rng.randint(2, 30)
    text = f"{names[0]} has {count} boxes of {size} {items[0]} and {loose} loose {items[0]}."
    plan = [("Multiply", count, size), ("Add", "#0", loose)]
    return f"{text} How many {items[0]} does {names[0]} have in all?", plan, []


def compare(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    """The trap: "more" read as a call for a sum."""
    low = rng.randint(5, 50)
    high = low + rng.randint(3, 45)
    text = f"{names[0]} has {high} {items[0]}. {names[1]} has {low} {items[0]}."
    question = f"{text} How many more {items[0]} does {names[0]} have than {names[1]}?"
    return question, [("Subtract", high, low)], [("Add", high, low)]


def together(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    """The trap: the second person's number given for the sum."""
    count, more = rng.randint(5, 60), rng.randint(3, 30)
    text = f"{names[0]} has {count} {items[0]}. {names[1]} has {more} more {items[0]} than {names[0]}."
    plan = [("Add", count, more), ("Add", count, "#0")]
    return f"{text} How many {items[0]} do they have together?", plan, plan[:1]


def garden(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    """Area, or the way around: the trap is to walk only half of it."""
    long, wide = rng.randint(10, 40), rng.randint(3, 30)
    text = f"The garden of {names[0]} is {long} meters long and {wide} meters wide."
    if rng.random() < 0.4:
        return f"{text} How many square meters is it?", [("Multiply", long, wide)], []
    plan = [("Add", long, wide), ("Multiply", 2, "#0")]
    return f"{text} How many meters is it around the garden?", plan, plan[:1]


def discount(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    """The trap: the discount given for the price."""
    percent = rng.choice([10, 20, 25, 30, 40, 50])
    cost = 20 * rng.randint(2, 15)
    text = f"A box of {items[0]} costs ${cost}. {names[0]} buys it at {percent}% off."
    plan = [("Percent", percent, cost), ("Subtract", cost, "#0")]
    return f"{text} How many dollars does {names[0]} pay?", plan, plan[:1]


def wages(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    rate, hours, days = rng.randint(4, 12), rng.randint(2, 6), rng.randint(2, 4)
    spent = rng.randint(2, min(60, rate * hours * days - 2))
    text = (
        f"{names[0]} earns ${rate} an hour and works {hours} hours on each of {days} days. {names[0]} spends ${spent}."
    )
    plan = [("Multiply", rate, hours), ("Multiply", "#0", days), ("Subtract", "#1", spent)]
    return f"{text} How many dollars are left?", plan, []


def basket(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    many, cost, few, dear = rng.randint(3, 9), rng.randint(2, 9), rng.randint(3, 9), rng.randint(2, 12)
    paid = ((many * cost + few * dear) // 50 + 1) * 50 + rng.choice([0, 50])
    text = (
        f"{names[0]} buys {many} {items[0]} at ${cost} each and {few} {items[1]} at ${dear} each and pays with ${paid}."
    )
    plan = [("Multiply", many, cost), ("Multiply", few, dear), ("Add", "#0", "#1"), ("Subtract", paid, "#2")]
    return f"{text} How many dollars does {names[0]} get back?", plan, []


def long_story(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    """Five or six changes in a row."""
    (who, other), item = names, items[0]
    start = rng.randint(60, 90)
    text, plan = changes(rng, who, other, item, start, rng.randint(5, 6), 12)
    return f"{who} has {start} {item}.{text} How many {item} does {who} have now?", plan, []


def long_wages(rng: random.Random, names: list[str], items: list[str]) -> tuple[str, Plan, Plan]:
    """Two weeks of work, then an expense: five calls."""
    rate, hours, days, week, later = (rng.randint(2, 8) for _ in range(5))
    text = (
        f"{names[0]} earns ${rate} an hour and works {hours} hours on each of {days} days. "
        f"{names[0]} then works {week} hours on each of {later} days."
    )
    plan = [
        ("Multiply", rate, hours),
        ("Multiply", "#0", days),
        ("Multiply", rate, week),
        ("Multiply", "#2", later),
        ("Add", "#1", "#3"),
    ]
    return f"{text} How many dollars does {names[0]} earn?", plan, []


# Family and weight. Trapped wordings (half of story, three fifths of garden, all of the last three) make up half.
FAMILIES, WEIGHTS = zip(
    (story, 5),
    (price, 1),
    (change, 1.5),
    (pack, 1),
    (boxes, 1.5),
    (garden, 3),
    (wages, 2),
    (basket, 2),
    (compare, 2.5),
    (together, 2.5),
    (discount, 2.5),
    strict=True,
)
LONG = (long_story, long_wages)
