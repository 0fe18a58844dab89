"""The study "Abrupt Learning in Transformers: A Case Study on Matrix Completion" (arXiv 2410.22244)."""

from mcinterp.study.matrix_completion.study import STUDY, matrix_claims

__all__ = ["STUDY", "matrix_claims"]
