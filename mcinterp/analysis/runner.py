"""Run passes over checkpoints, keep their results, and do no work twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from mcinterp.analysis.conditions import Condition
from mcinterp.analysis.registry import (
    COMPARISONS,
    PASSES,
    check_samples,
    defined_for,
    select_comparisons,
    select_conditioned,
    select_passes,
)
from mcinterp.analysis.source import sources
from mcinterp.analysis.standing import KEPT, LEFT_OUT, standing_result, stands, stored_result
from mcinterp.analysis.summary import training_summary
from mcinterp.analysis.work import Failures, Report, Work, all_done, counted
from mcinterp.config import RunConfig
from mcinterp.declared import Comparison, Pass
from mcinterp.errors import (
    CheckpointError,
    FailedPassesError,
    InputError,
    SolverError,
    UnansweredError,
    UsageError,
)
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.checkpoint import package_versions, saved_digest
from mcinterp.runs.files import tidy
from mcinterp.task import make_task

DATA = "data"


def analyse(
    run: Run,
    out: Path,
    steps: Sequence[int],
    passes: Sequence[str] | None = None,
    samples: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    progress: Report | None = None,
    **inputs: Any,
) -> None:
    """Run passes on checkpoints of a run, and comparisons on all of them, and store the results under `out/data`.

    Passes that are not defined for the run's task are left out. A result that stands for the same weights, settings,
    versions and code is kept. Results of steps that are not asked for are left alone. Comparisons look at every
    checkpoint that the run keeps, whatever `steps` says: they show what changes over training, and one that saw fewer
    checkpoints than its predecessor would replace it.

    Args:
        run: the run.
        out: folder of the run's reports; `data/step-00004000/<pass>/`, `data/run/<comparison>/` and
            `data/training/` are written.
        steps: checkpoints to analyse.
        passes: names of passes and comparisons from the registry; None for all that are defined for the run's task.
        samples: for every pass; None for each pass's own number.
        seed: of every batch.
        jobs: checkpoints and comparisons made at the same time, each in a process of its own.
        progress: told what was done, a line a pass.
        inputs: what passes look at in place of the inputs that the task draws, by the name that the task has for such
            an argument, such as `family`; passes and comparisons that cannot are then left out.

    Raises:
        UsageError: for an unknown pass, one that is not defined for the run's task, fewer samples than a pass needs,
            or if `out` holds results of a run with another configuration.
        UnansweredError: if a pass that was named has no answer, as where nothing is scored; others are left out.
        FailedPassesError: at the end, if passes failed; the results of all others stand, and of those that failed why.
    """
    config, all_of_them = run.config, passes is None
    if Condition.of("analyse", make_task(config.task), inputs).told:
        passes = select_conditioned(passes, config)
    names = [entry.name for entry in select_passes(passes, config)]
    check_samples(samples, select_passes(passes, config))
    tidy(out, DATA)
    _refuse_other_run(run, out)
    undefined = [*PASSES, *COMPARISONS] if all_of_them else []
    undefined = [name for name in undefined if name not in defined_for(config)]
    if undefined and progress:
        progress(f"left out, not offered by {config.task.kind}: {', '.join(undefined)}")
    for entry in select_passes(passes, config):
        if progress and (told := entry.costs(config)):
            progress(told)
    # Written before the results too, so that a folder says whose it is even if its analysis is cut short.
    training_summary(run, analysed_steps(out)).save(out / DATA / "training")
    asked = _Asked(run.path, run.device, out, samples, seed, inputs, all_of_them)
    # What takes longest comes first, so that no process is left with it at the end.
    compared = [entry.name for entry in select_comparisons(passes, config)]
    work: dict[Work, bool] = {partial(_compare, name, asked): _comparison_stands(name, run, asked) for name in compared}
    work |= {
        partial(_analyse_step, step, names, asked): _step_stands(step, names, run, asked)
        for step in (steps if names else ())
    }
    tell = counted(progress, len(compared) + len(names) * len(steps))
    left = [each for each, stands in work.items() if not stands]
    failures = all_done(left, jobs, tell, [each for each, stands in work.items() if stands])
    training_summary(run, analysed_steps(out)).save(out / DATA / "training")
    if failures:
        raise FailedPassesError(f"{len(failures)} of the passes failed, all others are done: {'; '.join(failures)}")


def _refuse_other_run(run: Run, out: Path) -> None:
    """One report is about one run: results left by another would stand between its own."""
    stored = stored_result(out / DATA / "training")
    if stored and stored.facts.get("config_hash") not in run.config.known_as:
        raise UsageError(
            f"{out} holds results of a run with another configuration ({stored.facts.get('config_hash')}, not "
            f"{run.config.hash}); choose another folder with --out, or delete that one"
        )


def analysed_steps(out: Path) -> list[int]:
    """Steps that have results under `out`, in order."""
    folders = (out / DATA).glob("step-*")
    return sorted(int(folder.name.removeprefix("step-")) for folder in folders if any(folder.iterdir()))


def step_folder(out: Path, step: int) -> Path:
    """Where the results of one checkpoint are kept."""
    return out / DATA / f"step-{step:08d}"


def comparison_folder(out: Path, name: str) -> Path:
    """Where the result of a comparison is kept."""
    return out / DATA / "run" / name


@dataclass(frozen=True)
class _Asked:
    """What all passes and comparisons are asked with; whether all there are, or some by name."""

    path: Path
    device: str
    out: Path
    samples: int | None
    seed: int
    inputs: Mapping[str, Any]
    all_of_them: bool


def _analyse_step(step: int, names: list[str], asked: _Asked, progress: Report | None) -> Failures:
    """Passes on one checkpoint, as far as they have an answer."""
    checkpoint, failures = Run(asked.path, asked.device).checkpoint(step), Failures()
    results: dict[str, Result] = {}
    for entry in select_passes(names, checkpoint.config):
        start, folder = time.perf_counter(), step_folder(asked.out, step)
        try:
            results[entry.name], how = _result(entry, checkpoint, results, folder, asked)
            line = _done(start, how)
        except (InputError, SolverError) as error:
            line, failed = _without_answer(entry, error, asked.all_of_them, folder / entry.name, f"step {step}")
            failures += failed
        if progress:
            progress(f"step {step}: {entry.name} {line}")
    return failures


def _step_stands(step: int, names: list[str], run: Run, asked: _Asked) -> bool:
    """Whether no pass on a checkpoint has anything to compute."""
    try:
        digest = saved_digest(run.folder(step))
    except CheckpointError:
        return False
    task = make_task(run.config.task)
    identities = {
        entry.name: _identity(entry, run.config, task, digest, asked) for entry in select_passes(names, run.config)
    }
    return all(stands(step_folder(asked.out, step) / name, identity) for name, identity in identities.items())


def _comparison_stands(name: str, run: Run, asked: _Asked) -> bool:
    """Whether a comparison has nothing to compute."""
    return stands(comparison_folder(asked.out, name), _compared_identity(COMPARISONS[name], run, asked))


def _compare(name: str, asked: _Asked, progress: Report | None) -> Failures:
    """One comparison of all checkpoints of a run."""
    start, failures = time.perf_counter(), Failures()
    entry, run, folder = COMPARISONS[name], Run(asked.path, asked.device), comparison_folder(asked.out, name)
    identity, samples = _compared_identity(entry, run, asked), asked.samples or entry.samples
    try:
        _, how = kept_or_made(
            folder,
            identity,
            {"run": run.name, "steps": run.steps},
            lambda: entry.run(run, run.steps, samples, asked.seed),
        )
        line = _done(start, how)
    except (InputError, SolverError) as error:
        line, failures = _without_answer(entry, error, asked.all_of_them, folder, "all steps")
    if progress:
        progress(f"all steps: {name} {line}")
    return failures


def _without_answer(
    entry: Pass | Comparison, error: InputError | SolverError, all_of_them: bool, folder: Path, where: str
) -> tuple[str, Failures]:
    """Keep why there is no result; the line that says so, and the failure unless there is just nothing to answer.

    Raises:
        UnansweredError: if there is nothing to answer, and the pass was named.
    """
    left_out = isinstance(error, UnansweredError)
    if left_out and not all_of_them:
        raise error
    line = f"{LEFT_OUT if left_out else 'failed'}: {error}"
    Result.without_answer(entry.name, entry.question, line).save(folder)
    return line, [] if left_out else [f"{entry.name} at {where} ({error})"]


def _result(
    entry: Pass, checkpoint: Checkpoint, earlier: dict[str, Result], folder: Path, asked: _Asked
) -> tuple[Result, str]:
    """The stored result if it was made from the same, else a fresh one; and which it is."""
    identity = _identity(entry, checkpoint.config, checkpoint.task, checkpoint.digest, asked)
    samples, seed, inputs = asked.samples or entry.samples, asked.seed, asked.inputs
    about, made = {"run": checkpoint.run_name, "step": checkpoint.step}, folder / entry.name
    return kept_or_made(made, identity, about, lambda: entry.run(checkpoint, earlier, samples, seed, inputs))


def _identity(entry: Pass, config: RunConfig, task: Any, digest: str, asked: _Asked) -> dict[str, Any]:
    """All that decides the numbers of a pass on the weights of that digest."""
    return {
        "config_hash": config.hash,
        "digest": digest,
        "inputs": Condition.of("analyse", task, asked.inputs).told,
        **circumstances(asked.samples or entry.samples, asked.seed, asked.device),
    }


def _compared_identity(entry: Comparison, run: Run, asked: _Asked) -> dict[str, Any]:
    """All that decides the numbers of a comparison."""
    common = circumstances(asked.samples or entry.samples, asked.seed, run.device)
    return {"config_hash": run.config.hash, "fingerprint": entry.fingerprint(run), **common}


def kept_or_made(
    folder: Path, identity: Mapping[str, Any], about: Mapping[str, Any], make: Callable[[], Result]
) -> tuple[Result, str]:
    """The stored result if it was made from the same, else a fresh one, which is stored; and `KEPT`, or why not.

    Args:
        folder: of the result.
        identity: all that decides its numbers; None for what there is none of.
        about: what else its provenance says.
        make: a fresh one.
    """
    stored, how = standing_result(folder, identity)
    if stored:
        return stored, how
    start = time.perf_counter()
    said = {name: value for name, value in identity.items() if value is not None}
    return _save(make(), folder, {**about, **said}, start), how


def circumstances(samples: int, seed: int, device: str) -> dict[str, Any]:
    """The part of a result's identity that does not depend on what was looked at."""
    return {"samples": samples, "seed": seed, "versions": package_versions(), "code": code_digest(), "device": device}


@cache
def code_digest() -> str:
    """First 16 hexadecimal digits of the SHA-256 of the source that a result can depend on: all but what only shows.

    The studies of other packages are part of it.
    """
    code = hashlib.sha256()
    for place, file in sources(Path(__file__).parents[1]):
        code.update(place.as_posix().encode() + b"\0" + file.read_bytes())
    return code.hexdigest()[:16]


def _save(result: Result, folder: Path, provenance: dict[str, Any], start: float) -> Result:
    provenance |= {"seconds": round(time.perf_counter() - start, 3), "threads": torch.get_num_threads()}
    result = replace(result, provenance=provenance)
    result.save(folder)
    return result


def _done(start: float, how: str) -> str:
    return how if how == KEPT else f"{time.perf_counter() - start:.1f} s{how}"
