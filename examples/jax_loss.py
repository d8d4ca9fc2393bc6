"""A loss from the jax world inside a training loop written as for PyTorch: ``backward()`` goes through it.

python examples/jax_loss.py [--steps N]
"""

import argparse

import optax

import torchlike as torch
import torchlike.jax as tj
from torchlike import nn


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    steps = parser.parse_args().steps

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    huber = tj.from_jax(lambda prediction, target: optax.huber_loss(prediction, target, delta=0.5).mean())

    x = torch.linspace(-3, 3, 64).unsqueeze(1)
    y = torch.sin(x)
    y[::16] += 5  # outliers, which a squared error would follow
    for step in range(steps):
        optimizer.zero_grad()
        loss = huber(model(x), y)
        loss.backward()
        optimizer.step()
        if step in (0, steps - 1):
            print(f"step {step + 1}: loss {loss.item():.4f}")


if __name__ == "__main__":
    main()
