"""Solutions that four fine-tuned models wrote for GSM8K test problems, right and wrong, as chains.

The file is GSM8K's `example_model_solutions.jsonl`: a question, the true solution, and a text with annotations for each
model, ending in `A: 18`. A chain made of such a text has one step an annotation, with the result that the text states:
where that is not what the tool gives (rounding as a float prints it aside, in an operand too), the chain is not
reproduced. Where no
annotation gives the answer, right or wrong, the plain equations of the text that hold exactly are steps too, as in the
reference solutions of GSM8K.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from stages.problems.jsonl import JsonlError, rows
from stages.problems.published import gsm8k
from stages.problems.solutions.annotations import Annotation, annotations, equations, number_or_none, with_results
from stages.records.chain import Call, Chain, Step, number_text
from stages.records.problem import Problem
from stages.teacher.imported import Written
from stages.tools.calls import number

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
ANSWER = "A: "  # starts the last line of a solution that was not cut


def read(path: Path) -> Iterator[Written]:
    """The file's solutions, problem by problem.

    A true solution that is not all written as calls says nothing against its answer: the problem is taken as one of a
    source without solutions, and the models' own calculations are what its answer is found by.

    Raises:
        JsonlError: the file cannot be read, or a row lacks a text.
    """
    for number_, (where, row) in rows(path).items():
        try:
            published = {"question": row["question"], "answer": row["ground_truth"]}
            problem = gsm8k.problem(f"gsm8k_models/{number_:06d}", where, published)
            if problem.doubt in (gsm8k.NO_CALLS, gsm8k.STOPS_SHORT):
                problem = replace(problem, doubt="")
            for model in MODELS:
                text = row[model]["solution"]
                if not isinstance(text, str):
                    raise TypeError("a solution is no text")
                yield Written(problem, model, text)
        except (KeyError, TypeError, AttributeError) as error:
            raise JsonlError(f"{where}: no model solution as GSM8K publishes them ({error})") from None


def chain(problem: Problem, solution: str, model: str) -> Chain:
    """An annotated solution as the chain that its calls would have made; without an answer line it is a cut one."""
    last = solution.split("\n")[-1]
    answer = last.removeprefix(ANSWER).strip() if last.startswith(ANSWER) else ""
    annotated = annotations(solution)
    if number_or_none(answer) not in [annotation.value for annotation in annotated]:
        annotated = equations(solution)
    steps, results = [], []
    for annotation in annotated:
        exact = replace(annotation, call=with_results(annotation.call, results))
        steps.append(_step(exact))
        results += [] if steps[-1].error else [number(exact.step().result)]
    if answer:
        steps.append(Step(Call("Finish", {"answer": answer}).text(), Call("Finish", {"answer": answer}), result=answer))
    return problem.chain(
        teacher=model,
        sample=0,
        prompt=(),
        steps=tuple(steps),
        answer=answer,
        stop="finish" if answer else "max_tokens",
    )


def _step(annotation: Annotation) -> Step:
    """The call with the result that the text states; the tool's own where that is the same but for rounding."""
    step = annotation.step()
    if step.error or annotation.value is None or rounds_to(number(step.result), annotation.value):
        return step
    return replace(step, result=number_text(annotation.value))


def rounds_to(exact: Fraction, stated: Fraction) -> bool:
    """266.6666666666667 is how a float prints 800/3: equal to 12 digits."""
    return exact == stated or abs(exact - stated) <= abs(exact) / 10**12
