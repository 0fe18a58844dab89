"""The passes by name: what the command line and the report can ask for.

A `Pass` looks at one checkpoint, a `Comparison` at a run's checkpoints together. Both give a `Result`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcinterp.analysis.ablation import ablation
from mcinterp.analysis.attention import attention_maps
from mcinterp.analysis.by_size import errors_by_size
from mcinterp.analysis.patching import patching
from mcinterp.analysis.probes import linear_probes
from mcinterp.analysis.taxonomy import head_taxonomy
from mcinterp.errors import UsageError, nearest_name
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run

Results = Mapping[str, Result]


@dataclass(frozen=True)
class Pass:
    """An analysis of one checkpoint.

    Attributes:
        name: of its results' folder, and on the command line.
        question: what it answers, in a line.
        samples: how many matrices it uses unless told otherwise.
        run: from checkpoint, results of earlier passes on it, samples and seed to the result.
        needs: passes whose results `run` uses; they are run first.
    """

    name: str
    question: str
    samples: int
    run: Callable[[Checkpoint, Results, int, int], Result]
    needs: tuple[str, ...] = ()


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
    """

    name: str
    question: str
    samples: int
    run: Callable[[Run, Sequence[int], int, int], Result]
    fingerprint: Callable[[Run], str] = Run.fingerprint


def _ablation(checkpoint: Checkpoint, earlier: Results, samples: int, seed: int) -> Result:
    return ablation(checkpoint, samples=samples, seed=seed, taxonomy=earlier["taxonomy"])


PASSES: dict[str, Pass] = {
    entry.name: entry
    for entry in (
        Pass(
            "attention",
            "Where does each head look, under random and structured masks?",
            256,
            lambda checkpoint, _, samples, seed: attention_maps(checkpoint, samples=samples, seed=seed),
        ),
        Pass(
            "taxonomy",
            "Which class does each head belong to, and by what margin?",
            128,
            lambda checkpoint, _, samples, seed: head_taxonomy(checkpoint, samples, seed),
        ),
        Pass("ablation", "What do the errors become without a set of heads?", 512, _ablation, ("taxonomy",)),
        Pass(
            "patching",
            "Does the heads' output for X, put into the run on −X, move the answer to X?",
            256,
            lambda checkpoint, _, samples, seed: patching(checkpoint, samples=samples, seed=seed),
        ),
        Pass(
            "probes",
            "What can be read linearly off the residual stream of each layer?",
            2048,
            lambda checkpoint, _, samples, seed: linear_probes(checkpoint, samples, seed=seed),
        ),
        Pass(
            "sizes",
            "What are the errors on matrices of each size that the model was trained on?",
            512,
            lambda checkpoint, _, samples, seed: errors_by_size(checkpoint, samples=samples, seed=seed),
        ),
    )
}


COMPARISONS: dict[str, Comparison] = {}


def select_passes(names: Iterable[str] | None = None) -> list[Pass]:
    """The named passes (all for None) and those they need, in the order in which they run; comparisons are left out.

    Raises:
        UsageError: for an unknown name.
    """
    wanted = _known(names)
    needed = {need for name in wanted & PASSES.keys() for need in PASSES[name].needs}
    return [entry for name, entry in PASSES.items() if name in wanted | needed]


def select_comparisons(names: Iterable[str] | None = None) -> list[Comparison]:
    """The named comparisons (all for None), in the order in which they run; passes are left out.

    Raises:
        UsageError: for an unknown name.
    """
    wanted = _known(names)
    return [entry for name, entry in COMPARISONS.items() if name in wanted]


def _known(names: Iterable[str] | None) -> set[str]:
    known = {*PASSES, *COMPARISONS}
    wanted = known if names is None else {name.strip() for name in names}
    unknown = sorted(wanted - known)
    if unknown:
        raise UsageError(f"no pass is called {unknown[0]!r}{nearest_name(unknown[0], known)}")
    return wanted
