"""``torch.hub``: models from a folder with a ``hubconf.py``, and files from the network."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from torchlike import serialization

try:
    from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]
except ImportError:  # the bar is optional

    class tqdm:  # type: ignore[no-redef]
        """Stands in for the progress bar where its package is not installed: it shows nothing."""

        def __init__(self, iterable: Any = None, *args: Any, **kwargs: Any) -> None:
            self._iterable = iterable

        def __iter__(self) -> Any:
            return iter(self._iterable)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def update(self, n: int) -> None:
            """Count on."""

        def close(self) -> None:
            """Take the bar away."""


__all__ = [
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_state_dict_from_url",
    "set_dir",
]

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
ENV_TORCH_HOME = "TORCH_HOME"
ENV_XDG_CACHE_HOME = "XDG_CACHE_HOME"
ENV_GITHUB_TOKEN = "GITHUB_TOKEN"
DEFAULT_CACHE_DIR = "~/.cache"
READ_DATA_CHUNK = 128 * 1024
_CONFIG = "hubconf.py"
_TRUSTED = ("facebookresearch", "facebookincubator", "pytorch", "fairinternal")
_directory: dict[str, str] = {}


def _get_torch_home() -> str:
    """The folder for PyTorch's files: ``$TORCH_HOME``, else ``torch`` in the cache folder of the user."""
    cache = os.getenv(ENV_XDG_CACHE_HOME, DEFAULT_CACHE_DIR)
    return str(Path(os.getenv(ENV_TORCH_HOME, str(Path(cache) / "torch"))).expanduser())


