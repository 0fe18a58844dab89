"""The passes by name: what the command line and the report can ask for, and what each asks of task and model.

A `Pass` looks at one checkpoint, a `Comparison` at a run's checkpoints together. Both give a `Result`. Here are those
of any task that offers what they ask for; studies declare more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mcinterp.declared import Comparison, Pass, load
from mcinterp.errors import InputError, UsageError, nearest_name
from mcinterp.installed import architectures, studies, task_kinds

if TYPE_CHECKING:
    from mcinterp.config import RunConfig

_HERE = "mcinterp.analysis.passes"

PASSES: dict[str, Pass] = {
    entry.name: entry
    for entry in (
        Pass(
            "attention",
            "Where does each head look, on random and on structured inputs?",
            512,
            f"{_HERE}.attention:attention_maps",
            asks=("heads", "inputs_for_attention"),
            conditioned=True,
            cost=f"{_HERE}.attention_size:told_of_maps",
        ),
        Pass(
            "taxonomy",
            "Which class does each head belong to, and by what margin?",
            128,
            f"{_HERE}.taxonomy:head_taxonomy",
            asks=("heads", "head_classes"),
            conditioned=True,
        ),
        Pass(
            "ablation",
            "What do the errors become without a set of heads?",
            512,
            f"{_HERE}.ablation:ablation",
            needs=("taxonomy",),
            asks=("heads", "sample_scores"),
            conditioned=True,
        ),
        Pass(
            "patching",
            "Does the heads' output for X, put into the run on its counterpart, move the answer to X?",
            256,
            f"{_HERE}.patching:patching",
            asks=("heads", "sample_scores", "counterpart"),
            conditioned=True,
        ),
        Pass(
            "circuits",
            "What does each head read and write, by its weights alone, and how much of what it does is that?",
            128,
            f"{_HERE}.circuits:circuits",
            asks=("heads", "number_read_out", "position_groups", "shown_tokens"),
        ),
        Pass(
            "probes",
            "What can be read linearly off the residual stream of each layer?",
            2048,
            f"{_HERE}.probes:linear_probes",
            asks=("heads", "probe_targets"),
        ),
        Pass(
            "causal-tracing",
            "Which token does a next token hang on, and through which sites of the model does it get there?",
            256,
            f"{_HERE}.causal_tracing:causal_tracing",
            asks=("heads", "traced"),
            least=8,
        ),
        *(entry for study in studies().values() for entry in study.passes),
    )
}


COMPARISONS: dict[str, Comparison] = {
    entry.name: entry
    for entry in (
        Comparison(
            "course",
            "How does the run go: its errors, what attention is worth, and which known answers it is near to?",
            256,
            f"{_HERE}.course:run_course",
            asks=("heads", "sample_scores"),
        ),
        Comparison(
            "examples",
            "What does it answer, step by step, to a typical, the best, the worst and a structured input?",
            64,
            f"{_HERE}.examples:examples",
            asks=("shown_examples", "sample_scores"),
        ),
        Comparison(
            "embeddings",
            "When do token and positional embeddings take their form?",
            4096,
            f"{_HERE}.embeddings:embeddings",
            asks=("embeddings", "position_groups", "followed_tokens"),
        ),
        Comparison(
            "plateau",
            "What moves while the loss stands still, and which of it before the loss?",
            128,
            f"{_HERE}.plateau:plateau_measures",
            asks=("heads", "sample_scores", "answer_measures"),
        ),
        Comparison(
            "formation",
            "When does each class of heads form, and before or after the loss falls?",
            64,
            f"{_HERE}.formation:head_formation",
            asks=("heads", "head_classes", "sample_scores"),
        ),
        Comparison(
            "oracles",
            "Which known algorithm does it answer like, by step and by context, and which mixture of them?",
            256,
            f"{_HERE}.oracles:oracle_distances",
            asks=("heads", "oracles"),
        ),
        Comparison(
            "switching",
            "What do the errors become with a component of another checkpoint, and from when on is it the final one?",
            256,
            f"{_HERE}.switching:model_switching",
            asks=("components", "sample_scores"),
        ),
        Comparison(
            "components",
            "Which components, trained alone in the final model (see retrain), show a plateau and a drop?",
            512,
            f"{_HERE}.component_dynamics:compared_components",
            f"{_HERE}.component_dynamics:dynamics_fingerprint",
            asks=("components", "sample_scores"),
        ),
        *(entry for study in studies().values() for entry in study.comparisons),
    )
}


def select_passes(names: Iterable[str] | None = None, config: RunConfig | None = None) -> list[Pass]:
    """The passes to run, in the order in which they run; comparisons are left out.

    Args:
        names: of passes and comparisons; None for all that the run can answer. Passes that these need come too.
        config: the run's; None for any run.

    Raises:
        UsageError: for an unknown name, or a named pass that asks for what the run's task and model do not offer.
    """
    wanted = _wanted(names, config)
    needed = {need for name in wanted & PASSES.keys() for need in PASSES[name].needs} & defined_for(config)
    return [entry for name, entry in PASSES.items() if name in wanted | needed]


def select_comparisons(names: Iterable[str] | None = None, config: RunConfig | None = None) -> list[Comparison]:
    """The comparisons to run, in the order in which they run; passes are left out.

    Args:
        names: of passes and comparisons; None for all that the run can answer.
        config: the run's; None for any run.

    Raises:
        UsageError: for an unknown name, or a named one that asks for what the run's task and model do not offer.
    """
    wanted = _wanted(names, config)
    return [entry for name, entry in COMPARISONS.items() if name in wanted]


def select_conditioned(names: Iterable[str] | None, config: RunConfig) -> list[str]:
    """Names of the passes that look at inputs of one's own.

    Raises:
        UsageError: for a named pass or comparison that looks at the task's own alone.
    """
    if names is None:
        return [entry.name for entry in select_passes(None, config) if entry.conditioned]
    wanted, taken = _wanted(names, config), {entry.name for entry in PASSES.values() if entry.conditioned}
    for name in sorted(wanted - taken):
        raise UsageError(f"{name} looks at the inputs that the task draws alone; valid: {', '.join(sorted(taken))}")
    return sorted(wanted)


def check_samples(samples: int | None, passes: Iterable[Pass]) -> None:
    """Refuse fewer samples than a pass needs before the first one is run.

    Raises:
        UsageError: naming the pass that needs most.
    """
    most = max(passes, key=lambda entry: entry.least, default=None)
    if samples is not None and most is not None and samples < most.least:
        raise UsageError(f"{most.name} needs at least {most.least} samples, got {samples}")


def defined_for(config: RunConfig | None) -> set[str]:
    """Names of the passes and comparisons that a run's task and model can answer; all for None."""
    return {name for name, entry in _known().items() if config is None or not missing(entry.asks, config)}


