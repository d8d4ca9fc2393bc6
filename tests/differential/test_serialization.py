"""Checkpoints that change sides: written by the one library, read by the other."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pytest
from checkpoints import OPTIMIZERS, Training, contents, described

import torchlike

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")


def carried(obj: Any, source: Any, target: Any, weights_only: bool = True, **options: Any) -> Any:
    file = io.BytesIO()
    source.save(obj, file, **options)
    file.seek(0)
    return target.load(file, weights_only=weights_only)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize(("source", "target"), [(torch, torchlike), (torchlike, torch)])
def test_everything(source: Any, target: Any, weights_only: bool) -> None:
    everything = contents(source)
    assert described(carried(everything, source, target, weights_only)) == described(everything)


@pytest.mark.parametrize(("source", "target"), [(torch, torchlike), (torchlike, torch)])
def test_the_old_format(source: Any, target: Any) -> None:
    everything = contents(source)
    del everything["dtypes"]  # the newer ones are refused by PyTorch itself
    loaded = carried(everything, source, target, _use_new_zipfile_serialization=False)
    assert described(loaded) == described(everything)


@pytest.mark.parametrize(
    "make", [lambda t: t.nn.Linear(2, 3), lambda t: t.nn.Sequential(t.nn.Linear(2, 2), t.nn.GELU())]
)
@pytest.mark.parametrize(("source", "target"), [(torch, torchlike), (torchlike, torch)])
def test_whole_modules(source: Any, target: Any, make: Any) -> None:
    source.manual_seed(0)
    model = make(source)
    twin = carried(model, source, target, weights_only=False)
    assert type(twin) is type(make(target))
    assert repr(twin) == repr(model)
    assert twin(target.ones(1, 2))[0].tolist() == pytest.approx(model(source.ones(1, 2))[0].tolist(), rel=1e-5)


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_a_training_begun_here_goes_on_in_pytorch(name: str, options: dict[str, Any]) -> None:
    ours, theirs = Training(torchlike, name, options), Training(torch, name, options)
    ours.steps(3)
    theirs.load(carried(ours.state(), torchlike, torch))
    assert ours.steps(4) == pytest.approx(theirs.steps(4), rel=1e-4, abs=1e-6)


def test_the_same_instructions() -> None:
    def structure(library: Any) -> list[str]:
        file = io.BytesIO()
        library.save({"a": library.ones(2), "p": library.nn.Parameter(library.ones(1))}, file)
        import pickletools
        import zipfile

        data = zipfile.ZipFile(file).read("archive/data.pkl")
        return [f"{op.name} {argument}" for op, argument, _ in pickletools.genops(data)]

    assert structure(torchlike) == structure(torch)


class Thing:
    """A class of the user's."""


@pytest.mark.parametrize(
    "attempt",
    [
        lambda t, f: t.load(f(Thing())),
        lambda t, f: t.load(f(print)),
        lambda t, f: t.load(f([1]), pickle_module=pickle, weights_only=True),
        lambda t, f: t.load(f(t.ones(1)), map_location="nowhere"),
        lambda t, f: t.load(f(t.ones(1)), mmap=True),
        lambda t, f: t.load(io.BytesIO(b"garbage")),
        lambda t, f: t.load(io.BytesIO(pickle.dumps("text", 2))),
        lambda t, f: t.load(io.BytesIO(pickle.dumps("text", 2)), weights_only=False),
        lambda t, f: t.save(1, 5),
        lambda t, f: t.save([t.ones(2), t.ones(2).view(t.int32)][:1] + _two(t), io.BytesIO()),
        lambda t, f: t.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(b"garbage")),
        lambda t, f: t.serialization.set_default_load_endianness(5),
        lambda t, f: t.serialization.set_default_mmap_options(77),
        lambda t, f: t.load(Path("nothing.safetensors")),
    ],
)
def test_errors(attempt: Any) -> None:
    found = []
    for library in (torch, torchlike):

        def file(obj: Any, library: Any = library) -> io.BytesIO:
            buffer = io.BytesIO()
            library.save(obj, buffer)
            buffer.seek(0)
            return buffer

        with pytest.raises(Exception) as caught:  # noqa: PT011 - the texts are compared
            attempt(library, file)
        found.append((caught.type, str(caught.value)))
    assert found[1] == found[0]


def _two(library: Any) -> list[Any]:
    x = library.ones(2)
    return [x, x.view(library.int32)]
