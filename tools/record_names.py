"""Record the public names of real PyTorch: ``python tools/record_names.py`` (needs PyTorch).

Writes tests/recorded/names.json, from which tools/api_page.py makes docs/api.md where PyTorch is absent.
"""

from __future__ import annotations

import importlib
import inspect
import json
import types
import warnings
from pathlib import Path
from typing import Any

import torch

TARGET = Path(__file__).parent.parent / "tests" / "recorded" / "names.json"
MODULES = """
    torch torch.Tensor torch.accelerator torch.amp torch.ao.quantization torch.autograd
    torch.autograd.forward_ad torch.autograd.functional torch.autograd.graph torch.autograd.profiler
    torch.backends.cuda torch.backends.cudnn torch.backends.mkl torch.backends.mkldnn torch.backends.mps
    torch.backends.openmp torch.backends.opt_einsum torch.compiler torch.cpu torch.cuda torch.cuda.amp
    torch.distributed torch.distributed.fsdp torch.distributed.optim torch.distributed.rpc torch.distributions
    torch.distributions.constraints torch.distributions.kl torch.distributions.transforms torch.export
    torch.fft torch.func torch.futures torch.fx torch.hub torch.jit torch.library torch.linalg torch.masked
    torch.mps torch.monitor torch.mtia torch.multiprocessing torch.nested torch.nn torch.nn.attention
    torch.nn.functional torch.nn.init torch.nn.parallel torch.nn.utils torch.nn.utils.parametrizations
    torch.nn.utils.parametrize torch.nn.utils.prune torch.nn.utils.rnn torch.nn.utils.stateless torch.onnx
    torch.optim torch.optim.lr_scheduler torch.optim.swa_utils torch.overrides torch.package torch.profiler
    torch.random torch.return_types torch.serialization torch.signal.windows torch.sparse torch.special
    torch.testing torch.utils torch.utils.benchmark torch.utils.checkpoint torch.utils.cpp_extension
    torch.utils.data torch.utils.data.distributed torch.utils.dlpack torch.utils.hooks torch.utils.tensorboard
    torch.xpu
"""


def names_of(path: str) -> list[str]:
    """The public names of a module or class: what it exports, or what is defined under PyTorch's roof."""
    owner: Any = torch.Tensor if path == "torch.Tensor" else importlib.import_module(path)
    exported = getattr(owner, "__all__", None)
    names = exported if exported is not None else dir(owner)
    if path == "torch":
        names = [*names, *(n for n in dir(torch) if isinstance(getattr(torch, n), torch.dtype | torch.layout))]
    found = []
    for name in sorted(set(names)):
        if name.startswith("_") or not hasattr(owner, name):
            continue
        value = getattr(owner, name)
        if isinstance(value, types.ModuleType):
            continue
        if path == "torch" and "pybind11" in str(type(type(value))) + str(type(value)):
            continue  # TorchScript's own classes and their values
        home = getattr(value, "__module__", None) or ""
        foreign = exported is None and inspect.isclass(value) and not home.startswith("torch")
        foreign = foreign or (exported is None and inspect.isfunction(value) and not home.startswith("torch"))
        if not foreign and home != "typing":
            found.append(name)
    return found


def main() -> None:
    """Write the file."""
    warnings.simplefilter("ignore")
    names = {}
    for path in MODULES.split():
        try:
            names[path] = names_of(path)
        except ImportError as error:
            print(f"{path}: {error}")
    version = torch.__version__.partition("+")[0]
    lines = ",\n".join(f' "{path}": {json.dumps(found)}' for path, found in names.items())
    TARGET.write_text(f'{{"torch": "{version}",\n"names": {{\n{lines}\n}}}}\n', encoding="utf-8")
    print(f"{sum(map(len, names.values()))} names of {len(names)} modules")


if __name__ == "__main__":
    main()
