"""Optimizers, and schedules of their learning rates."""

from torchlike.optim.adam import Adam
from torchlike.optim.adamw import AdamW
from torchlike.optim.optimizer import Optimizer
from torchlike.optim.sgd import SGD
