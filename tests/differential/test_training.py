"""Trainings that change sides in the middle, with their checkpoints."""

from __future__ import annotations

import io

import pytest
from training_models import HALFWAY, SAVED, STEPS, Training

import torchlike

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", SAVED)
def test_a_training_begun_here_goes_on_in_pytorch(name: str):
    ours, theirs = Training(torchlike, name), Training(torch, name)
    ours.steps(HALFWAY)
    file = io.BytesIO()
    torchlike.save(ours.state(), file)
    file.seek(0)
    theirs.load(torch.load(file))
    losses, expected = theirs.steps(STEPS - HALFWAY), ours.steps(STEPS - HALFWAY)
    assert losses[:10] == pytest.approx(expected[:10], rel=1e-4)
    assert losses == pytest.approx(expected, rel=1e-2)
    assert theirs.evaluated() == pytest.approx(ours.evaluated(), rel=1e-2)
