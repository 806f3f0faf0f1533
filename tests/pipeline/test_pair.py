"""Pairs: two different sides of one prompt, made of real chains, none too long."""

import json
import random
import shutil
import sys
from dataclasses import replace

import pytest
from conftest import examples, small_params
from hypothesis import given
from hypothesis import strategies as st

from stages import pair
from stages.agent.loop import Attempt, Reply
from stages.problems import builtin
from stages.records import schema
from stages.records.errors import InputError
from stages.records.problem import Problem
from stages.students.fitting import lengths
from stages.verdicts.verdict import verdict

PENS = Problem("p/1", "math", "arithmetic", "p", "A box holds 12 pens. How many pens are 7 boxes and 3 pens?", "87")
CUPS = replace(PENS, id="p/2", question="Tom packs 12 cups into each of 7 boxes and has 3 left. How many cups?")
SEVEN = "Multiply(a=12, b=7)"
RIGHT = (SEVEN, "Add(a=84, b=3)", 'Finish(answer="87")')
# Turns that meet, part, fail, repeat each other in other words, and end rightly or wrongly.
TURNS = (*RIGHT, "Multiply(b=7, a=12)", "Add(a=12, b=7)", "Add(a=84, b=3", 'Finish(answer="19")', 'Finish(answer="84")')


def chain(problem, texts, sample, max_steps=5):
    """The agent's chain of these turns; where they run out, the last one is repeated until a limit."""
    attempt = Attempt(problem, max_steps, 3, examples=0, teacher="t", sample=sample)
    for index in range(max_steps):
        if not attempt.stop:
            attempt.advance(Reply(texts[min(index, len(texts) - 1)]))
    return attempt.chain().row(), verdict(attempt.chain(), 0.0)


def made(chains, kinds=("chain", "step"), per_problem=3, seed=1):
    """Pairs of (chain, verdict) rows, by kind."""
    params = replace(SETTINGS, kinds=kinds, per_problem=per_problem, seed=seed)
    rows, duplicates = pair.pairs([row for row, _ in chains], [judged for _, judged in chains], params)
    return rows, duplicates


@pytest.fixture(autouse=True)
def _settings(project_params):
    global SETTINGS
    SETTINGS = project_params.pair


def texts(messages):
    return [message["content"] for message in messages]


attempts = st.lists(
    st.tuples(st.sampled_from((PENS, CUPS)), st.lists(st.sampled_from(TURNS), min_size=1, max_size=5)), max_size=8
)


@given(attempts, st.integers(1, 4), st.integers(0, 3), st.randoms(use_true_random=False))
@examples(150)
def test_every_pair_is_two_sides_of_one_prompt(tried, per_problem, seed, shuffled):
    chains = [chain(problem, turns, sample) for sample, (problem, turns) in enumerate(tried)]
    rows, _ = made(chains, per_problem=per_problem, seed=seed)
    by_id = {row["chain_id"]: (row, judged) for row, judged in chains}
    for row in rows:
        (good, good_verdict), (bad, bad_verdict) = by_id[row["chosen_chain_id"]], by_id[row["rejected_chain_id"]]
        assert row["chosen"] != row["rejected"]
        assert row["problem_id"] == good["problem_id"] == bad["problem_id"]
        assert (good_verdict["verdict"], bad_verdict["verdict"]) == ("correct", "incorrect")
        assert row["failure"] == bad_verdict["failure"] != ""
        for side, source in ((row["chosen"], good), (row["rejected"], bad)):
            assert side[-1]["role"] == "assistant"
            assert row["prompt"] + side == source["messages"][: len(row["prompt"]) + len(side)]
        if row["kind"] == "step":
            assert len(row["chosen"]) == len(row["rejected"]) == 1
        else:
            assert row["prompt"] == good["messages"][:2]
            rest = bad["messages"][2 + len(row["rejected"]) :]
            assert len(row["chosen"]) == len(good["messages"]) - 2 and texts(rest) in ([], texts(bad["messages"])[-1:])
    counts = [(row["problem_id"], row["kind"]) for row in rows]
    assert all(counts.count(each) <= per_problem for each in counts)
    said = [json.dumps([row["kind"], row["prompt"], row["chosen"], row["rejected"]]) for row in rows]
    assert len(set(said)) == len(said)
    assert [row["pair_id"] for row in rows] == sorted({row["pair_id"] for row in rows})
    shuffled.shuffle(chains)
    assert made(chains, per_problem=per_problem, seed=seed)[0] == rows


