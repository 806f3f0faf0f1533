"""The mask at its borders: tokens that join prompt and turn, marks behind the last turn, changed texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import small_settings
from students import byte_tokenizer, random_model
from test_student_masks import TALK

from stages import train
from stages.records.errors import InputError
from stages.students.chat import ChatText
from stages.students.load import save_student
from stages.students.masks import encode, trained_token_share


def joining_tokenizer(joined: list[str]):
    """A byte-level BPE without pre-tokenizer's borders, whose most frequent piece joins the prompt's end and a turn."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    plain = byte_tokenizer("qwen")
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet)
    backend.train_from_iterator(joined * 8, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.chat_template = plain.chat_template
    return tokenizer


@pytest.mark.parametrize("joined", [["assistant\nAdd(a=", "assistant\nFinish("], ["assistant\nA", "assistant\nF"]])
def test_a_token_that_joins_prompt_and_turn_is_taken_apart(joined):
    tokenizer = joining_tokenizer(joined)
    chat = ChatText(tokenizer)
    text = chat.texts([TALK])[0]
    pieces = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])
    assert joined[0].replace("\n", "Ċ") in pieces  # the whole text has such tokens: no mask fits them
    ids, own = encode(tokenizer, TALK)
    assert tokenizer.decode(ids) == text
    marked = "".join(tokenizer.decode([token]) if mine else "\0" for token, mine in zip(ids, own, strict=True))
    assert [part for part in marked.split("\0") if part] == ["Add(a=3, b=4)<|im_end|>", 'Finish(answer="7")<|im_end|>']
    asked = chat.ids(chat.texts([TALK[:2]], ask=True)[0])
    assert ids[: len(asked)] == asked and own[len(asked)]  # the prompt is what the student reads when it is asked
    assert trained_token_share(tokenizer, [(ids, own)], [TALK]) == 1.0


@pytest.mark.parametrize("shape", ["qwen", "llama"])
def test_marks_behind_the_last_turn_do_not_count_as_written(shape):
    tokenizer = byte_tokenizer(shape)
    talk = [*TALK, {"role": "user", "content": "Right."}]
    ids, own = encode(tokenizer, talk)
    assert trained_token_share(tokenizer, [(ids, own)], [talk]) == 1.0
    behind = [*own[:-3], True, True, True]
    share = trained_token_share(tokenizer, [(ids, behind)], [talk])
    assert share == pytest.approx(sum(own) / (sum(own) + 3))


def test_training_refuses_a_tokenizer_that_changes_what_was_written(tmp_path):
    from tokenizers import normalizers

    tokenizer = byte_tokenizer("llama")
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    save_student(random_model("llama", tokenizer), tokenizer, tmp_path / "base")
    params = small_settings()
    params = replace(params, train=replace(params.train, student="mine", max_length=4096))
    pair = {"pair_id": "p", "prompt": TALK[:2], "chosen": TALK[2:], "rejected": TALK[4:]}
    with pytest.raises(InputError, match=r"only \d+\.\d{4}% of the tokens to be trained decode to what a model wrote"):
        train.dpo(params, str(tmp_path / "base"), [pair])
