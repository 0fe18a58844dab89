"""Emergence of Hidden Capabilities: Exploring Learning Dynamics in Concept Space (arXiv 2406.19370)."""

from mcinterp.declared import Architecture, Study, TaskKind

HERE = "mcinterp.studies.concept_space"
SEEDS = 5
"""Networks of each setting, with seeds from the run's own on."""

STUDY = Study(
    name="concept-space",
    title="Emergence of Hidden Capabilities: Exploring Learning Dynamics in Concept Space",
    source="NeurIPS 2024, arXiv 2406.19370",
    package=HERE,
    presets=("concept-space",),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:concept_claims",
    seeds=SEEDS,
    bounds="The bounds are this package's own: they ask for the order and the ratios of times that the paper shows, of "
    "a flow network of three layers and images of 8 × 8 pixels, not for its steps.",
    paper_size="trains a diffusion model with a U-Net on images of 32 × 32 pixels, 20,000 steps",
    tasks={"concept-images": TaskKind(f"{HERE}.config:ConceptConfig", f"{HERE}.task:ConceptImages", ("flow",))},
    architectures={"flow": Architecture(f"{HERE}.config:FlowConfig", f"{HERE}.model:build")},
    measured_views={name: f"{HERE}.views:{name}" for name in ("signals", "paths", "hidden", "samples")},
    exports={
        "ConceptConfig": f"{HERE}.config:ConceptConfig",
        "ConceptImages": f"{HERE}.task:ConceptImages",
        "FlowConfig": f"{HERE}.config:FlowConfig",
        "FlowNetwork": f"{HERE}.model:FlowNetwork",
    },
)
