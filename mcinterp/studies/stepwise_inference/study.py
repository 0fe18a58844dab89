"""What the study trains and measures: navigators with steps and without, and readers of exemplars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mcinterp.analysis.runner import code_digest
from mcinterp.config import load_preset
from mcinterp.results import Result
from mcinterp.runs import Run
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.stepwise_inference.accuracy import ACCURACY, accuracy
from mcinterp.studies.stepwise_inference.exemplars import EXEMPLARS, exemplars
from mcinterp.studies.stepwise_inference.order import ORDER, order
from mcinterp.studies.stepwise_inference.runs import train_all
from mcinterp.studies.stepwise_inference.temperature import TEMPERATURE, temperature
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, kept_each, train_preset

MEASURES: Mapping[str, Callable[[Mapping[str, Run]], Result]] = {
    ACCURACY: accuracy,
    TEMPERATURE: temperature,
    ORDER: lambda runs: order(runs[""]),
    EXEMPLARS: exemplars,
}


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train what is missing, and measure what was not measured of these very networks.

    Returns:
        `training`, and `study/accuracy`, `study/temperature`, `study/order` and `study/exemplars`.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    runs = train_all(setting, run)
    results = analysed(setting, run, [])
    provenance = {
        "versions": package_versions(),
        "code": code_digest(),
        "run": run.name,
        "weights": {name: each.fingerprint() for name, each in runs.items()},
    }
    return results | kept_each(setting, provenance, {name: partial(of, runs) for name, of in MEASURES.items()})
