"""The parts of the loader."""

from torchlike.utils.data._utils import collate, fetch, pin_memory, worker
