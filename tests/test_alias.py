"""``import torch`` served by this package: the alias, and ``python -m torchlike``."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT

import torchlike
from torchlike import _alias
from torchlike.torch_version import TorchVersion


@pytest.fixture(autouse=True)
def alias_off() -> Iterator[None]:
    torchlike.uninstall_as_torch()
    yield
    torchlike.uninstall_as_torch()


@pytest.fixture
def pretended_torch(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A stand-in for a real PyTorch that is already imported."""
    real, sub = types.ModuleType("torch"), types.ModuleType("torch.nn")
    real.nn = sub  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", real)
    monkeypatch.setitem(sys.modules, "torch.nn", sub)
    return real


def test_modules_are_the_very_same():
    with torchlike.as_torch():
        import torch
        import torch.nn.functional as F
        from torch import nn, optim
        from torch.nn import Module

        assert torch is torchlike
        assert nn is torchlike.nn
        assert optim is torchlike.optim
        assert F is torchlike.nn.functional
        assert Module is torchlike.nn.Module
        assert importlib.import_module("torch.nn.functional") is F
        assert importlib.import_module("torch.version").__version__ == torchlike.__version__


def test_modules_keep_their_own_specs():
    with torchlike.as_torch():
        import torch.nn

        assert torchlike.__spec__.name == "torchlike"
        assert torchlike.nn.__spec__.name == "torchlike.nn"
        found = importlib.util.find_spec("torch")
        assert found is not None
        assert torch.nn.__package__ == "torchlike.nn"


def test_modules_go_by_the_names_of_the_alias():
    with torchlike.as_torch():
        import torch
        from torch.nn import functional

        assert (torch.__name__, functional.__name__) == ("torch", "torch.nn.functional")
        assert torch.torch is torch
        with pytest.raises(AttributeError, match=r"^module 'torch\.nn' has no attribute 'nope'"):
            _ = torch.nn.nope
    assert (torchlike.__name__, torchlike.nn.functional.__name__) == ("torchlike", "torchlike.nn.functional")


def test_find_spec_before_the_import():
    torchlike.install_as_torch()
    assert "torch" not in sys.modules
    found = importlib.util.find_spec("torch")
    assert found is not None
    assert found.name == "torch"
    assert found.origin == torchlike.__file__
    nested = importlib.util.find_spec("torch.nn.functional")
    assert nested is not None
    assert nested.name == "torch.nn.functional"


@pytest.mark.parametrize("name", ["torch.nope", "torch.nn.nope", "torch._C.nope"])
def test_a_missing_submodule_is_named(name: str):
    torchlike.install_as_torch()
    with pytest.raises(ModuleNotFoundError, match=rf"^No module named '{name}'$") as caught:
        importlib.import_module(name)
    assert caught.value.name == name
    assert importlib.util.find_spec(name) is None


def test_a_missing_name_is_an_import_error():
    torchlike.install_as_torch()
    with pytest.raises(ImportError, match="cannot import name 'nope' from 'torch'"):
        exec("from torch import nope", {})


def test_a_module_that_is_no_package_has_no_submodules():
    torchlike.install_as_torch()
    with pytest.raises(ModuleNotFoundError, match=r"'torch\.version' is not a package"):
        importlib.import_module("torch.version.nope")


def test_off_means_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if no PyTorch were installed
    with torchlike.as_torch():
        assert importlib.import_module("torch") is torchlike
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("torch")
    assert not [finder for finder in sys.meta_path if isinstance(finder, _alias._Finder)]


def test_real_modules_are_put_aside_and_come_back(pretended_torch: Any):
    torchlike.install_as_torch()
    assert "torch" not in sys.modules
    import torch.nn

    assert torch is torchlike
    assert torch.nn is torchlike.nn
    torchlike.uninstall_as_torch()
    assert sys.modules["torch"] is pretended_torch
    assert sys.modules["torch.nn"] is pretended_torch.nn
    assert not [name for name in sys.modules if name.startswith("torch.") and name != "torch.nn"]


