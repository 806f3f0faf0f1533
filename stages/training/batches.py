"""Which examples a training step sees: planned before training, from lengths and a seed alone."""

from __future__ import annotations

import random
from collections.abc import Callable


def by_tokens(lengths: list[int], steps: int, tokens: int, seed: int) -> list[list[int]]:
    """`steps` batches of at most `tokens` padded tokens each; a longer example is a batch of its own.

    `lengths`: tokens of each example. A batch is a list of indices into it.
    """
    return _plan(lengths, steps, 1024, seed, lambda size, longest: size * longest <= tokens)


def by_count(lengths: list[int], steps: int, count: int, seed: int) -> list[list[int]]:
    """`steps` batches of `count` examples each; `lengths` and batches as for `by_tokens`."""
    return _plan(lengths, steps, 16 * count, seed, lambda size, longest: size <= count)


def _plan(lengths: list[int], steps: int, window: int, seed: int, fits: Callable[[int, int], bool]) -> list[list[int]]:
    """Examples in a seeded order, epoch after epoch, cut into batches.

    Within a window, examples of like length share a batch, so that little is padded, and the window's batches come in
    a seeded order, so that lengths do not drift.
    """
    rng = random.Random(seed)
    batches: list[list[int]] = []
    waiting: list[int] = []
    while len(batches) < steps:
        # Fill the window: each epoch has every example once, in an order of its own.
        while len(waiting) < window:
            epoch = list(range(len(lengths)))
            rng.shuffle(epoch)
            waiting += epoch
        # Sort the window by length, and cut it into batches.
        now, waiting = sorted(waiting[:window], key=lambda index: lengths[index]), waiting[window:]
        made: list[list[int]] = [[]]
        for index in now:
            if made[-1] and not fits(len(made[-1]) + 1, lengths[index]):
                made.append([])
            made[-1].append(index)
        rng.shuffle(made)
        batches += made
    return batches[:steps]
