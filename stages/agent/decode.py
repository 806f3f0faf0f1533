"""Many chains at once: one growing key-value cache a chain, in which tool results are fed as they come.

Each row of the batch is a chain. It is fed one token a forward pass: the next token of a tool's reply while one waits,
else the token the model chose. So no prompt is read twice, and rows never wait for one another's tools; a row that is
done leaves the batch and its cache goes with it.
"""

from __future__ import annotations

import functools
import random
from collections import deque
from collections.abc import Callable, Sequence

from stages.agent.loop import Attempt, Reply
from stages.params import AgentParams
from stages.records.chain import Chain, Message
from stages.records.errors import brief
from stages.records.problem import Problem
from stages.records.progress import bar
from stages.students.chat import ChatText
from stages.students.load import positions
from stages.students.places import StudentError


class _Row:
    """One chain while it is decoded.

    `length`: tokens in the cache; `waiting`: tokens to feed before the model chooses; `written`: what it chose this
    turn, having read `read` tokens.
    """

    def __init__(self, attempt: Attempt, chat: ChatText):
        self.attempt, self.chat = attempt, chat
        self.prompt = chat.ids(chat.prompt(attempt.messages))
        self.length = self.read = len(self.prompt)
        self.waiting: deque[int] = deque()
        self.written: list[int] = []
        self.noise: random.Random | None = None

    def start(self, limit: int) -> bool:
        """Whether the model can read the prompt and write behind it."""
        if self.length > limit:
            self.attempt.stop = "max_tokens"
        return not self.attempt.stop

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
        text = self.chat.read(self.written, self.attempt.messages)
        self.attempt.advance(Reply(text, self.read, len(self.written), cut=cut))
        self.written = []
        if not self.attempt.stop:
            # Encoded with the token before it: some tokenizers add a space at the start of a text.
            self.waiting.extend(self.chat.ids(self.chat.end + self.chat.following(self.attempt.messages)))
            self.read = self.length + len(self.waiting)


class Turn:
    """The next turn of a conversation while it is decoded, and what became of it: `text`, and whether it was `cut`.

    Where the prompt alone is more than the model reads, nothing is written, and cut. `unwanted` is asked before each
    token, so that a turn that nobody waits for any more leaves the batch.
    """

    def __init__(self, messages: list[Message], chat: ChatText, seed: object, unwanted: Callable[[], bool]):
        self.messages, self.chat, self.unwanted = messages, chat, unwanted
        self.prompt = chat.ids(chat.prompt(messages))
        self.length = len(self.prompt)
        self.written: list[int] = []
        self.cut = False
        self.noise = random.Random(f"{seed} {self.prompt}")

    @property
    def text(self) -> str:
        return self.chat.read(self.written, self.messages)

    def start(self, limit: int) -> bool:
        self.cut = self.length > limit
        return not self.cut

    def take(self, token: int, stops: set[int], max_tokens: int, limit: int) -> int | None:
        """The token to feed next, None when the turn is over."""
        if token in stops or self.unwanted():
            return None
        self.written.append(token)
        self.cut = len(self.written) >= max_tokens or self.length >= limit
        self.length += 1
        return None if self.cut else token


def write_turns(
    model, chat: ChatText, turns: Sequence[Turn], max_tokens: int, temperature: float = 0.0, top_p: float = 1.0
) -> None:
    """Let the model write all these turns, in one batch; a turn depends on its own prompt and seed alone."""
    import torch

    model.eval()
    stops, limit = _stops(model, chat), positions(model)
    with torch.inference_mode():
        _decode(model, turns, stops, max_tokens, limit, temperature, top_p, lambda _count: None)


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

    Greedy at temperature 0, else sampled; a chain's randomness depends on seed, sample and problem id alone, not on the
    batch. A turn of `max_tokens` tokens without an end is cut. A chain that fills the model's positions stops with
    `max_tokens`.

    Raises:
        TemplateError: the chat template cannot carry a conversation turn by turn.
        StudentError: the model's architecture cannot be decoded here.
    """
    import torch

    chat = ChatText(tokenizer)
    check(model, chat)
    stops, limit = _stops(model, chat), positions(model)
    attempts = [
        Attempt(problem, agent.max_steps, agent.max_errors, agent.examples, name, sample) for problem in problems
    ]
    rows = sorted((_Row(attempt, chat) for attempt in attempts), key=lambda row: row.length)
    if temperature:
        for row in rows:
            row.noise = random.Random(f"{seed} {sample} {row.attempt.problem.id}")
    model.eval()
    with torch.inference_mode(), bar(len(rows), "chain", progress, name) as shown:
        for start in range(0, len(rows), batch):
            _decode(model, rows[start : start + batch], stops, max_tokens, limit, temperature, 1.0, shown.update)
    return [attempt.chain() for attempt in attempts]


def check(model, chat: ChatText, all_kinds: bool = False) -> None:
    """Refuse a model that does not write here, in a batch whose rows end one by one, what `generate` has it write.

    Attention alone does, with transformers' caches; models that carry a state along are tried (of transformers 5.24
    RWKV and RecurrentGemma read padding as text, and some keep what they read in a cache of their own). Near ties may
    fall either way. `all_kinds`: try attention alone, too.

    Raises:
        StudentError: it does not, or cannot be asked.
    """
    import torch
    from transformers import DynamicCache, GenerationConfig
    from transformers.cache_utils import LinearAttentionCacheLayerMixin

    from stages.students.scratch.recurrent import RecurrentConfig

    if isinstance(model.config, RecurrentConfig):
        return
    layers = DynamicCache(config=model.config).layers
    carries = getattr(model, "_is_stateful", False) or any(
        isinstance(x, LinearAttentionCacheLayerMixin) for x in layers
    )
    if not carries and not all_kinds:
        return
    questions = ("Count to ten.", "2 + 2?", "Name the days of the week, then the months, one by one.")
    counts = dict(zip(questions, (2, 5, 8), strict=True))
    turns: list[Turn] = []
    for index, (question, count) in enumerate(counts.items()):
        over = functools.partial(lambda index, count: len(turns[index].written) >= count, index, count)
        turns.append(Turn([{"role": "user", "content": question}], chat, 0, over))
    stops = _stops(model, chat)
    declared, model.generation_config = model.generation_config, GenerationConfig()  # it may penalise repetition
    refused = f"{chat.tokenizer.name_or_path}: {model.config.model_type}"
    model.eval()
    try:
        with torch.inference_mode():
            _decode(model, turns, stops, 99, positions(model), 0.0, 1.0, lambda _count: None)
            for turn, count in zip(turns, counts.values(), strict=True):
                read = torch.tensor([turn.prompt], device=model.device)
                wanted = model.generate(
                    read, attention_mask=torch.ones_like(read), max_new_tokens=count, eos_token_id=sorted(stops)
                )[0].tolist()[turn.length - len(turn.written) :]
                written = [*turn.written, *sorted(stops)[:1]][: len(wanted)]
                at = next((i for i, (a, b) in enumerate(zip(written, wanted, strict=True)) if a != b), None)
                if at is None or (wanted[at] in stops and at == len(turn.written)):
                    continue
                logits = model(torch.tensor([[*turn.prompt, *wanted[:at]]], device=model.device)).logits[0, -1].float()
                if logits[wanted[at]] - logits[written[at]] > 0.1 * logits.std():
                    said = "does not write here what its own `generate` writes (the batch changes its tokens)"
                    raise StudentError(f"{refused} {said}; choose a student of another architecture")
    except (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        said = (
            f"cannot be decoded here: {type(error).__name__}: {brief(error)}; choose a student of another architecture"
        )
        raise StudentError(f"{refused} {said}") from error
    finally:
        model.generation_config = declared


def _stops(model, chat: ChatText) -> set[int]:
    """The tokens that end a turn: the template's, the tokenizer's and those that the model's folder declares."""
    declared = model.generation_config.eos_token_id
    declared = [declared] if isinstance(declared, int) else declared or []
    return {chat.end_id, chat.tokenizer.eos_token_id, *declared}