@given(attempts)
@examples(150)
def test_a_rejected_step_is_one_that_no_correct_chain_takes_there(tried):
    chains = [chain(problem, turns, sample) for sample, (problem, turns) in enumerate(tried)]
    right = [row for row, judged in chains if judged["verdict"] == "correct"]
    for row in made(chains, kinds=("step",))[0]:
        here = len(row["prompt"])
        followed = [good["messages"][here] for good in right if good["messages"][:here] == row["prompt"]]
        assert row["chosen"][0] in followed and row["rejected"][0] not in followed
        assert row["chosen"][0]["content"] != "Add(a=84, b=3"  # a failed call is never the better turn
        assert {row["chosen"][0]["content"], row["rejected"][0]["content"]} != {SEVEN, "Multiply(b=7, a=12)"}


def test_a_chain_pair_holds_all_turns_and_a_step_pair_the_first_that_differs():
    chains = [chain(PENS, RIGHT, 0), chain(PENS, (SEVEN, 'Finish(answer="84")'), 1)]
    (whole, step), _ = made(chains)
    assert texts(whole["chosen"]) == [SEVEN, "84", "Add(a=84, b=3)", "87", 'Finish(answer="87")']
    assert texts(whole["rejected"]) == [SEVEN, "84", 'Finish(answer="84")']
    assert texts(step["prompt"])[2:] == [SEVEN, "84"]
    assert (texts(step["chosen"]), texts(step["rejected"])) == (["Add(a=84, b=3)"], ['Finish(answer="84")'])
    assert whole["failure"] == step["failure"] == "wrong_answer"


def test_the_reply_after_the_last_turn_of_a_stopped_chain_is_left_out():
    chains = [chain(PENS, RIGHT, 0), chain(PENS, (SEVEN, "no call"), 1)]
    (whole, _), _ = made(chains)
    assert texts(whole["rejected"])[-1] == "no call" and whole["failure"] == "malformed_call"


def test_undecided_chains_are_on_neither_side():
    undecided = chain(PENS, (SEVEN, 'Finish(answer="quite a few")'), 1)
    assert undecided[1]["verdict"] == "undecided"
    assert made([chain(PENS, RIGHT, 0), undecided])[0] == []
    assert made([chain(PENS, (SEVEN, 'Finish(answer="84")'), 0), undecided])[0] == []


def test_chains_with_different_prompts_make_no_pair():
    good, bad = chain(PENS, RIGHT, 0), chain(PENS, (SEVEN, 'Finish(answer="84")'), 1)
    bad[0]["messages"][0] = {"role": "system", "content": "Another prompt."}
    assert made([good, bad])[0] == []


def test_a_correct_chain_with_a_failed_call_is_chosen_only_where_there_is_no_cleaner_one():
    failing = chain(PENS, (SEVEN, "Add(a=84, b=3", *RIGHT[1:]), 0)
    bad = chain(PENS, (SEVEN, 'Finish(answer="84")'), 2)
    assert [row["chosen_chain_id"] for row in made([failing, bad], ("chain",))[0]] == [failing[0]["chain_id"]]
    clean = chain(PENS, RIGHT, 1)
    assert [row["chosen_chain_id"] for row in made([failing, clean, bad], ("chain",))[0]] == [clean[0]["chain_id"]]


def test_a_failed_call_is_never_the_better_step():
    failing = chain(PENS, (SEVEN, "Add(a=84, b=3", *RIGHT[1:]), 0)
    bad = chain(PENS, (SEVEN, 'Finish(answer="84")'), 1)
    assert made([failing, bad], ("step",))[0] == []


LUCKY = ("Add(a=12, b=7)", 'Finish(answer="87")')
WRONG = (SEVEN, 'Finish(answer="84")')


def test_a_lucky_answer_is_chosen_only_where_asked_for_and_where_no_chain_is_correct():
    lucky, wrong, right = (chain(PENS, texts, sample) for sample, texts in enumerate((LUCKY, WRONG, RIGHT)))
    assert (lucky[1]["verdict"], lucky[1]["answer_right"]) == ("incorrect", True)

    def sides(chains, asked):
        rows = [row for row, _ in chains]
        params = replace(SETTINGS, kinds=("chain",), lucky=asked)
        made, _ = pair.pairs(rows, [judged for _, judged in chains], params)
        return {(row["chosen_chain_id"], row["rejected_chain_id"]) for row in made}

    names = [row["chain_id"] for row, _ in (lucky, wrong, right)]
    assert sides([lucky, wrong], False) == set()
    assert sides([lucky, wrong], True) == {(names[0], names[1])}
    for asked in (False, True):
        assert sides([lucky, wrong, right], asked) == {(names[2], names[0]), (names[2], names[1])}
    assert sides([lucky], True) == set()


