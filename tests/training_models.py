"""Five small trainings for either library, built and fed from the seed alone: ``Training(torch, name)``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"
NAMES = ["mlp", "cnn", "resnet", "lstm", "gpt"]
# At step 25 these are saved with their optimizers: by PyTorch into recorded/, by this package in the differential test.
SAVED = ["resnet", "gpt"]
STEPS = 50
HALFWAY = 25

Batch = tuple[Any, Any]


class Training:
    """A model, its optimizer and schedule, and batches drawn from the global generator, as the dropout is."""

    def __init__(self, torch: Any, name: str) -> None:
        self.torch = torch
        torch.manual_seed(1234)
        self.model, self.optimizer, self.scheduler, self.batch = globals()[name](torch)

    def loss(self) -> Any:
        inputs, targets = self.batch()
        outputs = self.model(inputs)
        return self.torch.nn.functional.nll_loss(outputs.flatten(0, -2), targets.flatten())

    def steps(self, count: int) -> list[float]:
        """Train on; the loss of each step."""
        losses = []
        self.model.train()
        for _ in range(count):
            self.optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            self.scheduler.step()
            losses.append(loss.item())
        return losses

    def evaluated(self) -> float:
        """The loss without dropout and with the statistics that batch normalisation has gathered."""
        self.model.eval()
        with self.torch.no_grad():
            return self.loss().item()

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: the generator's state too, so that data and dropout go on where they were."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "generator": self.torch.get_rng_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.torch.set_rng_state(state["generator"])


def clusters(torch: Any, classes: int, batch: int, *shape: int, signal: float = 0.5) -> Any:
    """Batches of noisy copies of one centre a class."""
    centres = torch.randn(classes, *shape)

    def draw() -> Batch:
        targets = torch.randint(0, classes, (batch,))
        return signal * centres[targets] + torch.randn(batch, *shape), targets

    return draw


def progressions(torch: Any, vocabulary: int, batch: int, length: int) -> Any:
    """Batches of arithmetic progressions modulo the vocabulary; the targets are the tokens that follow."""

    def draw() -> Batch:
        start, stride = torch.randint(0, vocabulary, (batch, 1)), torch.randint(1, 4, (batch, 1))
        tokens = (start + stride * torch.arange(length + 1)) % vocabulary
        return tokens[:, :-1], tokens[:, 1:]

    return draw


def mlp(torch: Any) -> tuple[Any, ...]:
    nn = torch.nn
    draw = clusters(torch, 10, 32, 64)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.Tanh(), nn.Linear(64, 10), nn.LogSoftmax(dim=1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    return model, optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0), draw


def cnn(torch: Any) -> tuple[Any, ...]:
    """The network that most tutorials train on MNIST: two convolutions, dropout, two linear layers, Adadelta."""
    nn, functional = torch.nn, torch.nn.functional

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1), nn.Conv2d(32, 64, 3, 1)
            self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
            self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            x = functional.relu(self.conv2(functional.relu(self.conv1(x))))
            x = torch.flatten(self.dropout1(functional.max_pool2d(x, 2)), 1)
            x = self.dropout2(functional.relu(self.fc1(x)))
            return functional.log_softmax(self.fc2(x), dim=1)

    draw = clusters(torch, 10, 8, 1, 28, 28, signal=1.0)
    model = Net()
    # At rate 0.5 the loss was 1.4 % off at step 50; PyTorch with and without oneDNN is 0.3 to 0.7 % apart there.
    optimizer = torch.optim.Adadelta(model.parameters(), lr=0.3)
    return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.7), draw


def resnet(torch: Any) -> tuple[Any, ...]:
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Sequential()
            if stride != 1 or inputs != outputs:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
            return functional.relu(y + self.shortcut(x))

    draw = clusters(torch, 5, 16, 3, 12, 12)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(Block(8, 8, 1), Block(8, 16, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(nn.Linear(16, 5), nn.LogSoftmax(dim=1)),
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    return model, optimizer, torch.optim.lr_scheduler.MultiStepLR(optimizer, [20, 40], gamma=0.3), draw


def lstm(torch: Any) -> tuple[Any, ...]:
    nn, functional = torch.nn, torch.nn.functional

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(16, 24)
            self.lstm = nn.LSTM(24, 32, num_layers=2, dropout=0.2, batch_first=True)
            self.out = nn.Linear(32, 16)

        def forward(self, tokens: Any) -> Any:
            hidden, _ = self.lstm(self.embedding(tokens))
            return functional.log_softmax(self.out(hidden), dim=-1)

    model = Tagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
    return model, optimizer, scheduler, progressions(torch, 16, 8, 12)


def gpt(torch: Any) -> tuple[Any, ...]:
    nn, functional = torch.nn, torch.nn.functional
    width, heads, length, vocabulary = 24, 3, 16, 24

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.Dropout(0.1)
            )

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = (y.view(b, t, heads, c // heads).transpose(1, 2) for y in self.qkv(self.ln1(x)).split(c, dim=2))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + functional.dropout(self.proj(y.transpose(1, 2).reshape(b, t, c)), 0.1, self.training)
            return x + self.mlp(self.ln2(x))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.blocks = nn.ModuleList([Block() for _ in range(2)])
            self.ln = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)
            self.apply(self.initialised)
            self.head.weight = self.wte.weight

        def initialised(self, module: Any) -> None:
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
                if getattr(module, "bias", None) is not None:
                    nn.init.zeros_(module.bias)

        def forward(self, tokens: Any) -> Any:
            x = functional.dropout(self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1])), 0.1, self.training)
            for block in self.blocks:
                x = block(x)
            return functional.log_softmax(self.head(self.ln(x)), dim=-1)

    model = GPT()
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=3e-4)
    return model, optimizer, scheduler, progressions(torch, vocabulary, 8, length)
