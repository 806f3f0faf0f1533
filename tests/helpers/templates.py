"""Tokenizers with published chat templates, and with some of our own words."""

from __future__ import annotations

from pathlib import Path

import trl
from students import QWEN_TEMPLATE, byte_tokenizer

PUBLISHED = Path(trl.__file__).parent / "chat_templates"
CONTROL = [
    *("<s>", "</s>", "<bos>", "<end_of_turn>", "<start_of_turn>", "<|im_start|>", "<|im_end|>", "<|eot_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|end|>", "<|return|>", "<|user|>", "<|assistant|>", "<turn|>"),
    *("<｜end▁of▁sentence｜>", "<｜Assistant｜>", "<｜User｜>", "[INST]", "[/INST]", "<|endoftext|>"),
]
# As Mistral 7B v0.3 does: the system text stands in the last user turn.
MISTRAL = """\
{{- bos_token }}{%- set system = messages[0].content if messages[0].role == 'system' else '' -%}
{%- set rest = messages[1:] if system else messages -%}
{%- for message in rest -%}
{%- if message.role == 'assistant' -%}{{- ' ' + message.content | trim + eos_token -}}
{%- elif loop.index0 % 2 -%}{{- raise_exception('roles must alternate') -}}
{%- elif system and message == (rest | selectattr('role', 'equalto', 'user') | list | last) -%}
{{- '[INST] ' + system + '\\n\\n' + message.content + '[/INST]' -}}
{%- else -%}{{- '[INST] ' + message.content + '[/INST]' -}}{%- endif -%}
{%- endfor -%}"""
# As Phi 3 first did: a system turn is left out.
SILENT = """\
{%- for message in messages -%}
{%- if message.role == 'user' -%}{{- '<|user|>\\n' + message.content + '<|end|>\\n<|assistant|>\\n' -}}
{%- elif message.role == 'assistant' -%}{{- message.content + '<|end|>\\n' -}}{%- endif -%}
{%- endfor -%}"""
WINDOW = QWEN_TEMPLATE.replace("for message in messages", "for message in messages[-2:]")
OWN = {"mistral_v0_3": MISTRAL, "phi3_first": SILENT, "window": WINDOW}


def tokenizer_of(name):
    tokenizer = byte_tokenizer("qwen")
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>", "additional_special_tokens": CONTROL})
    file = PUBLISHED / f"{name}.jinja"
    tokenizer.chat_template = OWN[name] if name in OWN else file.read_text(encoding="utf-8")
    return tokenizer
