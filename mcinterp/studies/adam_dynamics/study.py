"""What the study trains and measures: streams, flows, networks side by side, and runs of Adam and of k-Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mcinterp.analysis.runner import code_digest
from mcinterp.config import load_preset
from mcinterp.errors import TrainingError
from mcinterp.results import Result
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.adam_dynamics.bounds import BOUNDS, bounds
from mcinterp.studies.adam_dynamics.config import TeacherConfig
from mcinterp.studies.adam_dynamics.explosions import EXPLOSIONS, explosions
from mcinterp.studies.adam_dynamics.flow import FLOW, flow
from mcinterp.studies.adam_dynamics.invariant import INVARIANT, invariant
from mcinterp.studies.adam_dynamics.stages import STAGES, stages
from mcinterp.studies.adam_dynamics.tokens import TOKENS, tokens
from mcinterp.studies.adam_dynamics.trained import TRAINED, train_networks, trained
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, kept, kept_each, train_preset

MEASURES: Mapping[str, Callable[[int], Result]] = {
    BOUNDS: bounds,
    FLOW: flow,
    EXPLOSIONS: explosions,
    TOKENS: tokens,
    INVARIANT: invariant,
    STAGES: stages,
}
"""What is measured without a run, each from a seed."""


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train what is missing, and measure what was not measured from this seed.

    Returns:
        `training`, and `study/bounds`, `study/flow`, `study/explosions`, `study/tokens`, `study/invariant`,
        `study/stages` and `study/trained`.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    if not isinstance(run.config.task, TeacherConfig):
        raise TrainingError(f"run {run.name} is of another task, {run.config.task.kind}")
    runs = train_networks(setting, run)
    results = analysed(setting, run, [])
    about = {"versions": package_versions(), "code": code_digest()}
    seed = run.config.training.seed
    from_seed = {name: partial(measured, seed) for name, measured in MEASURES.items()}
    results |= kept_each(setting, about | {"seed": seed}, from_seed)
    weights = {name: each.fingerprint() for name, each in runs.items()}
    results |= kept(setting, [TRAINED], about | {"weights": weights}, lambda: [trained(run, runs)])
    return results
