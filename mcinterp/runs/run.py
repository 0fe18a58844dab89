"""A run's folder: what is in it and how to open it.

    config.yaml                      the resolved configuration
    metrics.csv                      one line a step: step, loss, the task's scores, learning_rate, seconds
    step-00004000/model.safetensors  weights by their names in the model, float32
    step-00004000/checkpoint.json    step, config hash, digest, metrics, versions
    training-state.safetensors       the latest weights, optimiser and data generator, to continue from
    replay/step-00002000.safetensors the same at a few earlier steps, to replay training from
    start.safetensors                of a run that begins with another run's weights: these
    excerpt.yaml                     of a copy with some of a run's checkpoints: where it comes from
    imported.yaml                    of a run made of others' checkpoints: files, curve, and what was left out
    retrained/<component>-seed1      retrainings of this run's components, each a run of its own
    .lock                            held by the process that is training the run

Steps are written with eight digits; the first four lines are a layout that other people's scripts may rely on.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mcinterp.config import RunConfig, load_config
from mcinterp.config.steps import chosen_steps, nearest_step, saved_steps
from mcinterp.config.strict_yaml import read_yaml
from mcinterp.errors import CheckpointError, ConfigError, DamagedError, reason
from mcinterp.runs.checkpoint import Checkpoint, load_checkpoint, saved_digest
from mcinterp.task import make_task
from mcinterp.task.offers import curve_labels
from mcinterp.training.schedule import dense_steps
from mcinterp.training.transition import Transition, find_transition, find_transitions, undecided

CONFIG = "config.yaml"
METRICS = "metrics.csv"
STATE = "training-state.safetensors"
REPLAY = "replay"
START = "start.safetensors"
RETRAINED = "retrained"
RULED_OUT = 200
"""Steps at which an imported run's curve must be known before it is said to have no drop."""
EXCERPT = "excerpt.yaml"
IMPORTED = "imported.yaml"


