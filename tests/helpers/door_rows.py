"""One row of each door."""

from __future__ import annotations

from stages.records import schema

TURNS = [{"role": "user", "content": "What is 2 + 3?"}, {"role": "assistant", "content": "Add(a=2, b=3)"}]
STEP = {
    "text": "Add(a=2, b=3)",
    "tool": "Add",
    "arguments": {"a": "2", "b": "3"},
    "result": "5",
    "error": "",
    "failure": "",
}
ROWS = {
    "chains": {
        "chain_id": "p/1#0-00000000",
        "problem_id": "p/1",
        "task": "math",
        "toolkit": "arithmetic",
        "source": "p",
        "question": "What is 2 + 3?",
        "gold": "5",
        "teacher": "t",
        "sample": 0,
        "messages": TURNS,
        "steps": [STEP],
        "answer": "5",
        "stop": "finish",
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "cost_usd": 0.5,
    },
    "corpus": {"problem_id": "p/1", "sample": 0, "task": "math", "messages": TURNS},
    "verdicts": {
        "chain_id": "p/1#0-00000000",
        "problem_id": "p/1",
        "verdict": "correct",
        "failure": "",
        **dict.fromkeys(schema.HARD_CHECKS + schema.SOFT_CHECKS, True),
        "perturbation": "",
    },
    "pairs": {
        "pair_id": "p/1/chain-00000000",
        "problem_id": "p/1",
        "task": "math",
        "kind": "chain",
        "prompt": TURNS[:1],
        "chosen": TURNS[1:],
        "rejected": TURNS[1:],
        "chosen_chain_id": "a",
        "rejected_chain_id": "b",
        "failure": "wrong_answer",
    },
    "demonstrations": {
        "chain_id": "p/1#0-00000000",
        "problem_id": "p/1",
        "task": "math",
        "prompt": TURNS[:1],
        "completion": TURNS[1:],
    },
    "predictions": {
        "model": "base",
        "use": "heldout",
        "problem_id": "p/1",
        "task": "math",
        "question": "What is 2 + 3?",
        "gold": "5",
        "steps": [STEP],
        "answer": "5",
        "stop": "finish",
        "verdict": "correct",
        "failure": "",
        "answer_right": True,
        "tokens": 3,
    },
}
