"""Carry a study out with several seeds, and store what becomes of its claims in each and over all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from mcinterp.analysis.runner import DATA
from mcinterp.config import RunConfig, load_preset
from mcinterp.declared import Study
from mcinterp.errors import ConfigError, McinterpError, StoppedError, TrainingError, UsageError
from mcinterp.results import Result
from mcinterp.runs import Sweep, run_sweep
from mcinterp.runs.checkpoint import package_versions
from mcinterp.runs.grid import SweepRun
from mcinterp.runs.sweep import Outcome
from mcinterp.study.over_seeds import REPLICATION, over_seeds
from mcinterp.study.study import Setting, check_preset, reproduce
from mcinterp.study.trained import changed

FIELD = "training.seed"
"""What the runs of a replication differ in."""


def replicate(study: Study, setting: Setting, seeds: int, decided: Callable[[Setting], None] | None = None) -> Result:
    """Carry a study out with so many seeds, from the preset's own on, `study.seeds` apart.

    Every seed has a run in `run`/seed-K and a report in `out`/seed-K, as `reproduce` has; what stands is kept, so that
    the same call goes on where an earlier one was stopped. With several `jobs` the runs are trained first, side by
    side. A seed that fails costs no other: the result says why, and counts it as undecided.

    Args:
        study: what to carry out.
        setting: `run` and `out` are folders of the replication.
        seeds: how many.
        decided: told the setting of every seed whose claims are decided.

    Returns:
        the claims over seeds, as stored under `out`/data/replication; see `over_seeds`.

    Raises:
        UsageError: for a preset that the study does not have, or that trains nothing; for fewer seeds than one.
        ConfigError: if a run stands with another configuration.
        StoppedError: if training was stopped.
        TrainingError: if no seed could be decided.
    """
    configs = replicated(study, setting.preset, seeds)
    failed = _trained(setting, configs) if setting.jobs > 1 else {}
    found: dict[int, Result] = {}
    for seed in configs:
        if seed not in failed:
            try:
                found[seed] = reproduce(study, one := of_seed(setting, seed))
            except (UsageError, ConfigError, StoppedError):  # which are about the call, not about the seed
                raise
            except (McinterpError, OSError, MemoryError, RuntimeError) as error:  # RuntimeError: torch, out of memory
                failed[seed] = " ".join(str(error).split()) or type(error).__name__
                setting.tell(f"seed {seed} failed: {failed[seed]}")
                continue
            if decided:
                decided(one)
    return _stored(setting, configs, found, failed)


def replicated(study: Study, preset: str, seeds: int) -> dict[int, RunConfig]:
    """Seed → configuration of its run.

    Raises:
        UsageError: for a preset that the study does not have, or that trains nothing; for fewer seeds than one.
    """
    check_preset(study, preset)
    if preset in study.alone:
        raise UsageError(f"preset {preset} of study {study.name} trains nothing that a seed could change")
    if seeds < 1:
        raise UsageError(f"a replication needs at least one seed, got {seeds}")
    config = load_preset(preset)
    first = config.training.seed
    chosen = range(first, first + seeds * study.seeds, study.seeds)
    return {seed: changed(config, {FIELD: seed}) for seed in chosen}


def seed_name(seed: int) -> str:
    """Name of the folders of a seed's run and report."""
    return f"seed-{seed}"


def of_seed(setting: Setting, seed: int) -> Setting:
    """How one seed of a replication is carried out: in folders of its own, saying whose progress it tells."""
    name = seed_name(seed)
    return replace(
        setting,
        run=setting.run / name,
        out=setting.out / name,
        seed=seed,
        tell=lambda line: setting.tell(f"seed {seed}: {line}"),
        watch=lambda steps, activity: setting.watch(steps, f"seed {seed}: {activity}"),
    )


def _trained(setting: Setting, configs: Mapping[int, RunConfig]) -> dict[int, str]:
    """Train the runs that are not finished, `setting.jobs` at a time; why they failed, by seed."""
    seeds = {seed_name(seed): seed for seed in configs}
    runs = tuple(SweepRun(name, {FIELD: seed}, configs[seed]) for name, seed in seeds.items())

    def tell(outcome: Outcome) -> None:
        setting.tell(f"training {outcome.name}: {outcome.state} {outcome.sentence}".strip())

    sweep = Sweep(REPLICATION, (FIELD,), runs)
    outcomes = run_sweep(sweep, setting.run, setting.jobs, None, setting.device, None, tell)
    if any(outcome.state == "stopped" for outcome in outcomes):
        raise StoppedError("training was stopped; the same command goes on from there")
    return {seeds[outcome.name]: outcome.sentence for outcome in outcomes if outcome.state in ("failed", "busy")}


def _stored(
    setting: Setting, configs: Mapping[int, RunConfig], found: Mapping[int, Result], failed: Mapping[int, str]
) -> Result:
    if not found:
        why = "; ".join(f"seed {seed}: {failed[seed]}" for seed in configs)
        raise TrainingError(f"no seed could be carried out ({why})")
    result = over_seeds(found, failed)
    hashes = {str(seed): config.hash for seed, config in configs.items()}
    provenance = {"versions": package_versions(), "configs": hashes, "samples": setting.samples}
    result = replace(result, provenance=provenance)
    result.save(replication_folder(setting.out))
    return result


def replication_folder(out: Path) -> Path:
    """Where a replication's numbers are kept."""
    return out / DATA / REPLICATION