class Run:
    """A run on disk, opened for reading.

    Args:
        path: the run's folder.
        device: where its checkpoints' models live.

    Raises:
        CheckpointError: if there is no run at `path`.
    """

    def __init__(self, path: Path | str, device: str = "cpu") -> None:
        self.path = Path(path)
        self.device = device
        if not (self.path / CONFIG).is_file():
            raise CheckpointError(f"there is no run at {self.path}: {self.path / CONFIG} is missing")

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.path.resolve().name

    @cached_property
    def config(self) -> RunConfig:
        """The resolved configuration."""
        return load_config(self.path / CONFIG)

    @property
    def steps(self) -> list[int]:
        """Steps that have a checkpoint, in order."""
        return saved_steps(self.path)

    @property
    def metrics(self) -> pd.DataFrame:
        """`metrics.csv`, one line a step; a last line that was cut off while being written is left out.

        Raises:
            DamagedError: if the file is missing or not a table of numbers, of other scores than the task's, or with
                steps left out, which only an excerpt or an imported run may do.
        """
        path = self.path / METRICS
        try:
            text = path.read_text(encoding="utf-8")
            whole = io.StringIO(text[: text.rfind("\n") + 1])
            metrics = pd.read_csv(whole, dtype=float).astype({"step": int})
        except (OSError, ValueError, KeyError) as error:
            raise DamagedError(f"{path} cannot be read: {reason(error)}") from None
        if (found := list(map(str, metrics))) != self.measured:
            raise DamagedError(f"{path} begins with {','.join(found)}, expected {','.join(self.measured)}")
        steps = metrics["step"].to_numpy()
        expected = np.diff(steps, prepend=-1) > 0 if self.is_partial else steps == np.arange(1, len(steps) + 1)
        wrong = ~expected | metrics["seconds"].isna()
        if wrong.any():
            raise DamagedError(f"{path} is damaged: line {wrong.argmax() + 2} is not a whole line of its step")
        return metrics

    @property
    def steps_done(self) -> int:
        """The last step that was measured; 0 before the first."""
        return int(self.metrics["step"].max()) if len(self.metrics) else 0

    @property
    def is_excerpt(self) -> bool:
        """Whether this is a copy with some of a run's checkpoints, and perhaps of its measurements."""
        return (self.path / EXCERPT).is_file()

    @property
    def is_imported(self) -> bool:
        """Whether this is made of checkpoints that were trained elsewhere."""
        return (self.path / IMPORTED).is_file()

    @property
    def curve_origin(self) -> str:
        """How an imported run's curve came about, in words.

        Raises:
            DamagedError: if the file that says so cannot be read.
        """
        try:
            return str(read_yaml((self.path / IMPORTED).read_text(encoding="utf-8"))["curve"])
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise DamagedError(f"{self.path / IMPORTED} cannot be read: {error}") from None

    @property
    def is_partial(self) -> bool:
        """Whether training itself is not here: it has what was chosen or found, at steps of any spacing."""
        return self.is_excerpt or self.is_imported

    @property
    def measured(self) -> list[str]:
        """What `metrics` holds of every step."""
        return ["step", "loss", *make_task(self.config.task).score_names, "learning_rate", "seconds"]

    @property
    def transition(self) -> Transition:
        """Plateau and largest drop of the task's progress score; where that is 0 or below it is left out.

        A drop that is found in few points is one, but most have to be there before one can be ruled out. So nothing is
        said of an imported run whose curve is known at fewer than `RULED_OUT` steps and shows none.
        """
        steps, score = self._progress
        found = find_transition(steps, score, axis="step", quantity=self.progress_name)
        few = self.is_imported and score.notna().sum() < RULED_OUT
        return undecided(int(score.notna().sum()), self.progress_name) if few and not found.found else found

    @property
    def transitions(self) -> list[Transition]:
        """All its drops, in order; `transition` is one of them where there are any."""
        return find_transitions(*self._progress, axis="step", quantity=self.progress_name)

    @property
    def told(self) -> str:
        """Every drop in a sentence, or why there is none."""
        return "; then ".join(drop.statement for drop in self.transitions) or self.transition.statement

    @property
    def progress_name(self) -> str:
        """What sentences call the task's progress score."""
        task = make_task(self.config.task)
        return curve_labels(task).get(task.progress_score, task.progress_score)

    @property
    def _progress(self) -> tuple[pd.Series, pd.Series]:
        """Steps and the progress score, missing where it has no logarithm."""
        metrics = self.metrics
        score = metrics[make_task(self.config.task).progress_score]
        return metrics["step"], score.where(score > 0)

    @property
    def finished(self) -> bool:
        """Whether training has done all its steps."""
        return self.config.training.steps in self.steps

    @property
    def complete(self) -> bool:
        """Whether training has done all its steps, and all checkpoints across its drops are there."""
        return self.finished and not self.missing_dense_steps()

    def refuse_other(self, config: RunConfig) -> None:
        """Go no further where the run stands with another configuration.

        Raises:
            ConfigError: if so; with each field that differs, and how a run like that is begun instead.
        """
        differences = self.config.differences(config)
        if not differences:
            return
        sections = {text.partition(".")[0].partition(":")[0] for text in differences}
        cure = ""
        if "start" in sections:
            cure = "; a run begins with another's weights, or does not, from its first step: give the same --from"
        elif "model" not in sections:
            cure = f"; a new run can go on from its weights: --run NEW --from {self.path}"
        told = "; ".join(differences)
        raise ConfigError(f"run {self.name} stands with another configuration ({told}){cure}")

    def fingerprint(self) -> str:
        """Digest of the run's measurements and of all its checkpoints, hexadecimal."""
        digest = hashlib.sha256((self.path / METRICS).read_bytes())
        for step in self.steps:
            digest.update(f"{step}:{saved_digest(self.folder(step))}".encode())
        return digest.hexdigest()

    def checkpoint(self, step: int | str = "last") -> Checkpoint:
        """Open one checkpoint, verified.

        Args:
            step: a step that has one, or `first` or `last`.

        Raises:
            CheckpointError: if there is none at that step (the nearest is named), or it is damaged.
        """
        steps = self.steps
        if not steps:
            raise CheckpointError(f"run {self.name} has no checkpoint yet")
        number = {"first": steps[0], "last": steps[-1]}.get(str(step), step)
        if number not in steps:
            near = nearest_step(number, steps) if isinstance(number, int) else f"there are {', '.join(map(str, steps))}"
            raise CheckpointError(f"run {self.name} has no checkpoint at step {step}; {near}")
        return load_checkpoint(self.folder(int(number)), self.config, self.name, self.device)

    def select_steps(self, selection: str = "auto") -> list[int]:
        """Read a choice of checkpoints.

        Args:
            selection: `auto` (of every drop one on the plateau before it and one where it is steepest, and the last;
                the first and last where none is known), `all`, `first`, `last`, or steps such as `0,4000`.

        Raises:
            UsageError: if it is none of these.
            CheckpointError: if a step has no checkpoint.
        """
        steps = self.steps
        chosen = chosen_steps(selection, steps, self.name)
        return sorted(self._around_the_drops(steps)) if chosen is None else chosen

    def spread_steps(self, n_steps: int) -> list[int]:
        """At most `n_steps` checkpoints: the first and those of `auto` always, others by their place among all.

        Raises:
            CheckpointError: if there is none.
        """
        chosen = {*self.select_steps("first"), *self.select_steps("auto")}
        others = [step for step in self.steps if step not in chosen]
        n_more = max(0, n_steps - len(chosen))
        if len(others) <= n_more:
            return self.steps
        places = np.linspace(0, len(others) - 1, n_more).round().astype(int)
        return sorted(chosen | {others[place] for place in places})

    def folder(self, step: int) -> Path:
        """Folder of the checkpoint at `step`."""
        return self.path / f"step-{step:08d}"

    def dense_window(self) -> list[int]:
        """Steps worth a checkpoint across each drop and half its length before and after it; [] without a drop."""
        training, steps = self.config.training, set[int]()
        for transition in self.transitions if training.dense_checkpoints else ():
            margin = max(transition.end - transition.start, training.dense_checkpoints) / 2
            first = max(0, round(transition.start - margin))
            last = min(training.steps, round(transition.end + margin))
            steps |= {*dense_steps(first, last, training.dense_checkpoints)}
        return sorted(steps)

    def missing_dense_steps(self) -> list[int]:
        """Steps of `dense_window` that have no checkpoint yet; none before training has done all its steps.

        An excerpt or an imported run misses none: it has what was chosen, or found.
        """
        if not self.finished or self.is_partial:
            return []
        steps = self.steps
        return [step for step in self.dense_window() if step not in steps]

    def _around_the_drops(self, steps: list[int]) -> Iterable[int]:
        found = self.transitions
        if not found:
            return {steps[0], steps[-1]}
        wanted = [at for drop in found for at in ((drop.plateau_start + drop.start) / 2, drop.steepest)]
        return {*(min(steps, key=lambda step: abs(step - at)) for at in wanted), steps[-1]}

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {len(self.steps)} checkpoints)"
