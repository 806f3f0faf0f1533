"""Many chains at once: one growing key-value cache a chain, in which tool results are fed as they come.

Each row of the batch is a chain. It is fed one token a forward pass: the next token of a tool's reply while one waits,
else the token the model chose. So no prompt is read twice, and rows never wait for one another's tools; a row that is
done leaves the batch and its cache goes with it.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Sequence

from stages.agent import Attempt, Reply
from stages.chain import Chain
from stages.params import AgentParams
from stages.problems.problem import Problem
from stages.student.load import positions
from stages.student.masks import ChatText


class _Row:
    """One chain while it is decoded.

    `length`: tokens in the cache; `waiting`: tokens to feed before the model chooses; `written`: what it chose this
    turn, having read `read` tokens.
    """

    def __init__(self, attempt: Attempt, chat: ChatText):
        self.attempt, self.chat = attempt, chat
        self.prompt = chat.ids(chat.texts([attempt.messages], ask=True)[0])
        self.length = self.read = len(self.prompt)
        self.waiting: deque[int] = deque()
        self.written: list[int] = []
        self.noise: object = None

    def take(self, token: int, stops: set[int], max_tokens: int, limit: int) -> int | None:
        """The token to feed next, None when the chain is over. `token` is the model's choice after what it was fed."""
        if self.waiting:
            return self._feed(self.waiting.popleft(), limit)
        if token not in stops:
            self.written.append(token)
            if len(self.written) < max_tokens:
                return self._feed(token, limit)
        self._end_turn(cut=token not in stops)
        return None if self.attempt.stop else self._feed(self.waiting.popleft(), limit)

    def _feed(self, token: int, limit: int) -> int | None:
        if self.length < limit:
            self.length += 1
            return token
        # The model's positions are used up: what it has written so far is its last turn.
        if self.written:
            self._end_turn(cut=True)
        self.attempt.stop = self.attempt.stop or "max_tokens"
        return None

    def _end_turn(self, cut: bool) -> None:
        """Hand the turn to the agent and queue what the model reads before its next one."""
        text = self.chat.tokenizer.decode(self.written, skip_special_tokens=False)
        self.attempt.advance(Reply(text, self.read, len(self.written), cut=cut))
        self.written = []
        if not self.attempt.stop:
            # Encoded with the token before it: some tokenizers add a space at the start of a text.
            self.waiting.extend(self.chat.ids(self.chat.end + self.chat.following(self.attempt.messages)))
            self.read = self.length + len(self.waiting)


def solve_all(
    model,
    tokenizer,
    problems: Sequence[Problem],
    agent: AgentParams,
    batch: int,
    max_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    sample: int = 0,
    name: str = "",
    progress: bool = False,
) -> list[Chain]:
    """One chain a problem, in the order of the problems, by the student `model`, called `name` in the chains.

    Greedy at temperature 0, else sampled; a chain's randomness hangs on seed, sample and problem id alone, not on the
    batch. A turn of `max_tokens` tokens without an end is cut. A chain that fills the model's positions stops with
    `max_tokens`.

    Raises:
        TemplateError: the chat template cannot carry a conversation turn by turn.
    """
    import torch
    from tqdm import tqdm

    chat = ChatText(tokenizer)
    stops = {chat.end_id, tokenizer.eos_token_id}
    declared = model.generation_config.eos_token_id
    stops.update([declared] if isinstance(declared, int) else declared or [])
    limit = positions(model)
    attempts = [
        Attempt(problem, agent.max_steps, agent.max_errors, agent.examples, name, sample) for problem in problems
    ]
    rows = sorted((_Row(attempt, chat) for attempt in attempts), key=lambda row: row.length)
    if temperature:
        for row in rows:
            row.noise = torch.Generator().manual_seed(
                random.Random(f"{seed} {sample} {row.attempt.problem.id}").getrandbits(62)
            )
    model.eval()
    often = 0.2 if sys.stderr.isatty() else 10.0  # seconds; a log file wants few lines
    bar = tqdm(total=len(rows), unit="chain", desc=name or None, disable=not progress, mininterval=often)
    with torch.inference_mode(), bar:
        for start in range(0, len(rows), batch):
            _decode(model, rows[start : start + batch], stops, max_tokens, limit, temperature, bar)
    return [attempt.chain() for attempt in attempts]


def _decode(model, rows: list[_Row], stops: set[int], max_tokens: int, limit: int, temperature: float, bar) -> None:
    """Advance all rows until each attempt has stopped."""
    import torch
    from transformers import DynamicCache

    for row in rows:
        if row.length > limit:
            row.attempt.stop = "max_tokens"
    bar.update(sum(bool(row.attempt.stop) for row in rows))
    rows = [row for row in rows if not row.attempt.stop]
    if not rows:
        return
    device, cache = model.device, DynamicCache(config=model.config)
    longest = max(row.length for row in rows)
    pad = min(stops)  # any id: padding is masked
    ids = torch.tensor([[pad] * (longest - row.length) + row.prompt for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - row.length) + [1] * row.length for row in rows], device=device)
    places = (mask.cumsum(1) - 1).clamp(min=0)
    while rows:
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=places,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        chosen = _choose(logits, rows, temperature)
        fed = [row.take(token, stops, max_tokens, limit) for row, token in zip(rows, chosen, strict=True)]
        going = [index for index, token in enumerate(fed) if token is not None]
        if len(going) < len(rows):
            bar.update(len(rows) - len(going))
            rows = [rows[index] for index in going]
            if not rows:
                return
            kept = torch.tensor(going, device=device)
            cache.batch_select_indices(kept)
            mask = mask[kept]
        ids = torch.tensor([[fed[index]] for index in going], device=device)
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        places = torch.tensor([[row.length - 1] for row in rows], device=device)


def _choose(logits, rows: list[_Row], temperature: float) -> list[int]:
    """The model's next token in each row: the likeliest, or one drawn with the row's own generator."""
    import torch

    if not temperature:
        return logits.argmax(-1).tolist()
    shares = torch.softmax(logits.float().cpu() / temperature, dim=-1)
    return [int(torch.multinomial(share, 1, generator=row.noise)) for share, row in zip(shares, rows, strict=True)]
