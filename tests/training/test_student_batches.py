"""Which examples a step sees depends on lengths and seed alone."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stages.training.batches import by_count, by_tokens

LENGTHS = st.lists(st.integers(1, 80), min_size=1, max_size=60)


@given(LENGTHS, st.integers(1, 30), st.integers(1, 300), st.integers())
def test_padded_batches_stay_within_their_tokens(lengths, steps, tokens, seed):
    batches = by_tokens(lengths, steps, tokens, seed)
    assert len(batches) == steps
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= tokens


@given(LENGTHS, st.integers(1, 30), st.integers(1, 9), st.integers())
def test_each_step_sees_as_many_examples_as_asked(lengths, steps, count, seed):
    assert {len(batch) for batch in by_count(lengths, steps, count, seed)} == {count}


@given(LENGTHS)
def test_every_example_appears_equally_often(lengths):
    seen = Counter(index for batch in by_count(lengths, 16 * len(lengths), 3, 1) for index in batch)
    assert set(seen) == set(range(len(lengths))) and len(set(seen.values())) == 1


def test_the_seed_decides_the_order():
    lengths = list(range(1, 200))
    assert by_tokens(lengths, 9, 500, 1) == by_tokens(lengths, 9, 500, 1) != by_tokens(lengths, 9, 500, 2)


def test_examples_of_like_length_share_a_batch():
    lengths = [5, 50] * 512
    batches = by_tokens(lengths, 100, 500, 1)
    assert sum(len({lengths[index] for index in batch}) == 1 for batch in batches) >= 97
