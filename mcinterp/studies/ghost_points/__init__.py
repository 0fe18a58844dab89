"""A ghost mechanism: An analytical model of abrupt learning (arXiv 2501.02378)."""

from mcinterp.declared import Architecture, Study, TaskKind

HERE = "mcinterp.studies.ghost_points"
EXACT = "exact"
"""The preset that has the system of one parameter only, and trains nothing."""
NETWORKS = "delayed-switch"
"""The one that trains networks, too."""
SEEDS = 20
"""Networks of each run, side by side, with seeds from the run's own on."""

STUDY = Study(
    name="ghost-points",
    title="A ghost mechanism: An analytical model of abrupt learning",
    source="arXiv 2501.02378",
    package=HERE,
    presets=(NETWORKS, EXACT),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:ghost_claims",
    alone=(EXACT,),
    seeds=SEEDS,
    bounds="The bounds are this package's own: about the system of one parameter, what the closed forms say; about "
    "trained networks, the shape of what the paper shows, at a third of its units and half of its target time.",
    paper_size="trains networks of about three times the units, with twice the target time",
    measured_by=dict.fromkeys(("networks", "fields", "revival"), (NETWORKS,)),
    tasks={"delayed-switch": TaskKind(f"{HERE}.config:SwitchConfig", f"{HERE}.task:DelayedSwitch", ("recurrent",))},
    architectures={"recurrent": Architecture(f"{HERE}.config:RecurrentConfig", f"{HERE}.model:build")},
    measured_views={
        **{name: f"{HERE}.views.exact:{name}" for name in ("velocity", "critical", "rates", "zone")},
        **{name: f"{HERE}.views.exact:{name}" for name in ("oscillation", "drops")},
        **{name: f"{HERE}.views.networks:{name}" for name in ("networks", "fields", "revival")},
    },
    exports={
        "DelayedSwitch": f"{HERE}.task:DelayedSwitch",
        "RecurrentConfig": f"{HERE}.config:RecurrentConfig",
        "RecurrentNetworks": f"{HERE}.model:RecurrentNetworks",
        "SwitchConfig": f"{HERE}.config:SwitchConfig",
    },
)