def test_installing_twice_is_installing_once(pretended_torch: Any):
    before = len(sys.meta_path)
    torchlike.install_as_torch()
    torchlike.install_as_torch()
    assert len(sys.meta_path) == before + 1
    torchlike.uninstall_as_torch()
    torchlike.uninstall_as_torch()
    assert len(sys.meta_path) == before
    assert sys.modules["torch"] is pretended_torch


def test_contexts_nest(pretended_torch: Any):
    with torchlike.as_torch():
        with torchlike.as_torch():
            pass
        assert importlib.import_module("torch") is torchlike
    assert importlib.import_module("torch") is pretended_torch
    torchlike.install_as_torch()
    with torchlike.as_torch():
        pass
    assert importlib.import_module("torch") is torchlike


def test_the_context_ends_with_an_exception(pretended_torch: Any):
    with pytest.raises(KeyError), torchlike.as_torch():
        raise KeyError
    assert sys.modules["torch"] is pretended_torch


def test_names_that_only_begin_like_torch_are_left_alone():
    torchlike.install_as_torch()
    assert importlib.util.find_spec("torchlikes") is None
    assert importlib.util.find_spec("torch_nope") is None


def test_the_distribution_says_which_version():
    with torchlike.as_torch():
        assert importlib.metadata.version("torch") == torchlike.__version__
        assert importlib.metadata.metadata("torch")["Name"] == "torch"
        assert "torch" in importlib.metadata.packages_distributions()["torch"]
        assert importlib.metadata.version("numpy")
        assert [d for d in importlib.metadata.distributions() if d.metadata["Name"] == "numpy"]


def test_version():
    version = torchlike.__version__
    assert isinstance(version, str)
    assert version.startswith("2.13.0+torchlike.")
    assert version >= (2, 9)
    assert version > "2.9.1"
    assert version < "2.14"
    assert version >= "2.13.0"
    assert tuple(int(part) for part in version.split("+")[0].split(".")) == (2, 13, 0)
    assert torchlike.version.cuda is None


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("2.9", "2.13"),
        ("2.13.0a0", "2.13.0"),
        ("2.13.0.dev20260101", "2.13.0a0"),
        ("2.13.0rc1", "2.13.0"),
        ("2.13.0", "2.13.0+cpu"),
        ("2.13.0", "2.13.0.post1"),
        ("2.13.0.post1.dev2", "2.13.0.post1"),
        ("9.0", "1!0.1"),
        ("2.13.0+cpu.1", "2.13.0+cpu.2"),
        ("1.0", "parrot"),  # no version: as strings
    ],
)
def test_versions_are_ordered(smaller: str, larger: str):
    assert TorchVersion(smaller) < larger
    assert TorchVersion(smaller) <= TorchVersion(larger)
    assert TorchVersion(larger) > smaller
    assert TorchVersion(larger) >= smaller
    assert not TorchVersion(smaller) == larger  # noqa: SIM201 - == and != are different methods


def test_versions_compare_as_pytorch_compares_them():
    assert TorchVersion("2.13.0") == "2.13"
    assert TorchVersion("2.13.0") == (2, 13)
    assert TorchVersion("2.13.0") != "2.13"  # != is that of strings
    assert TorchVersion("2.13.0") != 2.13
    assert hash(TorchVersion("2.13.0")) == hash("2.13.0")
    with pytest.raises(TypeError, match="'>=' not supported between instances of 'TorchVersion' and 'int'"):
        assert TorchVersion("2.13.0") >= 2


# ---------------------------------------------------------------------------------------------------------------------
# python -m torchlike

PROBE = """\
import sys, torch
print(__name__, sys.argv[1:], sys.path[0], torch.__spec__.name, sys.modules["__main__"].__dict__ is globals())
"""


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


