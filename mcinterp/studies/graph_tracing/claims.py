"""What the paper says of representations in context, and the rules that decide it."""

from __future__ import annotations

from mcinterp.analysis.traced_geometry import PREVIOUS, UNRELATED
from mcinterp.studies.graph_tracing.ablation import (
    ABLATION,
    BEST_INDUCTION,
    BEST_PREVIOUS,
    PLANE,
    RANDOM,
    WORST_INDUCTION,
    WORST_PREVIOUS,
)
from mcinterp.studies.graph_tracing.moments import (
    ENERGY_FALL,
    GEOMETRY,
    GEOMETRY_FIRST,
    LEAST_ENERGY,
    MIXING,
    MIXING_FIRST,
    RISE,
)
from mcinterp.studies.graph_tracing.runs import MOSTLY_PRIOR, NO_PRIOR, OWN, UNTRAINED
from mcinterp.studies.graph_tracing.sizes import CRITICAL, DIFFERENCE, MODEL
from mcinterp.studies.graph_tracing.structure import STRUCTURE
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme

PAPER = "arXiv 2501.00070"
SHOWN, CUT, SIZED = (f"study/{name}" for name in (STRUCTURE, ABLATION, CRITICAL))
MORE = Rule(low=0.0)
LITTLE = Rule(-0.05, 0.05)
TRACED = 0.6
"""Probability of neighbours of a network that traces: on a ring the node before alone gives a half."""
LOW_ENERGY = 0.95
"""Where neighbours are nearer than other nodes by so much that it can be told from chance."""


def tracing_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    claims = (reorganised, sudden, energy, earlier, persists, dominates, serves, made, mixing, grows, percolates)
    return tuple(claim(evidence) for claim in claims)


def reorganised(e: Evidence) -> Claim:
    """The geometry of the graph."""
    text = "As context grows, the representations of tokens take the geometry of the graph that is walked."
    control = Control("the rise of an untrained network", _moment(e, RISE, UNTRAINED), Rule(-0.15, 0.15))
    findings = (
        Finding(
            "last layer: rise of η² from the first to the last context", _moment(e, RISE), Rule(low=0.3), SHOWN, control
        ),
        Finding(
            "last layer, last context: η² less the 99 % quantile of shuffled nodes",
            _last(e, "geometry", "above_chance"),
            MORE,
            SHOWN,
        ),
    )
    return Claim("context re-organises", text, f"{PAPER}, in-context representations", findings)


def sudden(e: Evidence) -> Claim:
    """At once."""
    text = "They do so suddenly, at a critical length of context."
    control = Control("the same of states that only mix in their predecessors", _drops(e, MIXING), Rule(high=0.5))
    finding = Finding(
        "labellings in which 1 − η² of the last layer falls suddenly over the logarithm of context",
        _drops(e, GEOMETRY),
        Rule(low=0.5),
        SHOWN,
        control,
    )
    return Claim("suddenly", text, f"{PAPER}, emergence", (finding,))


def energy(e: Evidence) -> Claim:
    """Energy falls before accuracy rises."""
    text = "The energy of the representations on the graph falls, before accuracy rises."
    flat = Control(
        "the same energy under shuffled nodes, less 1", _last(e, "geometry", "energy_shuffled").plus(-1), LITTLE
    )
    findings = (
        Finding(
            "last layer: least normalised energy of any context",
            _moment(e, LEAST_ENERGY),
            Rule(high=LOW_ENERGY),
            SHOWN,
            flat,
        ),
        Finding(
            "by how much that is below the energy of the first context",
            _moment(e, ENERGY_FALL),
            Rule(low=0.05),
            SHOWN,
            flat,
        ),
    )
    return Claim("energy falls", text, f"{PAPER}, energy minimisation", findings)


def earlier(e: Evidence) -> Claim:
    """The order of geometry and accuracy."""
    text = "The geometry of the graph is there before predictions are right."
    control = Control(
        "the same of states that only mix in their predecessors", _moment(e, MIXING_FIRST), Rule(high=0.0)
    )
    finding = Finding(
        "doublings of context between half of η² and half of the accuracy beyond the node before",
        _moment(e, GEOMETRY_FIRST),
        MORE,
        SHOWN,
        control,
    )
    return Claim("geometry before accuracy", text, f"{PAPER}, energy minimisation", (finding,))


def persists(e: Evidence) -> Claim:
    """Two structures at once."""
    text = "Where tokens have a structure from training, it is still there beside that of the context."
    findings = []
    for network, said in ((OWN, "half of training on the prior"), (MOSTLY_PRIOR, "nine tenths of it")):
        without = Control("the same of a network without a prior", _both(e, "prior_above", NO_PRIOR), Rule(high=0.0))
        first = Control("the same in the first context", _both(e, "context_above", network, first=True), Rule(high=0.0))
        findings += [
            Finding(
                f"{said}: partial η² of the prior less its 95 % quantile by chance, last context",
                _both(e, "prior_above", network),
                MORE,
                SHOWN,
                without,
            ),
            Finding(f"{said}: the same of the context", _both(e, "context_above", network), MORE, SHOWN, first),
        ]
    right = _mass(e, OWN)
    findings.append(Finding("half of training on the prior: probability of neighbours", right, Rule(low=0.8), SHOWN))
    return Claim("prior beside context", text, f"{PAPER}, semantic prior", tuple(findings))


