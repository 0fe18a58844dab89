"""The passes by name: what the command line and the report can ask for.

A `Pass` looks at one checkpoint, a `Comparison` at a run's checkpoints together. Both give a `Result`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcinterp.analysis.ablation import ablation
from mcinterp.analysis.algorithm import algorithm_fit
from mcinterp.analysis.attention import attention_maps
from mcinterp.analysis.by_size import errors_by_size
from mcinterp.analysis.circuits import circuits
from mcinterp.analysis.component_dynamics import component_dynamics, dynamics_fingerprint
from mcinterp.analysis.distribution_shift import distribution_shift
from mcinterp.analysis.embeddings import embeddings
from mcinterp.analysis.generation import generation
from mcinterp.analysis.nuclear_norm import nuclear_norm
from mcinterp.analysis.patching import patching
from mcinterp.analysis.plateau import plateau_measures
from mcinterp.analysis.position_sensitivity import position_sensitivity
from mcinterp.analysis.probes import linear_probes
from mcinterp.analysis.switching import model_switching
from mcinterp.analysis.taxonomy import head_taxonomy
from mcinterp.analysis.token_intervention import token_intervention
from mcinterp.errors import UsageError, nearest_name
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run

Results = Mapping[str, Result]
ENTRIES: tuple[str, ...] = ("matrix-completion",)
SEQUENCES: tuple[str, ...] = ("matrix-sequence",)


@dataclass(frozen=True)
class Pass:
    """An analysis of one checkpoint.

    Attributes:
        name: of its results' folder, and on the command line.
        question: what it answers, in a line.
        samples: how many matrices it uses unless told otherwise.
        run: from checkpoint, results of earlier passes on it, samples and seed to the result.
        needs: passes whose results `run` uses where they are defined for the task; they are run first.
        tasks: the kinds of task it is defined for.
        least: the fewest matrices that it has an answer with.
    """

    name: str
    question: str
    samples: int
    run: Callable[[Checkpoint, Results, int, int], Result]
    needs: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ENTRIES
    least: int = 2


@dataclass(frozen=True)
class Comparison:
    """An analysis of all checkpoints of a run together.

    Attributes:
        name: of its result's folder, and on the command line.
        question: what it answers, in a line.
        samples: how many matrices it uses a checkpoint unless told otherwise.
        run: from run, steps to compare, samples and seed to the result.
        fingerprint: digest of everything in the run's folder that the result depends on; a stored result with another
            one is stale.
        tasks: the kinds of task it is defined for.
    """

    name: str
    question: str
    samples: int
    run: Callable[[Run, Sequence[int], int, int], Result]
    fingerprint: Callable[[Run], str] = Run.fingerprint
    tasks: tuple[str, ...] = ENTRIES


def _ablation(checkpoint: Checkpoint, earlier: Results, samples: int, seed: int) -> Result:
    return ablation(checkpoint, samples=samples, seed=seed, taxonomy=earlier.get("taxonomy"))


PASSES: dict[str, Pass] = {
    entry.name: entry
    for entry in (
        Pass(
            "attention",
            "Where does each head look, under random and structured masks?",
            256,
            lambda checkpoint, _, samples, seed: attention_maps(checkpoint, samples=samples, seed=seed),
            tasks=ENTRIES + SEQUENCES,
        ),
        Pass(
            "taxonomy",
            "Which class does each head belong to, and by what margin?",
            128,
            lambda checkpoint, _, samples, seed: head_taxonomy(checkpoint, samples, seed),
        ),
        Pass(
            "ablation",
            "What do the errors become without a set of heads?",
            512,
            _ablation,
            needs=("taxonomy",),
            tasks=ENTRIES + SEQUENCES,
        ),
        Pass(
            "patching",
            "Does the heads' output for X, put into the run on −X, move the answer to X?",
            256,
            lambda checkpoint, _, samples, seed: patching(checkpoint, samples=samples, seed=seed),
            tasks=ENTRIES + SEQUENCES,
        ),
        Pass(
            "circuits",
            "What does each head read and write, by its weights alone, and how much of what it does is that?",
            128,
            lambda checkpoint, _, samples, seed: circuits(checkpoint, samples, seed),
        ),
        Pass(
            "probes",
            "What can be read linearly off the residual stream of each layer?",
            2048,
            lambda checkpoint, _, samples, seed: linear_probes(checkpoint, samples, seed=seed),
        ),
        Pass(
            "tokens",
            "Is the model copying: does it answer the value of a token put in the place of MASK?",
            512,
            lambda checkpoint, _, samples, seed: token_intervention(checkpoint, samples=samples, seed=seed),
        ),
        Pass(
            "positions",
            "What of a position matters: its row, its column, or its place?",
            256,
            lambda checkpoint, _, samples, seed: position_sensitivity(checkpoint, samples=samples, seed=seed),
        ),
        Pass(
            "shift",
            "What does the model make of laws, ranks and shares of masked entries that it was not trained on?",
            1024,
            lambda checkpoint, _, samples, seed: distribution_shift(checkpoint, samples, seed),
            least=4,
        ),
        Pass(
            "algorithm",
            "What algorithm is it? Which known way to complete a matrix explains the model's answers?",
            512,
            lambda checkpoint, _, samples, seed: algorithm_fit(checkpoint, samples, seed),
            least=4,
        ),
        Pass(
            "nuclear",
            "Does the model minimise the nuclear norm, and how good is that as a completion?",
            512,
            lambda checkpoint, _, samples, seed: nuclear_norm(checkpoint, samples, seed=seed),
        ),
        Pass(
            "sizes",
            "What are the errors on matrices of each size that the model was trained on?",
            512,
            lambda checkpoint, _, samples, seed: errors_by_size(checkpoint, samples=samples, seed=seed),
        ),
        Pass(
            "generation",
            "How much of the matrix does the model write rightly, given the true tokens and on its own?",
            256,
            lambda checkpoint, _, samples, seed: generation(checkpoint, samples, seed),
            tasks=SEQUENCES,
        ),
    )
}


COMPARISONS: dict[str, Comparison] = {
    entry.name: entry
    for entry in (
        Comparison(
            "embeddings",
            "When do token and positional embeddings take their form?",
            4096,
            lambda run, steps, samples, seed: embeddings(run, steps, samples, seed),
        ),
        Comparison(
            "plateau",
            "What moves while the loss stands still, and which of it before the loss?",
            128,
            lambda run, steps, samples, seed: plateau_measures(run, steps, samples, seed),
        ),
        Comparison(
            "switching",
            "What do the errors become with a component of another checkpoint, and from when on is it the final one?",
            256,
            lambda run, steps, samples, seed: model_switching(run, steps, samples, seed),
        ),
        Comparison(
            "components",
            "Which components, trained alone in the final model (see retrain), show a plateau and a drop?",
            512,
            lambda run, _, samples, seed: component_dynamics(run, samples, seed),
            dynamics_fingerprint,
        ),
    )
}


def select_passes(names: Iterable[str] | None = None, task: str | None = None) -> list[Pass]:
    """The passes to run, in the order in which they run; comparisons are left out.

    Args:
        names: of passes and comparisons; None for all that are defined for `task`. Passes that these need come too.
        task: kind of the run's task; None for any.

    Raises:
        UsageError: for an unknown name, or a named pass that is not defined for `task`.
    """
    wanted = _wanted(names, task)
    needed = {need for name in wanted & PASSES.keys() for need in PASSES[name].needs} & defined_for(task)
    return [entry for name, entry in PASSES.items() if name in wanted | needed]


def select_comparisons(names: Iterable[str] | None = None, task: str | None = None) -> list[Comparison]:
    """The comparisons to run, in the order in which they run; passes are left out.

    Args:
        names: of passes and comparisons; None for all that are defined for `task`.
        task: kind of the run's task; None for any.

    Raises:
        UsageError: for an unknown name, or a named comparison that is not defined for `task`.
    """
    wanted = _wanted(names, task)
    return [entry for name, entry in COMPARISONS.items() if name in wanted]


def defined_for(task: str | None) -> set[str]:
    """Names of the passes and comparisons that are defined for a kind of task; all for None."""
    return {name for name, entry in _known().items() if task is None or task in entry.tasks}


def _wanted(names: Iterable[str] | None, task: str | None) -> set[str]:
    if names is None:
        return defined_for(task)
    known, wanted = _known(), {name.strip() for name in names}
    for name in sorted(wanted):
        if name not in known:
            raise UsageError(f"no pass is called {name!r}{nearest_name(name, known)}")
        if name not in defined_for(task):
            raise UsageError(f"{name} is defined for {' and '.join(known[name].tasks)}; this run's task is {task}")
    return wanted


def _known() -> dict[str, Pass | Comparison]:
    return {**PASSES, **COMPARISONS}
