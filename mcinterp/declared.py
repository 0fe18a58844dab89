"""What a study declares of itself: cheap to import, whatever it names is loaded when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal

Place = str
"""Where something stands, `package.module:name`."""


_NOTHING: Mapping[str, Any] = MappingProxyType({})


def load(place: Place) -> Any:
    """What stands at a place."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class TaskKind:
    """A kind of task, as `task.kind` names it.

    Attributes:
        config: class of the section.
        task: class of the task, made of the section.
        architectures: of the models that it is asked of, the usual one first.
        head_classes: names of the classes that the task sorts heads into, told before the task is loaded.
        described: from the values of a section to a line of text; None for a list of its fields.
    """

    config: Place
    task: Place
    architectures: tuple[str, ...]
    head_classes: tuple[str, ...] = ()
    described: Place | None = None


@dataclass(frozen=True)
class Architecture:
    """A kind of model, as `model.architecture` names it.

    Attributes:
        config: class of the section.
        build: from section of the model, section of the task and seed to the model.
        offers: what passes may ask of it besides what the task offers, such as `heads`.
        reads: from weights that were saved elsewhere (`mcinterp.runs.foreign.Foreign`), section of the task and the
            fields of the model that were said to the model and a list of sentences on what was left out; '' where
            weights open by the model's own names alone.
    """

    config: Place
    build: Place
    offers: frozenset[str] = frozenset()
    reads: Place = ""


Setting = bool | int | float | str | tuple[tuple[float, ...], ...]
"""A value of a setting that is an optimiser's own, several lists of numbers among them."""