def dominates(e: Evidence) -> Claim:
    """Which of them is larger."""
    text = "The structure of the context cannot dominate the one from training."
    without = Control("the same of a network without a prior", _both(e, "lead", NO_PRIOR), Rule(high=0.0))
    traces = Control("probability of neighbours: it traces the context", _mass(e, MOSTLY_PRIOR), Rule(low=TRACED))
    findings = tuple(
        Finding(
            f"{said}: partial η² of the prior less that of the context, last context",
            _both(e, "lead", network),
            MORE,
            SHOWN,
            control,
        )
        for network, said, control in (
            (OWN, "half of training on the prior", without),
            (MOSTLY_PRIOR, "nine tenths of it", traces),
        )
    )
    return Claim("context cannot dominate", text, f"{PAPER}, semantic prior", findings)


def serves(e: Evidence) -> Claim:
    """What the geometry is for."""
    text = "The geometry serves the prediction: without its plane the model predicts worse."
    findings = (
        Finding(
            "fall of the probability of neighbours without the plane of the geometry",
            e.number(CUT, "planes", "mass_fall", without=PLANE),
            Rule(low=0.1),
            CUT,
        ),
        Finding(
            "the same, less that without random planes of the same variance",
            e.number(CUT, "planes", "beyond_random", without=PLANE),
            Rule(low=0.05),
            CUT,
            Control("variance of the random planes less the geometry's", _variance(e), LITTLE),
        ),
    )
    return Claim("geometry serves prediction", text, f"{PAPER}, implied", findings)


def made(e: Evidence) -> Claim:
    """The rival account."""
    text = "Previous-token heads make the geometry, and induction heads the prediction, not the geometry."
    said = "the same without the worst head of that layer"
    columns = ("first_layer_fall", "mass_fall")
    worst = {column: Control(said, _without(e, WORST_PREVIOUS, column), LITTLE) for column in columns}
    other = Control(said, _without(e, WORST_INDUCTION, "mass_fall"), LITTLE)
    findings = (
        Finding(
            "best previous-token head: fall of η² after the first block",
            _without(e, BEST_PREVIOUS, "first_layer_fall"),
            Rule(low=0.2),
            CUT,
            worst["first_layer_fall"],
        ),
        Finding(
            "the same head: fall of the probability of neighbours",
            _without(e, BEST_PREVIOUS, "mass_fall"),
            Rule(low=0.2),
            CUT,
            worst["mass_fall"],
        ),
        Finding(
            "best induction head: fall of the probability of neighbours",
            _without(e, BEST_INDUCTION, "mass_fall"),
            Rule(low=0.1),
            CUT,
            other,
        ),
        Finding(
            "the same head: change of η² after the first block",
            _without(e, BEST_INDUCTION, "first_layer_fall"),
            Rule(0.0, 0.0),
            CUT,
        ),
    )
    return Claim("previous-token heads", text, "the rival account, two circuits", findings)


def mixing(e: Evidence) -> Claim:
    """More than mixing."""
    text = "The geometry is more than the token before mixed in."
    last = e.fact(SHOWN, "layers")
    control = Control(
        "change of η² where a node drawn at random is taken out instead",
        e.number(SHOWN, "effects", "change", network=OWN, layer=last, removed=UNRELATED),
        LITTLE,
    )
    finding = Finding(
        "last layer, node before taken out: η² less the 99.9 % quantile of shuffled nodes",
        e.number(SHOWN, "effects", "above_chance", network=OWN, layer=last, removed=PREVIOUS),
        MORE,
        SHOWN,
        control,
    )
    return Claim("more than mixing", text, "the rival account, mixing", (finding,))


def grows(e: Evidence) -> Claim:
    """Critical context by size."""
    text = "The larger the graph, the more context its structure takes."
    slope = e.number(SIZED, "slopes", "slope", of=MODEL)
    traced = extreme(e.numbers(SIZED, "rings", "last"), largest=False)
    control = Control("least level that the model reaches on any ring", traced, Rule(low=0.6))
    finding = Finding("slope of log critical context over log nodes", slope, Rule(low=0.2), SIZED, control)
    return Claim("larger graphs take more", text, f"{PAPER}, critical context", (finding,))


def percolates(e: Evidence) -> Claim:
    """More than a memory needs."""
    text = "It grows as in percolation, and so by more than remembering what followed what takes."
    value = e.number(SIZED, "slopes", "slope", of=DIFFERENCE)
    finding = Finding("slope of the model less that of the memory on the same walks", value, Rule(low=0.1), SIZED)
    return Claim("more than memory", text, f"{PAPER}, percolation", (finding,))


def _moment(e: Evidence, what: str, network: str = OWN) -> Number:
    return e.number(SHOWN, "moments", "value", network=network, what=what)


def _drops(e: Evidence, curve: str) -> Number:
    return e.share(SHOWN, "drops", "share", network=OWN, curve=curve)


def _last(e: Evidence, table: str, column: str) -> Number:
    """Of the own network in the last context, after its last block."""
    layer = {"layer": e.fact(SHOWN, "layers")} if table == "geometry" else {}
    return e.number(SHOWN, table, column, network=OWN, begin=e.fact(SHOWN, "last"), **layer)


def _mass(e: Evidence, network: str) -> Number:
    return e.number(SHOWN, "predictions", "mass", network=network, begin=e.fact(SHOWN, "last"))


def _both(e: Evidence, column: str, network: str, first: bool = False) -> Number:
    begin = 0 if first else e.fact(SHOWN, "last")
    return e.number(SHOWN, "both", column, network=network, layer=e.fact(SHOWN, "layers"), begin=begin)


def _without(e: Evidence, what: str, column: str) -> Number:
    return e.number(CUT, "effects", column, without=what)


def _variance(e: Evidence) -> Number:
    """Random planes' less the geometry's, as of numbers without sampling."""
    own, random = (e.number(CUT, "planes", "variance", without=of) for of in (PLANE, RANDOM))
    return MISSING if own.value != own.value or random.value != random.value else Number.exact(random.value - own.value)