def launched(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return python("-m", "torchlike", *arguments, cwd=cwd)


def test_script(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "script.py").write_text(PROBE)
    done = launched("sub/script.py", "-m", "--help", cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout == f"__main__ ['-m', '--help'] {tmp_path / 'sub'} torchlike True\n"


def test_module_and_package(tmp_path: Path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "__main__.py").write_text(PROBE + "from . import other\n")
    (tmp_path / "package" / "other.py").write_text("print('found')\n")
    done = launched("-m", "package", "x", cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout == f"__main__ ['x'] {tmp_path} torchlike True\nfound\n"
    assert launched("-m", "package.other", cwd=tmp_path).stdout == "found\n"


def test_directory_and_archive(tmp_path: Path):
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__main__.py").write_text(PROBE)
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("__main__.py", PROBE)
    assert launched("program", cwd=tmp_path).stdout == "__main__ [] program torchlike True\n"
    assert launched("program.zip", cwd=tmp_path).stdout == "__main__ [] program.zip torchlike True\n"


@pytest.mark.parametrize(
    "body",
    [
        "raise SystemExit(3)",
        "import sys; sys.exit('a message')",
        "def f():\n    return 1 / 0\n\nf()",
        "raise KeyboardInterrupt",
        "def f(:\n    pass",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('later') from e",
        "import sys\nsys.excepthook = lambda kind, value, traceback: print('mine', value)\nraise ValueError('x')",
        "import atexit\natexit.register(print, 'bye')\nraise LookupError('x')",
    ],
)
def test_ends_as_under_python(body: str, tmp_path: Path):
    (tmp_path / "script.py").write_text(body + "\n")
    ours, pythons = launched("script.py", cwd=tmp_path), python("script.py", cwd=tmp_path)
    assert (ours.returncode, ours.stdout) == (pythons.returncode, pythons.stdout)
    assert ours.stderr == pythons.stderr


@pytest.mark.parametrize("arguments", [["nope.py"], ["-m", "nope"], ["-m", "nope.nope"], ["-m", "empty"]])
def test_what_is_not_there_is_reported_as_by_python(arguments: list[str], tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "__init__.py").touch()
    ours, pythons = launched(*arguments, cwd=tmp_path), python(*arguments, cwd=tmp_path)
    assert (ours.returncode, ours.stderr) == (pythons.returncode, pythons.stderr)


def test_help_and_usage(tmp_path: Path):
    done = launched("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m torchlike SCRIPT [ARGS ...]\n")
    assert launched("--version", cwd=tmp_path).stdout == f"torchlike {torchlike.__version__}\n"
    for wrong in ([], ["-m"], ["--nope", "script.py"]):
        done = launched(*wrong, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: ")


CHILDREN = """\
import multiprocessing, sys

import torch


def where(x):
    import torch.nn
    return torch.__spec__.name, torch.nn.__spec__.name, x


def nested(method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply(where, (2,))


if __name__ == "__main__":
    method = sys.argv[1]
    with multiprocessing.get_context(method).Pool(1) as pool:
        print(pool.apply(where, (1,)))
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as executor:
        print(executor.submit(nested, method).result())
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("form", ["script", "module"])
def test_child_processes_have_the_alias(method: str, form: str, tmp_path: Path):
    (tmp_path / "program.py").write_text(CHILDREN)
    target = ["program.py"] if form == "script" else ["-m", "program"]
    done = launched(*target, method, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "('torchlike', 'torchlike.nn', 1)\n('torchlike', 'torchlike.nn', 2)\n"


def test_the_launcher_leaves_real_torch_unimported(tmp_path: Path):
    (tmp_path / "script.py").write_text(
        "import sys, torch\n"
        "print([m for n, m in sys.modules.items() if n.startswith('torch.') and 'torchlike' not in m.__name__])\n"
    )
    assert launched("script.py", cwd=tmp_path).stdout == "[]\n"


def test_no_tensor_is_fake():
    with torchlike.as_torch():
        from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, is_fake

        tensor = torchlike.ones(2)
        assert not is_fake(tensor)
        assert not isinstance(tensor, FakeTensor)
        with pytest.raises(NotImplementedError, match="FakeTensorMode"):
            FakeTensorMode()