def get_dir() -> str:
    """Return the folder in which downloads are kept, ``hub`` in PyTorch's unless `set_dir` said otherwise."""
    return _directory.get("hub") or str(Path(_get_torch_home()) / "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Choose the folder in which downloads are kept.

    >>> before = torch.hub.get_dir()
    >>> torch.hub.set_dir("models")
    >>> torch.hub.get_dir()
    'models'
    >>> torch.hub.set_dir(before)
    """
    _directory["hub"] = str(Path(d).expanduser())


def _import(folder: str) -> ModuleType:
    path = Path(folder) / _CONFIG
    spec = importlib.util.spec_from_file_location("hubconf", path)
    if spec is None or spec.loader is None or not path.exists():
        raise FileNotFoundError(f"[Errno 2] No such file or directory: '{path}'")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def _check_dependencies(module: ModuleType) -> None:
    missing = [name for name in getattr(module, "dependencies", ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")


def _entry(module: ModuleType, model: Any) -> Any:
    if not isinstance(model, str):
        raise ValueError("Invalid input: model should be a string of function name")
    _check_dependencies(module)
    found = getattr(module, model, None)
    if not callable(found):
        raise RuntimeError(f"Cannot find callable {model} in hubconf")
    return found


def _parse(github: str) -> tuple[str, str, str]:
    repository, _, reference = github.partition(":")
    owner, _, name = repository.partition("/")
    return owner, name, reference or "main"


def _folder(repo_or_dir: str, source: str, force_reload: bool, trust_repo: Any, verbose: bool) -> str:
    if source == "local":
        return repo_or_dir
    owner, name, reference = _parse(repo_or_dir)
    hub = Path(get_dir())
    hub.mkdir(parents=True, exist_ok=True)
    folder = hub / f"{owner}_{name}_{reference.replace('/', '_')}"
    if folder.exists() and not force_reload:
        if verbose:
            sys.stderr.write(f"Using cache found in {folder}\n")
        return str(folder)
    _ask_for_trust(owner, name, trust_repo)
    archive = hub / f"{reference.replace('/', '_')}.zip"
    archive.unlink(missing_ok=True)
    url = f"https://github.com/{owner}/{name}/zipball/{reference}"
    if verbose:
        sys.stderr.write(f'Downloading: "{url}" to {archive}\n')
    download_url_to_file(url, str(archive), progress=False)
    with zipfile.ZipFile(archive) as packed:
        inner = packed.infolist()[0].filename
        packed.extractall(hub)
    archive.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(str(hub / inner), str(folder))
    return str(folder)


def _ask_for_trust(owner: str, name: str, trust_repo: Any) -> None:
    """Running code of a repository is asked about once, unless it is trusted or the question is answered beforehand."""
    path = Path(get_dir()) / "trusted_list"
    known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    entry = f"{owner}_{name}"
    if owner in _TRUSTED or entry in known:
        return
    if trust_repo is False or trust_repo in ("check", None):
        answer = input(
            f"The repository {owner}/{name} does not belong to the list of trusted repositories and as such cannot be"
            " downloaded. Do you trust this repository and wish to add it to the trusted list of repositories (y/N)?"
        )
        if answer.lower() not in ("y", "yes"):
            raise Exception("Untrusted repository.")
    path.write_text("\n".join([*known, entry]) + "\n", encoding="utf-8")


def _check_source(source: str) -> str:
    if source.lower() not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    return source.lower()


def list(
    github: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: bool | str | None = None,
    verbose: bool = True,
) -> Any:
    """Return the names of the functions that a repository on GitHub, ``owner/name[:branch]``, has for `load`."""
    module = _import(_folder(github, "github", force_reload, trust_repo, verbose))
    return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]


def help(
    github: str,
    model: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: bool | str | None = None,
) -> str | None:
    """Return the docstring of a function that a repository on GitHub has for `load`."""
    module = _import(_folder(github, "github", force_reload, trust_repo, True))
    text: str | None = _entry(module, model).__doc__
    return text


def load(
    repo_or_dir: str,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: bool | str | None = None,
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """Call a function of the ``hubconf.py`` of a repository or a folder, and return what it returns: a model.

    ``source`` is ``"github"``, where ``repo_or_dir`` is ``owner/name[:branch]``, or ``"local"``, where it is a folder.
    Raises RuntimeError when there is no such function or a package that the model needs is missing.
    """
    where = _check_source(source)
    module = _import(_folder(repo_or_dir, where, force_reload, trust_repo, verbose))
    return _entry(module, model)(*args, **kwargs)


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Write what is behind a URL to a file, which appears only when it is complete.

    ``hash_prefix`` is the beginning of its SHA-256, checked if given: RuntimeError when it is another. ``progress``
    shows a bar where the package ``tqdm`` is there.
    """
    target = Path(dst).expanduser()
    digest = hashlib.sha256()
    with (
        urlopen(Request(url, headers={"User-Agent": "torch.hub"})) as source,
        tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as partial,
    ):
        try:
            length = source.headers.get("Content-Length")
            total = int(length) if length else None
            bar = tqdm(total=total, disable=not progress, unit="B", unit_scale=True, unit_divisor=1024)
            while chunk := source.read(READ_DATA_CHUNK):
                partial.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
            bar.close()
            partial.close()
            if hash_prefix is not None and digest.hexdigest()[: len(hash_prefix)] != hash_prefix:
                raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest.hexdigest()}")')
            shutil.move(partial.name, target)
        finally:
            Path(partial.name).unlink(missing_ok=True)


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """Return the state that a file behind a URL holds; it is downloaded once and kept.

    ``model_dir`` is where, ``checkpoints`` in the folder of `get_dir` without it. With ``check_hash`` the file's name,
    ``name-<sha256>.ext``, says the beginning of its hash.
    """
    folder = Path(get_dir()) / "checkpoints" if model_dir is None else Path(model_dir)
    folder.mkdir(parents=True, exist_ok=True)
    name = file_name or Path(urlparse(url).path).name
    target = folder / name
    if not target.exists():
        sys.stderr.write(f'Downloading: "{url}" to {target}\n')
        match = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, str(target), match.group(1) if match else None, progress=progress)
    return serialization.load(str(target), map_location=map_location, weights_only=weights_only)
