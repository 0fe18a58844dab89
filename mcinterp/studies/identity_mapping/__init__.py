"""Swing-by Dynamics in Concept Learning and Compositional Generalization (arXiv 2410.08309)."""

from mcinterp.declared import Architecture, Study, TaskKind

HERE = "mcinterp.studies.identity_mapping"
SEEDS = 5
"""Networks of each setting, with seeds from the run's own on."""

STUDY = Study(
    name="identity-mapping",
    title="Swing-by Dynamics in Concept Learning and Compositional Generalization",
    source="arXiv 2410.08309",
    package=HERE,
    presets=("identity-mapping",),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:identity_claims",
    seeds=SEEDS,
    bounds="Exact findings hold to the integration's precision; those of trained networks lie near the closed form.",
    paper_size="trains a diffusion model that reads texts, too",
    tasks={"identity-mapping": TaskKind(f"{HERE}.config:IdentityConfig", f"{HERE}.task:IdentityMapping", ("linear",))},
    architectures={"linear": Architecture(f"{HERE}.config:LinearConfig", f"{HERE}.model:build")},
    measured_views={"equations": f"{HERE}.views:equations", "networks": f"{HERE}.views:networks"},
    exports={
        "IdentityConfig": f"{HERE}.config:IdentityConfig",
        "IdentityMapping": f"{HERE}.task:IdentityMapping",
        "LinearConfig": f"{HERE}.config:LinearConfig",
        "LinearNetwork": f"{HERE}.model:LinearNetwork",
    },
)
