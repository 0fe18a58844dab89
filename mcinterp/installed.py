"""Which studies there are: those of the package, and those that other packages bring.

Nothing but declarations is loaded, and for names of the package's own studies and their configurations not even these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module, resources
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from typing import Any

from mcinterp.declared import Architecture, Study, TaskKind
from mcinterp.errors import UsageError, nearest_name

GROUP = "mcinterp.studies"
"""Entry points of other packages, each of which gives a `Study`."""
HOME = "mcinterp.studies"
BUILT_IN = {
    "matrix-completion": "matrix_completion",
    "ghost-points": "ghost_points",
    "identity-mapping": "identity_mapping",
    "markov-mixtures": "markov_mixtures",
    "stepwise-inference": "stepwise_inference",
    "forking-tokens": "forking_tokens",
    "graph-tracing": "graph_tracing",
    "knowledge-editing": "knowledge_editing",
    "adam-dynamics": "adam_dynamics",
    "percolation": "percolation",
    "concept-space": "concept_space",
}
"""The package's own studies and their folders; one whose folder is not there is none."""
BASE_ARCHITECTURES: Mapping[str, Architecture] = {
    "transformer": Architecture(
        "mcinterp.config.transformer:TransformerConfig",
        "mcinterp.model.build:transformer",
        frozenset({"heads", "embeddings", "components"}),
    )
}
"""Models that any study may ask its tasks of."""
OWN: Mapping[str, Iterable[str]] = {
    "optimiser": ("adam", "adamw", "sgd", "k-adam"),
    "architecture": BASE_ARCHITECTURES,
    "pass": (
        *("attention", "taxonomy", "ablation", "patching", "circuits", "probes", "causal-tracing"),
        *("course", "examples", "embeddings", "plateau", "formation", "oracles", "switching", "components"),
    ),
}
"""Names of the package's own, which no study may take; `pass` names comparisons too."""


def studies() -> dict[str, Study]:
    """Every study by its name, the package's own first."""
    return _found()[0]


def broken() -> dict[str, str]:
    """Studies of other packages that cannot be used, by the name of their entry point, each with the reason."""
    return _found()[1]


def task_kinds() -> dict[str, TaskKind]:
    """Every kind of task by its name."""
    return {name: kind for study in studies().values() for name, kind in study.tasks.items()}


def architectures() -> dict[str, Architecture]:
    """Every kind of model by its name."""
    own = {name: made for study in studies().values() for name, made in study.architectures.items()}
    return {**own, **BASE_ARCHITECTURES}


def study_named(name: str) -> Study:
    """The study of that name.

    Raises:
        UsageError: if there is none, with the nearest, or with why it cannot be used.
    """
    if name not in studies():
        why = f"; {broken()[name]}" if name in broken() else nearest_name(name, studies())
        raise UsageError(f"no study is called {name!r:.80}{why}")
    return studies()[name]


def study_of(kind: str) -> Study | None:
    """The study that brings a kind of task."""
    return next((study for study in studies().values() if kind in study.tasks), None)


def preset_files() -> dict[str, Traversable]:
    """Configurations that come with studies, by name."""
    folders = [resources.files("mcinterp") / "studies" / folder for folder in BUILT_IN.values()]
    if entry_points(group=GROUP):
        folders += [resources.files(study.package) for name, study in studies().items() if name not in BUILT_IN]
    files = [file for folder in folders for file in _files(folder / "presets")]
    # Those of the package come first, and no other takes their place.
    return {file.name.removesuffix(".yaml"): file for file in reversed(files)}


def _files(folder: Traversable) -> Iterator[Traversable]:
    return (file for file in (folder.iterdir() if folder.is_dir() else ()) if file.name.endswith(".yaml"))


@cache
def own_studies() -> dict[str, Study]:
    """The package's own studies by name, without a look at other packages."""
    here = resources.files("mcinterp") / "studies"
    return {
        name: import_module(f"{HOME}.{folder}").STUDY
        for name, folder in BUILT_IN.items()
        if (here / folder / "__init__.py").is_file()
    }


@cache
def _found() -> tuple[dict[str, Study], dict[str, str]]:
    """The studies, and those that cannot be used."""
    found, why_not = dict(own_studies()), {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        study, problem = _opened(entry.load, found)
        if study is None:
            why_not[entry.name] = f"study {entry.name} of {entry.value} cannot be used: {problem}"
        else:
            found[study.name] = study
    return found, why_not


def _opened(opened: Callable[[], Any], others: Mapping[str, Study]) -> tuple[Study | None, str]:
    """A study of another package; none, and why, if it is none or takes a name of others."""
    try:
        study = opened()
        if not isinstance(study, Study):
            return None, f"it gives a {type(study).__name__}, not a Study"
        names = names_of(study)
        resources.files(study.package)
    except Exception as error:  # whatever a stranger's package does must cost no other study
        return None, f"{type(error).__name__}: {error}"
    if own := names & _labelled(OWN):
        return None, f"the package has {_article(min(own))} of its own"
    for other in others.values():
        if taken := names & names_of(other):
            return None, f"study {other.name} has {_article(min(taken))} too"
    return study, ""


def names_of(study: Study) -> set[str]:
    """Names that no two studies may share, each with what it is the name of."""
    return _labelled(
        {
            "kind of task": study.tasks,
            "architecture": study.architectures,
            "pass": [*(entry.name for entry in study.passes), *(entry.name for entry in study.comparisons)],
            "optimiser": study.optimisers,
            "public name": study.exports,
            "preset": set(study.presets) - set(study.alone),
            "study": [study.name],
        }
    )


def _labelled(names: Mapping[str, Iterable[str]]) -> set[str]:
    return {f"{what} {name!r}" for what, named in names.items() for name in named}


def _article(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
