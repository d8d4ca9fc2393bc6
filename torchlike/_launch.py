"""Run a script or a module as Python itself would, with ``import torch`` served by this package."""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import pkgutil
import runpy
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any, NoReturn

from torchlike._alias import install_as_torch
from torchlike.version import __version__

__all__ = ["main", "run_in_child"]

USAGE = """\
usage: python -m torchlike SCRIPT [ARGS ...]
       python -m torchlike -m MODULE [ARGS ...]

Run a program written for PyTorch on torchlike: "import torch" and "import torch.x.y" are served by torchlike, in this
process and in those that multiprocessing starts from it. SCRIPT may be a file, a directory or a zip archive with a
__main__.py; everything after SCRIPT or MODULE is the program's own.

options:
  -m MODULE      run a module, as python -m does
  -h, --help     show this help
  -V, --version  show the version
"""

# What multiprocessing's children are told to import as their main module, and where they read what that stands for.
_CHILD = "torchlike._child"
_MAIN_VARIABLE = "TORCHLIKE_MAIN"


class _MainSpec(ModuleSpec):
    """The ``__spec__`` of a main module run here.

    multiprocessing gives its children the name of the parent's main module to import. This one makes that name
    ``torchlike._child``, which turns the alias on and then imports the program. Relative imports go by its package.
    """

    def __init__(self, package: str, origin: str | None) -> None:
        super().__init__(_CHILD, None, origin=origin)
        self._package = package

    @property
    def parent(self) -> str:
        return self._package


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"{sys.executable}: {message}\n")
    raise SystemExit(code)


def _script(path: str) -> tuple[CodeType, dict[str, Any]]:
    """The code of a script, a directory or a zip archive, and what its globals start with."""
    importer = pkgutil.get_importer(path)
    spec = importer.find_spec("__main__") if importer is not None else None
    if spec is not None and spec.loader is not None:
        sys.path.insert(0, path)
        code = spec.loader.get_code("__main__")  # type: ignore[attr-defined]
        return code, {"__file__": spec.origin, "__package__": "", "__loader__": spec.loader}
    absolute = os.path.abspath(path)
    try:
        with io.open_code(absolute) as file:
            code = pkgutil.read_code(file)
            if code is None:
                file.seek(0)
                code = compile(file.read(), absolute, "exec", dont_inherit=True)
    except OSError as error:
        _fail(f"can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}", 2)
    if not sys.flags.safe_path:
        sys.path.insert(0, str(Path(absolute).resolve().parent))
    return code, {"__file__": absolute, "__package__": None, "__loader__": SourceFileLoader("__main__", absolute)}


def _module(name: str) -> tuple[CodeType, dict[str, Any]]:
    """The code of a module, or of a package's ``__main__``, and what its globals start with."""
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            package, name = name, name + ".__main__"
            spec = importlib.util.find_spec(name)
            if spec is None:
                _fail(f"No module named {name}; {package!r} is a package and cannot be directly executed", 1)
    except ModuleNotFoundError as error:
        _fail(f"Error while finding module specification for {name!r} ({type(error).__name__}: {error})", 1)
    if spec is None:
        _fail(f"No module named {name}", 1)
    code = spec.loader.get_code(name) if hasattr(spec.loader, "get_code") else None  # type: ignore[union-attr]
    if code is None:
        _fail(f"No code object available for {name}", 1)
    return code, {"__file__": spec.origin, "__package__": spec.parent, "__loader__": spec.loader}


def _without_launcher(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback that begins in the program, as if Python had started it."""
    own = {__file__, str(Path(__file__).with_name("__main__.py"))}
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if filename not in own and not filename.startswith("<frozen runpy"):
            break
        traceback = traceback.tb_next
    return traceback


def _run(load: Any, target: str) -> None:
    try:
        code, names = load(target)
        module = ModuleType("__main__")
        vars(module).update(names, __builtins__=builtins, __cached__=None)
        module.__spec__ = _MainSpec(names["__package__"] or "", names["__file__"])
        sys.argv[0] = names["__file__"] if load is _module else target
        sys.modules["__main__"] = module
        exec(code, vars(module))  # noqa: S102 - that is the job
    except (Exception, KeyboardInterrupt) as error:
        # Python goes on to report the error and to set the exit status; only the launcher's own frames are left out.
        report = sys.excepthook
        shown = _without_launcher(error.__traceback__)
        sys.excepthook = lambda kind, value, _: report(kind, value.with_traceback(shown), shown)
        raise


def main() -> None:
    """The command line of ``python -m torchlike``."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return
    if arguments and arguments[0] in ("-V", "--version"):
        sys.stdout.write(f"torchlike {__version__}\n")
        return
    as_module = bool(arguments) and arguments[0] == "-m"
    if as_module:
        arguments = arguments[1:]
    if not arguments or (not as_module and arguments[0].startswith("-")):
        sys.stderr.write(USAGE)
        raise SystemExit(2)
    target = arguments[0]
    sys.argv = arguments
    install_as_torch()
    # A child process must find this package again, also where it is not installed but was found beside the launcher.
    root = str(Path(__file__).resolve().parent.parent)
    if not as_module and not sys.flags.safe_path:
        sys.path.pop(0)  # the working directory, which python -m put there; the script's own directory takes its place
    if root not in sys.path:
        sys.path.append(root)
    os.environ[_MAIN_VARIABLE] = f"module:{target}" if as_module else f"script:{os.path.abspath(target)}"
    _run(_module if as_module else _script, target)


def run_in_child() -> dict[str, Any]:
    """Import the parent's main program in a child of multiprocessing and return its globals."""
    install_as_torch()
    kind, _, target = os.environ[_MAIN_VARIABLE].partition(":")
    if kind == "script":
        content = runpy.run_path(target, run_name="__mp_main__")
    elif target.endswith("__main__"):
        content = {}  # multiprocessing itself leaves those alone: they run unconditionally
    else:
        content = runpy.run_module(target, run_name="__mp_main__", alter_sys=True)
    # The children of this process go the same way.
    content["__spec__"] = _MainSpec(content.get("__package__") or "", content.get("__file__"))
    return content