@dataclass(frozen=True)
class OptimiserKind:
    """What a configuration knows of an optimiser.

    Attributes:
        fields: of training, those that the optimiser reads and others may not, such as `weight_decay`.
        settings: that are its own (`training.optimiser_settings`), by name, with their defaults.
        place: of its `mcinterp.training.optimisers.Optimiser`, as `package.module:name`, loaded when it trains; or of a
            function from the training's configuration to it, where the settings decide what it remembers. '' for the
            package's own.
        check: told all its settings by name; raises ValueError for values that it cannot work with.
    """

    fields: tuple[str, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    place: str = ""
    check: Place | Callable[[Mapping[str, Any]], None] | None = None


@dataclass(frozen=True)
class Pass:
    """An analysis of one checkpoint.

    Attributes:
        name: of its results' folder, and on the command line.
        question: what it answers, in a line.
        samples: how many samples it uses unless told otherwise.
        function: called with the checkpoint, `samples` and `seed`, and by their names with the results of those
            passes that it needs, as far as they are there; gives a `Result`.
        needs: passes whose results it uses where they can be had; they are run first.
        asks: what the task or the model must offer.
        least: the fewest samples that it has an answer with.
        conditioned: whether it looks at inputs of one's own where they are given, as arguments that the task names.
        cost: from a run's configuration to a sentence on what a checkpoint takes, where that is much; empty else. Told
            before an analysis begins.
    """

    name: str
    question: str
    samples: int
    function: Place | Callable[..., Any]
    needs: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    least: int = 2
    conditioned: bool = False
    cost: Place | Callable[[Any], str] | None = None

    def costs(self, config: Any) -> str:
        """What it takes of a run's checkpoint, in a sentence, where that is much."""
        return "" if self.cost is None else str(resolved(self.cost)(config))

    def run(
        self, checkpoint: Any, earlier: Mapping[str, Any], samples: int, seed: int, inputs: Mapping[str, Any] = _NOTHING
    ) -> Any:
        """The result on a checkpoint, given those of earlier passes on it, and inputs of one's own."""
        needed = {name: earlier[name] for name in self.needs if name in earlier}
        return resolved(self.function)(checkpoint, samples=samples, seed=seed, **needed, **inputs)


@dataclass(frozen=True)
class Comparison:
    """An analysis of all checkpoints of a run together.

    Attributes:
        name: of its result's folder, and on the command line.
        question: what it answers, in a line.
        samples: how many samples it uses a checkpoint unless told otherwise.
        function: called with the run, the steps to compare, `samples` and `seed`; gives a `Result`.
        digest: from the run to a digest of everything in its folder that the result depends on, by which a stored
            result is known to be stale; None for all its measurements and checkpoints.
        asks: what the task or the model must offer.
    """

    name: str
    question: str
    samples: int
    function: Place | Callable[..., Any]
    digest: Place | Callable[[Any], str] | None = None
    asks: tuple[str, ...] = ()

    def run(self, run: Any, steps: Any, samples: int, seed: int) -> Any:
        """The result on a run's checkpoints at `steps`."""
        return resolved(self.function)(run, steps, samples=samples, seed=seed)

    def fingerprint(self, run: Any) -> str:
        """Digest of what the result depends on."""
        return str(run.fingerprint() if self.digest is None else resolved(self.digest)(run))


Asks = Literal["looks", "needs", "represents", "computes"]
"""What a pass asks of a model, by which sections of a page are grouped: where it looks, what it needs, what it
represents, what it computes."""


@dataclass(frozen=True)
class View:
    """How a stored result is shown.

    What a reader needs to know to read it stands in the study's package, in `reading/NAME.md`, where there is such a
    file: what is shown, what to conclude, what not.

    Attributes:
        title: heading where it was not made.
        function: from the result, and those beside it by name, to a section of a page.
        rows: of a pass, from its results by step to its rows of the table that shows all checkpoints side by side.
        findings: a rule that makes a finding of stored results: from a `mcinterp.report.story.Told` to a `Finding`, or
            None where they do not say.
        asks: what it asks of the model, by which sections of a page are grouped.
    """

    title: str
    function: Place
    rows: Place | None = None
    findings: Place | None = None
    asks: Asks = "computes"


@dataclass(frozen=True)
class Explorer:
    """A page in which the model itself runs.

    Attributes:
        asks: what the task or the model must offer.
        gather: from run and steps to a result that holds weights and task.
        write: from that and a file to the file, written.
        offers: what there is to play with in it, in a few words.
        address: from a step, the shape in which the places of an example lie, what is right at each, what is given
            (NaN where it is hidden) and the name of a head or '' to the part of the page's address after the #; ''
            where it has no such addresses.
    """

    asks: tuple[str, ...]
    gather: Place
    write: Place
    offers: str = "inputs, heads and steps"
    address: Place = ""


@dataclass(frozen=True)
class Study:
    """A paper's experiments, with its claims.

    Attributes:
        name: of the study, as the command line has it.
        title: of the paper.
        source: where it is.
        package: that it stands in; configurations are the files `presets/*.yaml` in it.
        presets: configurations that it can be carried out with, the first by default.
        measure: from a `Setting` to results by key: trains (by `mcinterp.study.trained.train_preset`, which gives the
            run its seed) and analyses what is missing.
        claims: from `Evidence` to what became of the claims, decided from the results alone.
        alone: presets that have no run; their report stands by itself.
        seeds: training seeds, from the run's own on, that are used where it is carried out once: so far apart are the
            seeds of a replication, that no two share a network.
        bounds: what the bounds of its rules ask for, in a sentence for the page.
        paper_size: what the paper itself trained or asked, as it goes on after "the paper", such as `trains 4 layers
            on 7 × 7 matrices`; stands beside what was trained here.
        measured_by: names of results that not every preset measures, with the presets that do: what a claim lacks the
            evidence for is told with the command that would decide it.
        tasks, architectures: kinds of task and of model that it brings, by name.
        passes, comparisons: that it brings.
        optimisers: that it brings, by name.
        views: of its passes and comparisons, by name, in the order of the page.
        measured_views: of what it measures itself, by name, in the order of the page.
        explorer: a page in which its models run.
        input_picture: from a result of the attention pass and the name of a family of inputs to a `Picture` of the
            family; None where inputs are not drawn.
        input_name: from a result of the attention pass and inputs of one's own, as they were given to it, to the
            name of their family there, '' for none; None where inputs have names alone.
        head_note: how the paper writes heads, where that is not as here.
        headers: how columns of its tables are headed on pages, where their names in words would not be understood.
        reads_config: from a configuration of other code as nested values, and what to call it, to the sections that it
            describes; None of one that is not known. '' where there is no such code.
        exports: public names, which are also names of the package `mcinterp`.
    """

    name: str
    title: str
    source: str
    package: str
    presets: tuple[str, ...]
    measure: Place | Callable[..., Any]
    claims: Place | Callable[..., Any]
    alone: tuple[str, ...] = ()
    seeds: int = 1
    bounds: str = (
        "The bounds are this package's own: they ask for the shape of what the paper shows, not for its numbers, which "
        "a smaller model does not have."
    )
    paper_size: str = ""
    measured_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: Mapping[str, TaskKind] = field(default_factory=dict)
    architectures: Mapping[str, Architecture] = field(default_factory=dict)
    passes: tuple[Pass, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    optimisers: Mapping[str, OptimiserKind] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    measured_views: Mapping[str, Place] = field(default_factory=dict)
    explorer: Explorer | None = None
    input_picture: Place | None = None
    input_name: Place | None = None
    head_note: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    reads_config: Place = ""
    exports: Mapping[str, Place] = field(default_factory=dict)


def resolved(given: Any) -> Any:
    """What stands at a place, or what is given itself."""
    return load(given) if isinstance(given, str) else given