def _decode(
    model,
    rows: Sequence[_Row] | Sequence[Turn],
    stops: set[int],
    max_tokens: int,
    limit: int,
    temperature: float,
    top_p: float,
    over: Callable[[int], object],
) -> None:
    """Advance all rows until each is over; `over` is told how many are, as they are."""
    import torch
    from transformers import DynamicCache

    from stages.students.scratch.recurrent import Reading, RecurrentConfig

    ready = [row for row in rows if row.start(limit)]
    over(len(rows) - len(ready))
    rows = ready
    if not rows:
        return
    recurrent = isinstance(model.config, RecurrentConfig)
    device, cache = model.device, Reading() if recurrent else DynamicCache(config=model.config)
    longest = max(row.length for row in rows)
    pad = min(stops)  # any id: padding is masked
    ids = torch.tensor([[pad] * (longest - row.length) + row.prompt for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - row.length) + [1] * row.length for row in rows], device=device)
    places = (mask.cumsum(1) - 1).clamp(min=0)
    first = True
    while rows:
        # As the model's own `generate` would feed it: Mamba, for one, wants no mask once the prompts are read.
        inputs = model.prepare_inputs_for_generation(
            ids,
            attention_mask=mask,
            position_ids=places,
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
            is_first_iteration=first,
        )
        logits, first = model(**inputs).logits[:, -1], False
        chosen = _choose(logits, rows, temperature, top_p)
        fed = [row.take(token, stops, max_tokens, limit) for row, token in zip(rows, chosen, strict=True)]
        going = [index for index, token in enumerate(fed) if token is not None]
        if len(going) < len(rows):
            over(len(rows) - len(going))
            rows = [rows[index] for index in going]
            if not rows:
                return
            kept = torch.tensor(going, device=device)
            cache.reorder_cache(kept)  # batch_select_indices is not there for linear attention
            mask = mask[kept]
        ids = torch.tensor([[fed[index]] for index in going], device=device)
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        places = torch.tensor([[row.length - 1] for row in rows], device=device)


def _choose(logits, rows: Sequence[_Row] | Sequence[Turn], temperature: float, top_p: float) -> list[int]:
    """The model's next token in each row: the likeliest, or one drawn by the row's own noise.

    Drawn where the running sum of the shares passes a uniform number, one a row: all on the model's device, and other
    rows make no difference. `top_p` keeps the likeliest tokens until their shares add up to it.
    """
    import torch

    if not temperature:
        return logits.argmax(-1).tolist()
    shares = torch.softmax(logits.double() / temperature, dim=-1)
    order = None
    if top_p < 1.0:
        shares, order = shares.sort(dim=-1, descending=True, stable=True)
        beyond = shares.cumsum(-1) - shares >= top_p
        beyond[:, 0] = False
        shares = shares.masked_fill(beyond, 0.0)
    sums = shares.cumsum(-1)
    drawn = torch.tensor([[row.noise.random()] for row in rows], dtype=sums.dtype, device=sums.device)
    chosen = torch.searchsorted(sums, drawn * sums[:, -1:], right=True).clamp(max=sums.shape[-1] - 1)
    return (chosen if order is None else order.gather(-1, chosen))[:, 0].tolist()
