"""A tour of the concepts, written as for PyTorch: tensors, gradients, a module, an optimizer, a training loop.

python examples/tour.py [--steps N]
"""

import argparse

import torchlike as torch
from torchlike import nn, optim


def heading(text):
    print(f"\n== {text}")


def dynamic_graph():
    heading("The graph is what your code did")

    def square_or_cube(x):
        # An ordinary `if` decides, and only the branch that ran is differentiated.
        if x > 0:
            return x**2
        return x**3

    for value in (2.0, -2.0):
        x = torch.tensor(value, requires_grad=True)
        y = square_or_cube(x)
        y.backward()
        print(f"x = {value}: y = {y}, dy/dx = {x.grad}")


def tensors():
    heading("Tensors")
    x = torch.tensor([[1, 2], [3, 4]], dtype=torch.float32)
    print("x =", x)
    print("sum ", torch.sum(x))
    print("mean", torch.mean(x))
    print("max ", torch.max(x))
    print("argmax of the flattened tensor", torch.argmax(x))
    print("variance", torch.var(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])))
    if torch.cuda.is_available():
        print("on the GPU:", x.to("cuda"))

    heading("Shapes and views")
    x = torch.tensor([[1, 2], [3, 4]])
    print("reshape(4, 1):", x.reshape(4, 1))
    print("transpose:", torch.transpose(x, 0, 1))
    print("flatten:", torch.flatten(x))
    first_row = x[0]  # a view: it looks at the memory of x ...
    first_row.mul_(10)  # ... so that writing into it writes into x
    print("x after first_row.mul_(10):", x)

    heading("Making tensors")
    print(torch.zeros((2, 3)))
    print(torch.ones((2, 3)))
    print(torch.arange(0, 10, 2))
    torch.manual_seed(0)  # the numbers are PyTorch's for this seed
    print("uniform:", torch.rand((2, 3)))
    print("normal:", torch.randn((2, 3)))


def gradients():
    heading("Gradients")
    x = torch.tensor(2.0, requires_grad=True)
    y = x**3
    print("y =", y)
    y.backward()
    print("dy/dx at 2:", x.grad)


class SimpleModel(nn.Module):
    """One linear layer: two numbers in, one out."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x):
        return self.linear(x)


def training(steps):
    heading("A module")
    torch.manual_seed(0)
    model = SimpleModel()
    print(model)
    x = torch.tensor([[1.0, 2.0]])
    print("output:", model(x))

    heading("Training it")
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    loss_fn = nn.MSELoss()
    y_true = torch.tensor([[5.0]])
    for step in range(steps):
        optimizer.zero_grad()  # forget the last step's gradients
        loss = loss_fn(model(x), y_true)
        loss.backward()  # fill in .grad of every parameter
        optimizer.step()  # and move the parameters against it
        print(f"step {step + 1}: loss {loss.item():.4f}")


def main():
    parser = argparse.ArgumentParser(description="A tour of torchlike.")
    parser.add_argument("--steps", type=int, default=10, help="training steps (default: %(default)s)")
    options = parser.parse_args()
    print("torchlike", torch.__version__)
    dynamic_graph()
    tensors()
    gradients()
    training(options.steps)


if __name__ == "__main__":
    main()
