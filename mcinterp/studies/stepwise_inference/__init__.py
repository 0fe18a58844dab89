"""Towards an Understanding of Stepwise Inference in Transformers (arXiv 2402.07757)."""

from mcinterp.declared import Study

HERE = "mcinterp.studies.stepwise_inference"

STUDY = Study(
    name="stepwise-inference",
    title="Towards an Understanding of Stepwise Inference in Transformers: A Synthetic Graph Navigation Model",
    source="arXiv 2402.07757",
    package=HERE,
    presets=(),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:stepwise_claims",
)
