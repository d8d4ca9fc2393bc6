"""A model written as for PyTorch, trained with optax in one jitted step.

python examples/optax_training.py [--steps N]
"""

import argparse
import math

import jax
import optax

import torchlike as torch
import torchlike.jax as tj
from torchlike import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))

    def forward(self, x):
        return self.layers(x)


def rings(count):
    """Points of two rings, and which ring each is of."""
    labels = torch.arange(count) % 2
    angle = 2 * math.pi * torch.rand(count)
    radius = 1 + labels + 0.1 * torch.randn(count)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), labels


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps

    torch.manual_seed(0)
    model = Classifier()
    apply, params, buffers = tj.functional(model)
    optimizer = optax.adamw(1e-2)
    state = optimizer.init(params)
    x, y = tj.arrays(rings(256))

    def loss(params, buffers, key):
        logits, buffers = apply(params, buffers, x, key=key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), buffers

    @jax.jit
    def step(params, buffers, state, key):
        (value, buffers), grads = jax.value_and_grad(loss, has_aux=True)(params, buffers, key)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), buffers, state, value

    for number, key in enumerate(jax.random.split(jax.random.key(0), steps)):
        params, buffers, state, value = step(params, buffers, state, key)
        if number in (0, steps - 1):
            print(f"step {number + 1}: loss {value:.4f}")

    tj.load(model, params, buffers)
    model.eval()
    with torch.no_grad():
        points, labels = rings(256)
        right = (model(points).argmax(1) == labels).float().mean()
    print(f"right on new points: {right:.1%}")


if __name__ == "__main__":
    main()
