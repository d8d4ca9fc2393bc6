"""PyTorch's launcher for many-socket machines is a program of its own; there is nothing to set here."""
