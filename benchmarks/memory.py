"""``python -m benchmarks.memory``: the peak memory of eager training steps, next to PyTorch's.

Each side runs in a process of its own, and two figures are taken. "From the start" is how far the peak of the process
rises over what it held once the libraries, the model and the data were there; it includes the compiler's memory, which
only this package needs. "A later step" is how far a step rises over what the process holds between steps: the
activations that the backward needs, gradients and temporaries. Linux is asked for the figures, so it runs only there.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib
import importlib.util
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import report

Step = Callable[[], Any]
STEPS = 3


def gpt(torch: ModuleType) -> Step:
    """Four blocks of width 256 on 8 sequences of 256 tokens."""
    nn, functional = torch.nn, torch.nn.functional
    base: Any = nn.Module
    width, heads, length, vocabulary, batch = 256, 8, 256, 512, 8

    class Block(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = (y.view(b, t, heads, c // heads).transpose(1, 2) for y in self.qkv(self.ln1(x)).split(c, dim=2))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + functional.dropout(self.proj(y.transpose(1, 2).reshape(b, t, c)), 0.1)
            return x + functional.dropout(self.down(functional.gelu(self.up(self.ln2(x)))), 0.1)

    class Model(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(4)))
            self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens: Any) -> Any:
            return self.head(self.ln(self.blocks(self.wte(tokens) + self.wpe.weight)))

    model = Model()
    tokens = torch.randint(0, vocabulary, (batch, length + 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> Any:
        logits = model(tokens[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def resnet(torch: ModuleType) -> Step:
    """Three stages of two blocks, 32 to 128 channels, on 32 images of 32 x 32."""
    nn, functional = torch.nn, torch.nn.functional
    base: Any = nn.Module

    class Block(base):  # type: ignore[misc]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride != 1 else nn.Identity()

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
            return functional.relu(y + self.shortcut(x))

    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
        *(Block(32, 32, 1), Block(32, 32, 1), Block(32, 64, 2), Block(64, 64, 1), Block(64, 128, 2)),
        *(Block(128, 128, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)),
    )
    images, labels = torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step() -> Any:
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


MODELS: dict[str, Callable[[ModuleType], Step]] = {"GPT": gpt, "ResNet": resnet}


def _status(entry: str) -> float:
    """Megabytes that the kernel reports of this process: VmRSS, what it holds, or VmHWM, its peak."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.partition(f"{entry}:")[2].split()[0]) / 1024


def _settled() -> float:
    """What the process holds once garbage is collected and free memory given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _status("VmRSS")


def child(library: str, model: str) -> dict[str, float]:
    """Train a few steps in this process; the growth in megabytes from the start, and of later steps."""
    torch = importlib.import_module(library)
    torch.manual_seed(0)
    step = MODELS[model](torch)
    begin = _settled()
    for _ in range(STEPS):
        step()
    from_start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - begin
    between = _settled()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak counts from here
    for _ in range(STEPS):
        step()
    return {"from the start": from_start, "a later step": _status("VmHWM") - between}


def measured(library: str, model: str) -> dict[str, float]:
    """The figures of a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--child", library, model]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(out.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--only", default="", metavar="REGEX", help="measure only the models whose names match")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results.md as it is")
    parser.add_argument("--child", nargs=2, metavar=("LIBRARY", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(*options.child)))
        return
    if importlib.util.find_spec("torch") is None:
        parser.error("there is no PyTorch to compare with")
    lines = ["| peak memory of a training | MB | PyTorch MB | ratio |", "|---|---:|---:|---:|"]
    for model in (name for name in MODELS if re.search(options.only, name)):
        mine, reference = measured("torchlike", model), measured("torch", model)
        for what, value in mine.items():
            ratio = value / reference[what]
            lines.append(f"| {model}, {what} | {value:.0f} | {reference[what]:.0f} | {ratio:.2f} |")
            print(lines[-1], flush=True)
    if not options.no_write:
        version = str(importlib.import_module("torch").__version__)
        with report.RESULTS.open("a", encoding="utf-8") as file:
            file.write(f"\n{report.title(version)}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