def missing(asks: Iterable[str], config: RunConfig) -> list[str]:
    """What is asked for and offered neither by the run's model nor, as a name of its class, by its task."""
    task = load(task_kinds()[config.task.kind].task)
    model = architectures()[config.model.architecture].offers
    return [name for name in asks if name not in model and not hasattr(task, name)]


def without(name: str, asks: Iterable[str], config: RunConfig) -> str:
    """Why a run cannot be asked something, in a sentence; empty where it can."""
    lacking = missing(asks, config)
    if not lacking:
        return ""
    return (
        f"{name} asks for {' and '.join(lacking)}, which neither task {config.task.kind} nor model "
        f"{config.model.architecture} offers"
    )


def check_offered(name: str, config: RunConfig) -> None:
    """Refuse a run that a pass or comparison cannot be asked of.

    Raises:
        InputError: naming what it asks for and the run does not offer.
    """
    if why := without(name, _known()[name].asks, config):
        raise InputError(why)


def _wanted(names: Iterable[str] | None, config: RunConfig | None) -> set[str]:
    if names is None:
        return defined_for(config)
    known, wanted = _known(), {name.strip() for name in names}
    for name in sorted(wanted):
        if name not in known:
            raise UsageError(f"no pass is called {name!r}{nearest_name(name, known)}")
        if config is not None and (why := without(name, known[name].asks, config)):
            raise UsageError(why)
    return wanted


def _known() -> dict[str, Pass | Comparison]:
    return {**PASSES, **COMPARISONS}
