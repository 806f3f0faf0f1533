"""generate: the teacher solves the training problems, k samples each (`python -m stages.generate`).

In: params.yaml, files in data/sources, and every call made before (data/calls/, the journal). Out: data/chains.jsonl,
by problem and sample; data/calls/, exactly the calls these chains used; data/corpus.jsonl, what the from-scratch
student reads first; metrics/generate.json. A run that cannot finish (provider down, a cap,
Ctrl-C) leaves what it has, says what is missing and fails; the next one asks for the rest only.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stages import params
from stages.params import Params
from stages.problems import sources
from stages.problems.gold import confirmed
from stages.problems.overlap import Overlap, overlap, tested
from stages.records import schema
from stages.records.chain import Chain
from stages.records.command import parser, run
from stages.records.errors import InputError
from stages.records.files import write_metrics
from stages.records.problem import Problem
from stages.teacher.calls import CALLS, call_files, guard_money
from stages.teacher.chains import REFUSED, STOPPED, Run, make_chains
from stages.teacher.imported import chains as imported
from stages.teacher.journal.journal import Journal, journal_folder
from stages.teacher.provider import LOCAL, OURS
from stages.teacher.simulated import corpus
from stages.teacher.simulated import provider as simulated
from stages.teacher.teacher import Teacher

CHAINS, CORPUS, METRICS = Path("data/chains.jsonl"), Path("data/corpus.jsonl"), Path("metrics/generate.json")


@dataclass(frozen=True)
class Plan:
    """What a run is to make. `problems`: those that the teacher is asked. `others`: chains made elsewhere.

    `played`: the attempts of the corpus. `said`: what the metrics say of all that was read and left out.
    """

    problems: list[Problem]
    others: list[Chain]
    played: list[corpus.Attempt]
    said: dict


def plan(settings: Params) -> Plan:
    """Read all problems and chains, and leave out what is not confirmed or too close to a tested problem.

    Raises:
        InputError: something cannot be read, or nothing is left.
    """
    found = sources.load("train", settings.problems)
    problems = confirmed(found)
    left_out = len(found) - len(problems)
    if left_out:
        reason = "whose own solution does not confirm gold are left out; `python -m stages.problems.gold` lists them"
        print(f"generate: {left_out} of {len(found)} problems {reason}", file=sys.stderr)
    others, of_imports = imported.load(settings, found)
    played = corpus.attempts(settings.generate.corpus, settings.problems.fold)
    read = [problem for problem, _ in played]
    # One decision on all that trains: the problems asked, those of chains made elsewhere, and the corpus.
    exams = tested(settings.problems)
    close = overlap([*found, *others], exams, settings.problems.overlap)
    close_read = overlap(read, exams, settings.problems.overlap)
    _say_left_out("problems", close, found, others)
    _say_left_out("problems of the corpus", close_read, read, [])
    problems = [problem for problem in problems if problem.id not in close.out]
    others = [chain for chain in others if chain.problem_id not in close.out]
    played = [(problem, seed) for problem, seed in played if problem.id not in close_read.out]
    said = close.metrics() | ({"left_out": left_out} if left_out else {}) | of_imports
    said["corpus"] = {"conversations": len(played), **close_read.metrics()}
    if not others and not (problems and settings.generate.samples):
        raise InputError(
            f"no chain is left to make: {left_out:,} problems of problems.train are not confirmed (`python -m "
            f"stages.problems.gold` lists them), {len(close.out):,} problems are too close to tested ones; name "
            "other ones in problems.train or generate.chains"
        )
    return Plan(problems, others, played, said)


def metrics(work: Plan, run: Run, made: dict, models: dict[str, dict]) -> dict:
    """What metrics/generate.json says.

    `models`: calls, tokens and cost of this version by model, each call once, as two chains may share it.
    `teacher_calls` and `journal_hits` are what this version of the chains cost when it was first made (see
    `Journal.finish`): counted anew, a second run of the same version would differ from the first.
    """
    chains = [*run.chains.values(), *work.others]
    missing = defaultdict(list)
    for (place, _), reason in sorted(run.missing.items()):
        missing[reason].append(work.problems[place].id)
    counts = {
        "chains": len(chains),
        "problems": len({chain.problem_id for chain in chains}),
        "teacher_calls": made["teacher_calls"],
        "journal_hits": made["journal_hits"],
        "provider_failures": sum(len(ids) for reason, ids in missing.items() if reason != STOPPED),
        "prompt_tokens": sum(chain.prompt_tokens for chain in chains),
        "completion_tokens": sum(chain.completion_tokens for chain in chains),
        "cost_usd": sum(chain.cost_usd for chain in chains),
        "models": models,
        "version": made["version"],
        **work.said,
    }
    if work.others:
        counts["imported"] = len(work.others)
    if missing:
        counts["missing"] = {
            reason: {"chains": len(ids), "problems": list(dict.fromkeys(ids))[:10]}
            for reason, ids in sorted(missing.items())
        }
    return counts


def _recorded() -> dict:
    """The metrics of the last finished version, which git brings to a fresh clone; {} where there are none."""
    try:
        made = json.loads(METRICS.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return made if isinstance(made, dict) else {}


def main(arguments: Sequence[str] = ()) -> None:
    command = parser("stages.generate", __doc__.split("\n")[0])
    what = "say what a run would ask and cost, from the journal and litellm's prices; asks, needs and writes nothing"
    command.add_argument("--estimate", action="store_true", help=what)
    asked = command.parse_args(arguments)
    settings = params.load()
    work = plan(settings)
    if asked.estimate:
        from stages.teacher.estimate import estimate

        print(estimate(work.problems, settings, [journal_folder(), CALLS]))
        return
    schema.write(CORPUS, corpus.rows(work.played, settings.generate.corpus.rates), "corpus")
    with Journal(journal_folder()) as journal:
        journal.seed(CALLS)
        if journal.faults:
            print(
                f"generate: {len(journal.faults)} lines of the journal cannot be read and were left out",
                file=sys.stderr,
            )
        if settings.generate.samples:
            guard_money(settings.generate.teacher.model, journal)
        teacher = Teacher(settings.generate, settings.runtime, journal, _provider(settings, work.problems))
        run = asyncio.run(make_chains(work.problems, settings, teacher))
        chains = imported.in_order(work.problems, (run.chains[place] for place in sorted(run.chains)), work.others)
        schema.write(CHAINS, [chain.row() for chain in chains], "chains")
        keys = [key for keys in run.calls.values() for key in keys]
        models = journal.totals(keys)
        if run.missing:
            made = {"teacher_calls": teacher.asked, "journal_hits": teacher.hits, "version": ""}
            write_metrics(METRICS, metrics(work, run, made, models))
            raise InputError(_unfinished(work.problems, run, teacher))
        made = journal.finish(keys, _recorded())
        write_metrics(METRICS, metrics(work, run, made, models))
        journal.snapshot(CALLS, call_files(work.problems, run.calls))
    beside = f" and {len(work.others)} made elsewhere" if work.others else ""
    cut = sum(chain.stop == "max_tokens" for chain in run.chains.values())
    advice = f"; {cut} chains were cut by generate.teacher.max_tokens; verify counts them as no_answer" if cut else ""
    known = f"{teacher.asked} calls asked now, {teacher.hits} known before"
    print(f"generate: {len(run.chains)} chains{beside}; {known}{advice}")


def _say_left_out(what: str, close: Overlap, problems: list[Problem], others: list[Chain]) -> None:
    """One line on problems that are left out, and on the chains made elsewhere that go with them."""
    if not close.out:
        return
    total = len({problem.id for problem in problems} | {chain.problem_id for chain in others})
    gone = sum(chain.problem_id in close.out for chain in others)
    beside = f", with {gone:,} of {len(others):,} chains made elsewhere" if gone else ""
    print(
        f"generate: {len(close.out):,} of {total:,} {what} are too close to tested ones and left out{beside}: "
        f"{close.said()}; {METRICS} counts them",
        file=sys.stderr,
    )


def _provider(settings: Params, problems: list[Problem]) -> Callable[[], None]:
    """What installs the teacher into litellm where it is one of ours."""
    model = settings.generate.teacher.model
    if model.startswith(LOCAL):
        from stages.teacher import local

        local.say_unwatched(model)
        return partial(_at_once, partial(local.register, settings.generate.teacher, settings.runtime))
    if not model.startswith(OURS):
        return partial(_at_once, partial(_before_paying, settings))
    return partial(simulated.register, problems)


def _at_once(load: Callable[[], None]) -> None:
    """Load a model; SIGTERM and Ctrl-C end the run meanwhile. Nothing is asked yet, and a hub that does not answer
    keeps the event loop, which hears them otherwise, for minutes.
    """
    heard = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in heard:
        signal.signal(number, signal.default_int_handler)
    try:
        load()
    except KeyboardInterrupt:
        raise InputError("interrupted while a model was loaded; nothing was asked by then") from None
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


def _before_paying(settings: Params) -> None:
    """The student is tried when the first call is about to be paid. It is a check that changes no chain, so that
    another train.student does not make this stage run again.
    """
    from stages.training.trial import try_student

    if settings.train.student != "tiny":
        print(f"generate: {settings.train.student} is tried before the first call is paid", file=sys.stderr)
    try_student(settings)


def _unfinished(problems: list[Problem], run: Run, teacher: Teacher) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(run.missing.values()).items()))
    why = f" ({teacher.stopped})" if teacher.stopped else ""
    spent = f"this run spent {teacher.spent_usd:.6g} USD; " if teacher.spent_usd else ""
    total = len(run.chains) + len(run.missing)
    missing = f"{CHAINS}: {len(run.missing)} of {total} chains are missing: {reasons}{why}; "
    refused = [problems[place].id for place in sorted({at for (at, _), why in run.missing.items() if why == REFUSED})]
    if refused:  # another run would be refused again
        missing += (
            f"refused for content or length: {imported.listed(refused)}; leave these out of problems.train, "
            "or take a model that answers them (for length: or a lower agent.max_steps); "
            f"the last was refused with: {run.refusal}; "
        )
    return missing + spent + "every answer is kept in the journal: run again, and only the rest is asked"


if __name__ == "__main__":
    kept = "every answer that came is in the journal: run again, and only the rest is asked"
    run(lambda: main(sys.argv[1:]), kept)
