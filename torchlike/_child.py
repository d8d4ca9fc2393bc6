"""The main module of processes that multiprocessing starts from a program under ``python -m torchlike``."""

from __future__ import annotations

from torchlike._launch import run_in_child

globals().update(run_in_child())
