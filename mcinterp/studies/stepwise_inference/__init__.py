"""Towards an Understanding of Stepwise Inference in Transformers (arXiv 2402.07757)."""

from mcinterp.declared import Study, TaskKind

HERE = "mcinterp.studies.stepwise_inference"
_CONFIG = f"{HERE}.config"

STUDY = Study(
    name="stepwise-inference",
    title="Towards an Understanding of Stepwise Inference in Transformers: A Synthetic Graph Navigation Model",
    source="ICML 2024, arXiv 2402.07757",
    package=HERE,
    presets=("navigator", "navigator-paper"),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:stepwise_claims",
    paper_size="trains 2 layers, width 64, on graphs of 200 nodes",
    tasks={
        "graph-navigation": TaskKind(f"{_CONFIG}:NavigationConfig", f"{HERE}.task:GraphNavigation", ("transformer",)),
        "motif-navigation": TaskKind(f"{_CONFIG}:MotifConfig", f"{HERE}.motifs:MotifNavigation", ("transformer",)),
    },
    measured_views={name: f"{HERE}.views:{name}" for name in ("accuracy", "temperature", "order", "exemplars")},
    exports={
        "NavigationConfig": f"{_CONFIG}:NavigationConfig",
        "MotifConfig": f"{_CONFIG}:MotifConfig",
        "GraphNavigation": f"{HERE}.task:GraphNavigation",
        "MotifNavigation": f"{HERE}.motifs:MotifNavigation",
    },
)
