"""B5: tokens a second and memory of a training step, beside plain trl.

    python tests/benchmarks/training.py STUDENT     # a folder or hub id, or `tiny`; about ten minutes with SmolLM2

Conversations and pairs are of the built-in problems, with the whole prompt, as a real student reads them. Three ways,
each in a process of its own, first with SFTTrainer, then with DPOTrainer: trl as it comes in 32 bits; ours in 32 bits;
ours with products in bfloat16. Tokens are counted row by row, prompts too, so that all three have done the same work.
The last line has our speed over plain trl's, in 32 bits and in bfloat16.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import time

WAYS = {"plain fp32": (False, False), "ours fp32": (True, False), "ours bf16": (True, True)}  # ours?, bf16?


def conversations(count: int, seed: str) -> list[tuple[list[dict], int]]:
    """Messages of one attempt at each problem, math and logic by turns, and how many of them are the prompt."""
    from stages.agent.prompt import prompt_messages
    from stages.params import ErrorRates
    from stages.problems import builtin
    from stages.teacher.simulated.corpus import conversation

    found = zip(
        *(builtin.problems(f"builtin/{task}", "train", count // 2, 1) for task in ("math", "logic")), strict=True
    )
    made = []
    for problem in (problem for both in found for problem in both):
        prompt = prompt_messages(problem, 0)
        made.append(([*prompt, *conversation(problem, seed, ErrorRates(0.6, 0.1, 0.1))[1:]], len(prompt)))
    return made


def student(place: str):
    if place != "tiny":
        from stages.students.load import load_student

        model, tokenizer = load_student(place)
        return model.float(), tokenizer
    from stages.params import load
    from stages.students.scratch.models import build_tiny
    from stages.students.scratch.tokenizer import train_tokenizer

    tiny = load("params.yaml").train.tiny
    tokenizer = train_tokenizer([messages for messages, _ in conversations(2000, "a")], tiny.vocabulary, False)
    return build_tiny(tokenizer, tiny, 1), tokenizer


def measure(place: str, objective: str, way: str, rows: int, steps: int) -> dict:
    """Tokens a second of the steps after the first, and the most memory the process held (GiB)."""
    import torch
    import transformers

    from stages.students.masks import encode_all
    from stages.training import imitation, preference, trainer
    from stages.training.batches import by_count

    ours, bf16 = WAYS[way]
    torch.set_num_threads(2)
    model, tokenizer = student(place)
    if not ours:
        for module in (imitation, preference):
            module.sparing = lambda model: contextlib.nullcontext()
    count = rows if objective == "sft" else rows // 2
    sides = []
    for seed in ("a", "b") if objective == "dpo" else ("a",):
        made = conversations(count * (steps + 1), seed)
        sides.append(encode_all(tokenizer, [messages for messages, _ in made], [prompt for _, prompt in made]))
    lengths = [[len(ids) for ids, _ in side] for side in sides]
    plan = by_count(lengths[0], steps + 1, count, 1)
    schedule, run = trainer.Schedule(1e-5, 0, 0.0, 1.0, weight_decay=0.0), trainer.Run(1, "cpu", False, bf16)
    times = []

    class Watch(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **_rest):
            times.append(time.perf_counter())

    inner = trainer.train_with

    def watched(trained, run):
        trained.add_callback(Watch())
        return inner(trained, run)

    imitation.train_with = preference.train_with = watched
    if objective == "sft":
        _, curve = imitation.fit_sft(model, tokenizer, sides[0], plan, schedule, run)
    else:
        _, curve = preference.fit_dpo(model, tokenizer, *sides, plan, schedule, run, 0.1, 1.0)
    tokens = sum(side[index] for batch in plan[1:] for index in batch for side in lengths)
    return {
        "tokens_s": tokens / (times[-1] - times[0]),
        "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "loss": curve[-1]["loss"],
    }


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("student")
    command.add_argument("--rows", type=int, default=16, help="rows of a step (two of them are a pair)")
    command.add_argument("--steps", type=int, default=3, help="steps that are measured, after one that is not")
    command.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = command.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.student, *asked.one, asked.rows, asked.steps)))
        return
    ratios = {}
    for objective in ("sft", "dpo"):
        speeds = {}
        for way in WAYS:
            line = [sys.executable, __file__, asked.student, "--rows", str(asked.rows), "--steps", str(asked.steps)]
            said = subprocess.run([*line, "--one", objective, way], check=True, capture_output=True, text=True)
            found = json.loads(said.stdout.splitlines()[-1])
            speeds[way] = found["tokens_s"]
            print(
                f"{objective}  {way:10}  {found['tokens_s']:7.0f} tokens/s  {found['gib']:5.1f} GiB  "
                f"loss {found['loss']:.6f}  x {speeds[way] / speeds['plain fp32']:.2f}",
                flush=True,
            )
        ratios[objective] = speeds
    fp32, bf16 = (ratios["sft"][way] / ratios["sft"]["plain fp32"] for way in ("ours fp32", "ours bf16"))
    print(f"fp32 {fp32:.2f} bf16 {bf16:.2f}")


if __name__ == "__main__":
    main()
