"""How a model learns: the loop, its schedule, and the detector of the sudden drop."""

from mcinterp.training.loop import StepRecord, TrainState, training_steps
from mcinterp.training.transition import Transition, find_transition, find_transitions

__all__ = ["StepRecord", "TrainState", "Transition", "find_transition", "find_transitions", "training_steps"]
