"""The command that finds the tokens at which a text's outcome is decided: fork."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcinterp.cli.language import opened_language
from mcinterp.cli.options import REPORTS, Device, Seed, SingleFile
from mcinterp.cli.progress import count_progress, say
from mcinterp.errors import UsageError

if TYPE_CHECKING:
    from mcinterp.language.forks import ForkPlan
    from mcinterp.language.model import LanguageModel
    from mcinterp.language.stored import ForkSamples

OWN = "samples"
"""Folder of the samples, in that of the report."""
SAMPLES, LENGTH, LIMIT, LEAST, TEMPERATURE = 30, 100, 200, 0.05, 1.0


def fork(
    model: Annotated[
        str,
        typer.Argument(
            help="A folder of Hugging Face's, a run or a checkpoint such as RUN@last, or a folder of stored samples.",
            metavar="MODEL",
        ),
    ],
    outcome: Annotated[
        str,
        typer.Option(
            help="Reads the outcome from what follows the prompt: its first group, or all that matches.",
            metavar="REGEX",
        ),
    ],
    prompt: Annotated[str | None, typer.Option(help="What the model goes on from.", metavar="TEXT")] = None,
    samples: Annotated[
        int | None, typer.Option(help=f"Samples a branch; by default {SAMPLES}.", min=2, max=100_000)
    ] = None,
    length: Annotated[
        int | None, typer.Option(help=f"Most tokens of the text itself; by default {LENGTH}.", min=2)
    ] = None,
    limit: Annotated[int | None, typer.Option(help=f"Most tokens of a sample; by default {LIMIT}.", min=1)] = None,
    least: Annotated[
        float | None,
        typer.Option(help=f"Tokens with a larger probability are branches; by default {LEAST}.", min=0.0, max=1.0),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help=f"At which is sampled; by default {TEMPERATURE:g}.", min=0.0)
    ] = None,
    seed: Seed = 0,
    distinct: Annotated[
        bool, typer.Option("--distinct", help="Count equal texts of a branch once, as the paper's code does.")
    ] = False,
    outcomes: Annotated[int, typer.Option(help="Outcomes that are told apart, the most frequent ones.", min=1)] = 6,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; by default reports/fork-MODEL.", metavar="DIR")
    ] = None,
    single_file: SingleFile = False,
    device: Device = "auto",
) -> None:
    """Find the tokens at which the outcome of a model's text is decided, and write a page; prints its path.

    The model writes the text that it finds most probable, then goes on from each of its tokens, along every likely
    branch, many times. What it will take is said before it begins. Stopped with Ctrl-C, the same command goes on from
    there; with other words for the outcome it samples nothing anew.
    """
    from mcinterp.language.outcomes import OutcomePattern

    pattern = OutcomePattern(outcome)
    chosen = {"samples": samples, "length": length, "limit": limit, "least": least, "temperature": temperature}
    own = {name: value for name, value in chosen.items() if value is not None}
    stored = _stored(Path(model))
    folder = out or REPORTS / f"fork-{_name(model)}"
    if stored is not None:
        if prompt is not None or own:
            raise UsageError(
                f"{model} holds stored samples: leave out --{next(iter(['prompt', *own][prompt is None :]))}"
            )
        found = stored
    else:
        if prompt is None:
            raise UsageError("say with --prompt what the model goes on from")
        opened = opened_language(model, device, "fork", ", and holds no stored samples (no text.json)")
        found = _sampled(opened, prompt, {**own, "seed": seed}, folder)
    _report(found, pattern, folder, model, {"seed": seed, "distinct": distinct, "most_outcomes": outcomes}, single_file)


def _name(model: str) -> str:
    return Path(model).resolve().name.replace("@", "-")


def _stored(path: Path) -> ForkSamples | None:
    """The samples in a folder, or in the report that a folder is; None where there are none."""
    from mcinterp.language.stored import is_stored, load_samples

    for folder in (path, path / OWN):
        if is_stored(folder):
            return load_samples(folder)
    return None


def _sampled(model: LanguageModel, prompt: str, chosen: dict[str, Any], folder: Path) -> ForkSamples:
    """Samples of the model's text, those that are missing drawn now."""
    from mcinterp.language.forks import ForkSettings, plan_forks, sample_forks

    plan = plan_forks(model, prompt, replace(ForkSettings(), **chosen))
    say(_cost(plan))
    with count_progress(plan.n_samples, "samples") as done:
        return sample_forks(plan, folder / OWN, done)


def _cost(plan: ForkPlan) -> str:
    """What sampling takes, in a sentence."""
    n, branches = len(plan.tokens), sum(map(len, plan.followed))
    return (
        f"a text of {n} tokens with {branches:,} branches: {plan.n_samples:,} samples ({plan.settings.samples} a "
        f"branch), {plan.n_tokens:,} tokens at most"
    )


def _report(
    found: ForkSamples,
    pattern: Any,
    folder: Path,
    model: str,
    settings: dict[str, Any],
    single_file: bool,
) -> None:
    from mcinterp.analysis.forks import forks
    from mcinterp.analysis.runner import DATA
    from mcinterp.report.fork import write_fork_report
    from mcinterp.runs.checkpoint import package_versions

    result = forks(found, pattern, **settings)
    provenance = {"model": model, **settings, **package_versions()}
    replace(result, provenance=provenance).save(folder / DATA / result.name)
    print(write_fork_report(folder, single_file))
