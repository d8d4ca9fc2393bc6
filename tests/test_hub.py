"""Models from folders, and files from URLs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import torchlike as torch
from torchlike import hub

CONFIG = '''
dependencies = ["numpy"]
import torchlike as torch
from parts import width

def linear(outputs, bias=True):
    """A linear layer."""
    return torch.nn.Linear(width, outputs, bias=bias)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hubconf.py").write_text(CONFIG)
    (tmp_path / "parts.py").write_text("width = 3\n")
    return tmp_path


def test_local_models(folder: Path):
    model = hub.load(str(folder), "linear", 2, bias=False, source="local")
    assert repr(model) == "Linear(in_features=3, out_features=2, bias=False)"
    with pytest.raises(RuntimeError, match=r"^Cannot find callable nope in hubconf$"):
        hub.load(str(folder), "nope", source="local")
    with pytest.raises(ValueError, match=r'^Unknown source: "web"\. Allowed values: "github" \| "local"\.$'):
        hub.load(str(folder), "linear", source="web")
    (folder / "hubconf.py").write_text("dependencies = ['no_such_package_here']\n")
    with pytest.raises(RuntimeError, match=r"^Missing dependencies: no_such_package_here$"):
        hub.load(str(folder), "linear", source="local")


def test_repositories_that_were_downloaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(hub, "_directory", {"hub": str(folder.parent)})
    cached = folder.parent / "someone_models_main"
    folder.rename(cached)
    assert hub.list("someone/models") == ["linear"]
    assert hub.help("someone/models", "linear") == "A linear layer."
    assert "Using cache found in" in capsys.readouterr().err


def test_states_from_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    state = {"w": torch.ones(2)}
    torch.save(state, tmp_path / "weights.pt")
    digest = hashlib.sha256((tmp_path / "weights.pt").read_bytes()).hexdigest()
    named = tmp_path / f"weights-{digest[:8]}.pt"
    (tmp_path / "weights.pt").rename(named)
    target = tmp_path / "kept"
    loaded = hub.load_state_dict_from_url(named.as_uri(), str(target), check_hash=True, progress=False)
    assert loaded["w"].tolist() == [1.0, 1.0]
    named.unlink()  # the second time it is not asked for
    assert hub.load_state_dict_from_url(named.as_uri(), str(target), progress=False)["w"].tolist() == [1.0, 1.0]


def test_hashes_are_checked(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(RuntimeError, match=r'^invalid hash value \(expected "0000", got "'):
        hub.download_url_to_file((tmp_path / "file").as_uri(), str(tmp_path / "copy"), hash_prefix="0000")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_folders(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "_directory", {})
    monkeypatch.setenv("TORCH_HOME", "/somewhere")
    assert hub.get_dir() == "/somewhere/hub"
    hub.set_dir("/else")
    assert hub.get_dir() == "/else"
