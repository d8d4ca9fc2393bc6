"""The parts of saving and loading; the public functions are in ``torchlike.serialization``."""
