"""Optimizers, and schedules of their learning rates."""

from torchlike.optim import lr_scheduler, swa_utils
from torchlike.optim._adafactor import Adafactor
from torchlike.optim._muon import Muon
from torchlike.optim._swap import swap_in_optimizer_params_and_state
from torchlike.optim.adadelta import Adadelta
from torchlike.optim.adagrad import Adagrad
from torchlike.optim.adam import Adam
from torchlike.optim.adamax import Adamax
from torchlike.optim.adamw import AdamW
from torchlike.optim.asgd import ASGD
from torchlike.optim.lbfgs import LBFGS
from torchlike.optim.nadam import NAdam
from torchlike.optim.optimizer import Optimizer
from torchlike.optim.radam import RAdam
from torchlike.optim.rmsprop import RMSprop
from torchlike.optim.rprop import Rprop
from torchlike.optim.sgd import SGD
from torchlike.optim.sparse_adam import SparseAdam
