"""One native call as models write it out, in the marks of their templates."""

from __future__ import annotations

import json

ADD = '{"name": "Add", "arguments": {"a": 3, "b": 0.5}}'
ARGUMENTS = '{"a": 3, "b": 0.5}'
FORMS = {
    "hermes": f"I will add.\n<tool_call>\n{ADD}\n</tool_call>",
    "hermes, cut at the closing mark": f"<tool_call>\n{ADD}\n",
    "llama 3": ADD.replace("arguments", "parameters"),
    "llama 3, tagged": f"<|python_tag|>{ADD.replace('arguments', 'parameters')}<|eom_id|>",
    "llama 3, typed": f'{{"type": "function", "function": {ADD}}}',
    "llama 3, its name under function": f'{{"type": "function", "function": "Add", "parameters": {ARGUMENTS}}}',
    "llama 3.1": f"<function=Add>{ARGUMENTS}</function>",
    "llama 4": "[Add(a=3, b=0.5)]",
    "mistral": f'[TOOL_CALLS] [{{"name": "Add", "arguments": {ARGUMENTS}, "id": "abcdefghi"}}]</s>',
    "mistral, name first": f"[TOOL_CALLS]Add{ARGUMENTS}",
    "mistral, v11": f"[TOOL_CALLS]Add[CALL_ID]abcdefghi[ARGS]{ARGUMENTS}",
    "granite": f"<|tool_call|>[{ADD}]",
    "deepseek v3": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>Add\n```json\n"
    f"{ARGUMENTS}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
    "deepseek v3.1": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>Add<｜tool▁sep｜>"
    f"{ARGUMENTS}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.Add:0<|tool_call_argument_begin|>"
    f"{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "qwen 3 coder": "<tool_call>\n<function=Add>\n<parameter=a>\n3\n</parameter>\n<parameter=b>\n0.5\n</parameter>\n"
    "</function>\n</tool_call>",
    "glm": "<tool_call>Add\n<arg_key>a</arg_key>\n<arg_value>3</arg_value>\n<arg_key>b</arg_key>\n"
    "<arg_value>0.5</arg_value>\n</tool_call>",
    "a fence": f"```json\n{ADD}\n```",
    "a list": f"[{ADD}]",
    "arguments as JSON text": f'<tool_calls>[{{"name": "Add", "arguments": {json.dumps(ARGUMENTS)}}}]</tool_calls>',
    "our form in marks": "<tool_call>Add(a=3, b=0.5)</tool_call>",
}
