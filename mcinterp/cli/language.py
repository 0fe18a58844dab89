"""Models that are named on the command line to write or to read texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mcinterp.cli.options import CHECKPOINTS, CONFIG, check_steps, one_step, open_run, run_and_step
from mcinterp.config.steps import AUTO
from mcinterp.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from mcinterp.language.hooked import HookedLanguage
    from mcinterp.language.huggingface import HuggingFaceLanguage


def opened_language(model: str, device: str, command: str, lacks: str = "") -> HookedLanguage | HuggingFaceLanguage:
    """A folder of Hugging Face's, or a run's checkpoint, the last one unless another is named.

    Args:
        model: the folder, or the run.
        device: where it runs.
        command: that asks, for the message.
        lacks: what else the command looked for in a folder and did not find, for the message.

    Raises:
        CheckpointError: if there is neither.
        InputError: if it is no model of next tokens.
    """
    from mcinterp.language.huggingface import is_folder, open_folder

    path = Path(model)
    if is_folder(path):
        from mcinterp.runs.device import resolve_device

        return open_folder(path, resolve_device(device))
    if path.is_dir() and not any((folder / CONFIG).is_file() for folder in (path, CHECKPOINTS / path)):
        raise CheckpointError(
            f"{path} is no run (it has no {CONFIG}), no model of Hugging Face's (no config.json that names its type)"
            f"{lacks}"
        )
    return _of_run(model, device, command)


def _of_run(model: str, device: str, command: str) -> HookedLanguage:
    folder, step = run_and_step(model)
    check_steps(folder, step or AUTO)
    run = open_run(folder, device)
    from mcinterp.language.hooked import language_of_task
    from mcinterp.task.next_token import NextToken

    checkpoint = run.checkpoint(one_step(run, f"{model}:", step or "last"))
    if not isinstance(checkpoint.task, NextToken):
        raise InputError(f"{command} asks for a model of next tokens; task {run.config.task.kind} is none")
    return language_of_task(checkpoint.model, checkpoint.task, f"{run.name}, step {checkpoint.step}")
