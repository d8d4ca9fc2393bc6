"""The page that says which of PyTorch's names exist here: docs/api.md, written by tools/stubs.py.

PyTorch's names are those recorded in tests/recorded/names.json; what exists is looked up in the package itself.
"""

from __future__ import annotations

import importlib
import json
import re
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "api.md"
RECORDED = ROOT / "tests" / "recorded" / "names.json"

# Why names are left out on purpose, and the patterns of such names (whole paths without "torch."); the first that fits.
LEFT_OUT: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "sparse layouts",
        (
            r"sparse(\..*)?|.*sparse.*|.*(crow|ccol|col|row)_indices(_copy)?|(Tensor\.)?(indices|values)_copy",
            r"(Tensor\.)?(hspmm|hsmm|dsmm|saddmm|spmm|smm|sspaddmm|coalesce|is_coalesced|to_dense|indices|values)",
        ),
    ),
    ("nested tensors", (r"nested\..*|.*nested_(?!dict).*|.*jagged.*|.*NestedTensor.*|.*NestedIO.*",)),
    ("named tensors", (r"(Tensor\.)?(align_.*|refine_names|rename_?|names|has_names)",)),
    (
        "quantization",
        (
            r"ao\..*|.*quant.*|.*\.?qint\w*|quint\w+|(Tensor\.)?(q_\w+|int_repr)|.*fbgemm.*|choose_qparams.*|qscheme",
            r"bits\w*|bit|u?int[1-7]|float4\w+|complex32|(Tensor\.)?chalf",
        ),
    ),
    (
        "vendor libraries",
        (r".*(mkldnn|miopen|cudnn|onednn|vulkan|nnpack|hpu|mtia|xpu|ipu|maia|privateuse).*|backends\..*|mps\..*",),
    ),
    (
        "CUDA's own machinery",
        (
            r"cuda\..*(Graph|graph|Event|Stream|stream|MemPool|mem_pool|jiterator|nccl|cudart|ipc|caching).*",
            r"cuda\..*(Allocator|allocator|clock|temperature|power|utilization|green|Green|tunable|gds|cudaStatus).*",
        ),
    ),
    (
        "TorchScript and export",
        (
            r"(export|package|monitor)\..*|.*[Ss]cript.*|.*[Ff]rozen.*|JITException",
            r"parse_(ir|schema|type_comment)|import_ir_module.*|merge_type_from_type_comment|wait|fork|unify_type_list",
        ),
    ),
    (
        "building C++ extensions",
        (
            r"utils\.cpp_extension\..*",
            r"utils\.(cmake_prefix_path|generate_methods.*|rename_.*|get_cpp_backtrace|set_module)",
        ),
    ),
    ("distributed beyond one process", (r"distributed\.(rpc|optim|fsdp)\..*",)),
    (
        "internal",
        (
            r".*\.?(BroadcastingList\d|common_notes|common_args|multi_dim_common|factory_kwargs|all_return_types)",
            r"Sym\w+|sym_\w+|.*_out|(auto|in)crement_nesting|.*native_batch_norm.*|batch_norm_\w+",
        ),
    ),
)


INTRODUCTION = (
    "The public names of PyTorch {}, module by module: those that exist here, those that do not, and those that are"
    " left out for a reason that [left_out.md](left_out.md) gives. That a name exists says nothing of how much of it is"
    " there; what differs is in [status.md](status.md). What the functions do is in their docstrings, which the"
    " [reference](reference.md) shows."
)


def exists(path: str) -> bool:
    """Whether the package has what PyTorch calls ``torch.<path>``."""
    owner: Any = importlib.import_module("torchlike")
    for part in path.split("."):
        try:
            owner = getattr(owner, part)
        except AttributeError:
            name = getattr(owner, "__name__", "")
            try:
                owner = importlib.import_module(f"{name}.{part}")
            except (ImportError, TypeError, ValueError):
                return False
        except Exception:  # noqa: BLE001 - a property that refuses on the class exists
            return True
    return True


def reason_of(path: str) -> str | None:
    """Why a name is left out, None where it is only not there yet."""
    for reason, patterns in LEFT_OUT:
        if any(re.fullmatch(pattern, path) for pattern in patterns):
            return reason
    return None


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def text() -> str:
    """The page."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    sections = []
    table = []
    total = [0, 0, 0]
    for module, names in sorted(recorded["names"].items()):
        if not names:
            continue
        prefix = module.removeprefix("torch").lstrip(".")
        here, absent = [], []
        apart: dict[str, list[str]] = defaultdict(list)
        for name in names:
            path = f"{prefix}.{name}" if prefix else name
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if exists(path):
                    here.append(name)
                elif (reason := reason_of(path)) is not None:
                    apart[reason].append(name)
                else:
                    absent.append(name)
        left = sum(map(len, apart.values()))
        for i, count in enumerate((len(here), len(absent), left)):
            total[i] += count
        table.append(f"| `{module}` | {len(here)} | {len(absent)} | {left} |")
        section = [f"## {module}", ""]
        if here:
            section += [f"Here: {_listed(here)}.", ""]
        if absent:
            section += [f"Not here: {_listed(absent)}.", ""]
        for reason, which in sorted(apart.items()):
            section += [f"Left out ({reason}): {_listed(which)}.", ""]
        sections.append("\n".join(section))
    head = [
        "<!-- Made by tools/stubs.py (tools/api_page.py); do not edit. -->",
        "# Which of PyTorch's names are here",
        "",
        INTRODUCTION.format(recorded["torch"]),
        "",
        "| module | here | not here | left out |",
        "|---|---|---|---|",
        *table,
        f"| all | {total[0]} | {total[1]} | {total[2]} |",
        "",
    ]
    return "\n".join([*head, *sections]).rstrip() + "\n"