def test_pairs_spread_over_rejected_chains_and_failures():
    good = [chain(PENS, RIGHT, 0), chain(PENS, (SEVEN, 'Calculate(expression="84 + 3")', RIGHT[2]), 1)]
    wrong = [chain(PENS, (f"Add(a=12, b={n})", f"Finish(answer={12 + n})"), 10 + n) for n in range(4)]
    other = chain(PENS, ('Finish(answer="87")',), 30)
    for seed in range(5):
        rows, _ = made([*good, *wrong, other], ("chain",), per_problem=2, seed=seed)
        assert {row["failure"] for row in rows} == {"wrong_answer", "no_tool_call"}
        rows, _ = made([*good, *wrong, other], ("chain",), per_problem=5, seed=seed)
        assert len({row["rejected_chain_id"] for row in rows}) == 5
        assert {row["chosen_chain_id"] for row in rows} == {row["chain_id"] for row, _ in good}


@pytest.mark.parametrize("seed", range(12))
def test_another_failure_goes_before_another_chosen_chain(seed):
    goods = {name: pair.Side(name, "", [], [], [], []) for name in ("g1", "g2")}
    bads = {name: pair.Side(name, failure, [], [], [], []) for name, failure in (("b1", "x"), ("b2", "x"), ("b3", "y"))}
    possible = [
        pair.Candidate("chain", [], [], [], goods[good], bads[bad])
        for good, bad in (("g1", "b1"), ("g2", "b2"), ("g1", "b3"))
    ]
    chosen = pair.choose(possible, 2, random.Random(seed))
    assert {one.bad.failure for one in chosen} == {"x", "y"}


def test_each_problem_draws_for_itself():
    """Problems with the same chains do not all give the same pair."""
    chains = []
    for place in range(12):
        problem = replace(PENS, id=f"p/{place}")
        for sample, turns in enumerate((RIGHT, ("Multiply(b=7, a=12)", *RIGHT[1:]), (RIGHT[0], 'Finish(answer="84")'))):
            chains.append(chain(problem, turns, sample))
    rows, _ = made(chains, kinds=("chain",), per_problem=1)
    assert len(rows) == 12
    assert len({row["chosen_chain_id"].partition("#")[2] for row in rows}) == 2


def test_the_seed_chooses_and_one_more_problem_changes_no_other():
    chains = [chain(PENS, RIGHT, 0)]
    chains += [chain(PENS, (f"Add(a=12, b={n})", f"Finish(answer={12 + n})"), 10 + n) for n in range(8)]
    first = made(chains, ("chain",), per_problem=2)[0]
    assert any(made(chains, ("chain",), per_problem=2, seed=seed)[0] != first for seed in range(2, 9))
    more = [chain(CUPS, RIGHT, 0), chain(CUPS, ('Finish(answer="84")',), 1)]
    assert [row for row in made(chains + more, ("chain",), per_problem=2)[0] if row["problem_id"] == "p/1"] == first


def test_pairs_that_read_the_same_are_made_once_and_counted():
    chains = [chain(PENS, RIGHT, sample) for sample in range(3)]
    chains += [chain(PENS, (SEVEN, 'Finish(answer="84")'), sample) for sample in range(3, 5)]
    rows, duplicates = made(chains, per_problem=9)
    assert [row["kind"] for row in rows] == ["chain", "step"]
    assert duplicates == 2 * (3 * 2 - 1)


def test_a_chain_without_a_verdict_is_named():
    (one, judged), (two, _) = chain(PENS, RIGHT, 0), chain(PENS, ('Finish(answer="84")',), 1)
    with pytest.raises(InputError, match=r"no verdict on chain p/1#1-[0-9a-f]{8}; run `dvc repro verify`"):
        pair.pairs([one, two], [judged], SETTINGS)


@pytest.fixture(scope="module")
def tokenizer():
    from stages.students.scratch.tokenizer import train_tokenizer

    problems = [problem for name in builtin.MAKERS for problem in builtin.problems(name, "train", 30, 1)]
    said = [call.text() for problem in problems for call in problem.solution]
    conversation = [[{"role": "user", "content": text}] for text in [*said, *(p.question for p in problems)]]
    return train_tokenizer(conversation, 900)


@pytest.fixture
def folder(tmp_path, tokenizer, monkeypatch):
    """A project folder as pair finds it: parameters of a few problems, chains, verdicts and the base's tokenizer."""
    (tmp_path / "params.yaml").write_text(small_params())
    tokenizer.save_pretrained(tmp_path / "models/base")
    chains = [chain(PENS, RIGHT, 0), chain(PENS, (SEVEN, 'Finish(answer="84")'), 1), chain(CUPS, RIGHT, 0)]
    chains.append(chain(CUPS, ('Reasoning(thought="' + "very long " * 150 + '")', 'Finish(answer="84")'), 1))
    store(tmp_path, chains)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pair"])
    return tmp_path


