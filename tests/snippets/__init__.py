"""Small programs that do the same on both libraries: what each shows is recorded from PyTorch and compared."""

from snippets.run import FAMILIES, outcome, snippets

__all__ = ["FAMILIES", "outcome", "snippets"]
