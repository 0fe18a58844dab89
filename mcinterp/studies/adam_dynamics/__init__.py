"""Continuous-Time Analysis of Adaptive Optimization and Normalization (arXiv 2411.05746)."""

from mcinterp.declared import Architecture, Study, TaskKind

HERE = "mcinterp.studies.adam_dynamics"
SEEDS = 5
"""Networks of each setting, side by side, with seeds from the run's own on."""

STUDY = Study(
    name="adam-dynamics",
    title="Continuous-Time Analysis of Adaptive Optimization and Normalization",
    source="arXiv 2411.05746",
    package=HERE,
    presets=("tanh-teacher",),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:adam_claims",
    seeds=SEEDS,
    paper_size="trains transformers on text and a convolutional network on CIFAR-10",
    tasks={"tanh-teacher": TaskKind(f"{HERE}.config:TeacherConfig", f"{HERE}.task:TanhTeacher", ("perceptron",))},
    architectures={"perceptron": Architecture(f"{HERE}.config:PerceptronConfig", f"{HERE}.model:build")},
    measured_views={
        **{name: f"{HERE}.views.updates:{name}" for name in ("bounds", "flow", "explosions", "tokens")},
        **{name: f"{HERE}.views.layers:{name}" for name in ("invariant", "stages", "trained")},
    },
    bounds="Exact findings hold to rounding; of trained networks the bounds ask for the shape of what the closed "
    "forms and "
    "the paper say, at a size that trains in seconds.",
    exports={
        "PerceptronConfig": f"{HERE}.config:PerceptronConfig",
        "Perceptrons": f"{HERE}.model:Perceptrons",
        "TanhTeacher": f"{HERE}.task:TanhTeacher",
        "TeacherConfig": f"{HERE}.config:TeacherConfig",
    },
)
