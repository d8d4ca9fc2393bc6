"""Options of saving and loading."""

from torchlike.utils.serialization import config