def store(folder, chains):
    schema.write(folder / "data/chains.jsonl", [row for row, _ in chains], "chains")
    schema.write(folder / "data/verdicts.jsonl", [judged for _, judged in chains], "verdicts")


def counted(folder):
    return json.loads((folder / "metrics/pair.json").read_text())


def test_a_pair_that_is_too_long_is_dropped_by_name_and_counted(folder, capsys):
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("max_length: 900\ntrain", "max_length: 150\ntrain"))
    pair.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pair p/2/chain-") and "tokens, limit 150; raise pair.max_length" in line
    assert counted(folder)["dropped"] == {"too_long": 1, "duplicate": 0}
    assert [row["problem_id"] for row in schema.read(folder / "data/pairs.jsonl", "pairs")] == ["p/1"]


def test_a_chain_that_the_template_refuses_is_dropped_by_name_and_counted(folder, capsys):
    template = folder / "models/base/chat_template.jinja"
    strict = (
        "{%- for m in messages %}{%- if 'very long' in m.content %}{{ raise_exception('no') }}{%- endif %}{%- endfor %}"
    )
    template.write_text(strict + template.read_text())
    pair.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("chain p/2#1") and "refuses a conversation: no" in line
    assert counted(folder)["dropped"] == {"too_long": 0, "duplicate": 0, "not_rendered": 1}
    assert [row["problem_id"] for row in schema.read(folder / "data/pairs.jsonl", "pairs")] == ["p/1"]


def test_the_stage_ends_with_one_line_of_what_came_out(folder, capsys):
    pair.main()
    made = "pair: 1 pairs of 1 problems: math chain 1; 2 demonstrations; dropped: 1 too_long, 0 duplicate\n"
    assert capsys.readouterr().out == made


def test_lengths_are_those_of_what_the_student_reads(folder, tokenizer):
    pair.main()
    rows = schema.read(folder / "data/pairs.jsonl", "pairs")
    for row, count in zip(rows, lengths(tokenizer, rows, pair.SIDES), strict=True):
        prompt = "<|user|>" + row["prompt"][1]["content"] + "<|end|><|assistant|>"
        assert count["prompt"] == len(tokenizer(prompt)["input_ids"])
        whole = tokenizer.apply_chat_template(row["prompt"] + row["chosen"], tokenize=True)["input_ids"]
        assert count["prompt"] + count["chosen"] == len(whole)
    means = counted(folder)["mean_tokens"]
    tokens = sum(count["rejected"] for count in lengths(tokenizer, rows, pair.SIDES))
    assert means["rejected"] == pytest.approx(tokens / len(rows))


def test_lucky_pairs_are_counted_where_they_are_asked_for(folder):
    store(folder, [chain(PENS, RIGHT, 0), chain(PENS, WRONG, 1), chain(CUPS, LUCKY, 0), chain(CUPS, WRONG, 1)])
    pair.main()
    assert "lucky" not in counted(folder) and counted(folder)["problems_covered"] == 1
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("lucky: false", "lucky: true"))
    pair.main()
    assert counted(folder)["lucky"] == 1 and counted(folder)["problems_covered"] == 2


def test_no_pair_at_all_is_an_error_that_says_why_and_keeps_the_old_file(folder):
    pair.main()
    before = (folder / "data/pairs.jsonl").read_bytes()
    store(folder, [chain(PENS, RIGHT, 0)])
    with pytest.raises(InputError, match="no pair: 1 correct and 0 incorrect chains"):
        pair.main()
    assert (folder / "data/pairs.jsonl").read_bytes() == before


def test_the_stage_writes_the_same_bytes_each_time(folder):
    pair.main()
    first = [(folder / name).read_bytes() for name in ("data/pairs.jsonl", "metrics/pair.json")]
    chains = schema.read(folder / "data/chains.jsonl", "chains")
    random.Random(1).shuffle(chains)
    schema.write(folder / "data/chains.jsonl", chains, "chains")
    pair.main()
    assert first == [(folder / name).read_bytes() for name in ("data/pairs.jsonl", "metrics/pair.json")]


def test_a_missing_tokenizer_is_one_error(folder):
    shutil.rmtree(folder / "models")
    with pytest.raises(InputError, match=r"models/base: no tokenizer there; make it with `dvc repro train@base`"):
        pair.main()
