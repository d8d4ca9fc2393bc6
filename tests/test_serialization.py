"""Checkpoints without PyTorch: files that it recorded, round trips, and what is refused."""

from __future__ import annotations

import collections
import io
import json
import pickle
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from checkpoints import FOLDER, OPTIMIZERS, Training, contents, described

import torchlike as torch

EXPECTED = json.loads((FOLDER / "expected.json").read_text())


class Thing:
    """A class of the user's."""

    def __init__(self, x: Any = 0) -> None:
        self.x = x


def saved(obj: Any, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(obj, file, **options)
    file.seek(0)
    return file


def instructions(obj: Any, **options: Any) -> bytes:
    with zipfile.ZipFile(saved(obj, **options)) as archive:
        return archive.read("archive/data.pkl")


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("name", ["contents", "legacy"])
def test_files_of_pytorch(name: str, weights_only: bool) -> None:
    loaded = torch.load(FOLDER / f"{name}.pt", weights_only=weights_only)
    assert repr(described(loaded)) == EXPECTED[name]
    loaded["row"][0] = 9.0  # the views share their memory
    assert loaded["matrix"][1, 0] == loaded["transposed"][0, 1] == 9.0


@pytest.mark.parametrize("mmap", [None, True])
def test_a_mapped_file(mmap: bool | None) -> None:
    loaded = torch.load(str(FOLDER / "contents.pt"), mmap=mmap)
    assert repr(described(loaded)) == EXPECTED["contents"]
    loaded["matrix"][0, 0] = 5.0
    assert torch.load(str(FOLDER / "contents.pt"))["matrix"][0, 0] == 0.0


def test_a_file_from_before_version_0_1_10() -> None:
    with pytest.raises(
        RuntimeError, match=r"Cannot use ``weights_only=True`` with files saved in the legacy .tar format"
    ):
        torch.load(FOLDER / "old.tar")
    loaded = torch.load(FOLDER / "old.tar", weights_only=False)
    assert loaded["a"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    loaded["b"][0][1] = 7.0
    assert loaded["a"][1, 1] == 7.0


def test_whole_modules_and_optimizers_of_pytorch() -> None:
    with pytest.raises(
        pickle.UnpicklingError, match=r"GLOBAL torch.nn.modules.container.Sequential was not an allowed"
    ):
        torch.load(FOLDER / "module.pt")
    model = torch.load(FOLDER / "module.pt", weights_only=False)
    assert [type(part) for part in model] == [torch.nn.Linear, torch.nn.ReLU, torch.nn.BatchNorm1d, torch.nn.Dropout]
    assert repr(described(dict(model.state_dict()))) == EXPECTED["module"]
    assert model.eval()(torch.ones(1, 2))[0].tolist() == pytest.approx(EXPECTED["output"][0], rel=1e-6)
    optimizer = torch.load(FOLDER / "optimizer.pt", weights_only=False)["Optimizer"]
    (w,) = optimizer.param_groups[0]["params"]
    w.grad = torch.ones(2)
    optimizer.step()
    assert w.tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_a_training_that_pytorch_began_goes_on(name: str, options: dict[str, Any]) -> None:
    recorded = torch.load(FOLDER / "training.pt")[name]
    training = Training(torch, name, options)
    training.load(recorded)
    assert training.steps(4) == pytest.approx(recorded["losses"], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_there_and_back(protocol: int, zipped: bool) -> None:
    everything = contents(torch)
    file = saved(everything, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    loaded = torch.load(file, weights_only=False)
    assert described(loaded) == described(everything)
    assert loaded["matrix"].untyped_storage().data_ptr() == loaded["transposed"].untyped_storage().data_ptr()
    assert pickle.loads(pickle.dumps(loaded["plain"])) == everything["plain"]


def test_loaded_tensors_are_plain_ones() -> None:
    loaded = torch.load(saved({"a": torch.ones(2, 3), "cl": torch.ones(3, 2).t()}))
    assert loaded["a"]._geometry is None  # nothing is looked at through a view
    assert loaded["cl"]._geometry is None
    assert loaded["cl"].stride() == (1, 2)


def test_the_file_is_made_as_pytorch_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "model.v1.pt"
    torch.save({"a": torch.arange(3.0), "b": torch.zeros(2, dtype=torch.int8)}, path)
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist()]
        for info in archive.infolist():
            lengths = struct.unpack("<HH", raw[info.header_offset + 26 : info.header_offset + 30])
            assert (info.header_offset + 30 + sum(lengths)) % 64 == 0
            assert info.compress_type == zipfile.ZIP_STORED
        assert archive.read("model.v1/byteorder") == b"little"
        assert archive.read("model.v1/data/0") == struct.pack("<3f", 0, 1, 2)
    parts = ["data.pkl", ".format_version", ".storage_alignment", "byteorder", "data/0", "data/1", "version"]
    assert names == [f"model.v1/{part}" for part in [*parts, ".data/serialization_id"]]


def test_names_in_files_are_those_of_pytorch() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1))
    optimizer = torch.optim.Muon([torch.nn.Parameter(torch.ones(1, 1))])
    schedule = torch.optim.lr_scheduler.StepLR
    text = instructions([model, optimizer, schedule, torch.nn.functional.relu, torch.float16, torch.ones(1)])
    assert b"torchlike" not in text
    for name in ("torch.nn.modules.linear\nLinear", "torch.optim._muon\nMuon", "torch.optim.lr_scheduler\nStepLR"):
        assert b"c" + name.encode() + b"\n" in text
    assert b"ctorch.nn.functional\nrelu\n" in text
    assert b"torchlike" not in instructions([model], pickle_protocol=4)


def test_byte_orders() -> None:
    big = {"x": torch.tensor([1, 256], dtype=torch.int16), "z": torch.tensor([1 + 2j])}
    swapped = io.BytesIO()
    with zipfile.ZipFile(saved(big)) as source, zipfile.ZipFile(swapped, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename.endswith("byteorder"):
                data = b"big"
            if "data/" in info.filename and "id" not in info.filename:
                size = 2 if info.file_size == 4 else 4
                data = b"".join(data[i : i + size][::-1] for i in range(0, len(data), size))
            target.writestr(info.filename, data)
    swapped.seek(0)
    loaded = torch.load(swapped)
    assert loaded["x"].tolist() == [1, 256]
    assert loaded["z"].tolist() == [1 + 2j]
    unmarked = saved(big, _disable_byteorder_record=True)
    assert torch.load(unmarked)["x"].tolist() == [1, 256]
    torch.serialization.set_default_load_endianness(torch.serialization.LoadEndianness.BIG)
    try:
        unmarked.seek(0)
        assert torch.load(unmarked)["x"].tolist() == [256, 1]
    finally:
        torch.serialization.set_default_load_endianness(None)
    with pytest.raises(TypeError, match="Invalid argument type in function set_default_load_endianness"):
        torch.serialization.set_default_load_endianness("big")


@pytest.mark.parametrize(
    "map_location",
    ["cpu", torch.device("cpu"), {"cpu": "cpu"}, lambda storage, tag: storage, lambda storage, tag: None],
)
def test_map_location(map_location: Any) -> None:
    assert torch.load(saved(torch.ones(2)), map_location=map_location).tolist() == [1.0, 1.0]


def test_map_location_elsewhere() -> None:
    loaded = torch.load(saved({"a": torch.ones(2, 3).t()}), map_location="meta")["a"]
    assert (loaded.device.type, loaded.shape, loaded.stride()) == ("meta", (3, 2), (1, 3))
    with pytest.raises(RuntimeError, match=r"don't know how to restore data location of torch.storage.UntypedStorage"):
        torch.load(saved(torch.ones(2)), map_location="moon")
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match=r"on a CUDA device but torch.cuda.is_available\(\) is False"):
            torch.load(saved(torch.ones(2)), map_location="cuda:0")


def test_what_the_list_allows() -> None:
    file = saved([Thing(torch.ones(1))])
    name = f"{Thing.__module__}.Thing"
    with pytest.raises(pickle.UnpicklingError, match=f"GLOBAL {re.escape(name)} was not an allowed global by default"):
        torch.load(file)
    file.seek(0)
    assert torch.serialization.get_unsafe_globals_in_checkpoint(file) == [name]
    with torch.serialization.safe_globals([Thing]):
        file.seek(0)
        assert torch.load(file)[0].x.tolist() == [1.0]
        file.seek(0)
        assert torch.serialization.get_unsafe_globals_in_checkpoint(file) == []
    assert torch.serialization.get_safe_globals() == []
    file.seek(0)
    assert torch.load(file, weights_only=False)[0].x.tolist() == [1.0]
    torch.serialization.add_safe_globals([(Thing, name), torch.nn.Linear, torch.nn.ReLU, torch.nn.Sequential])
    try:
        file.seek(0)
        assert isinstance(torch.load(file)[0], Thing)
        model = torch.load(saved(torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU())))
        assert isinstance(model[0], torch.nn.Linear)
    finally:
        torch.serialization.clear_safe_globals()


class Call:
    """A pickle that calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (Call(eval, "1 + 1"), "GLOBAL eval was not an allowed global by default"),
        (Call(print, "hello"), "GLOBAL print was not an allowed global by default"),
        (Call(__import__("os").getcwd), "whose module posix is blocked"),
        (b"bytes " * 300, None),
    ],
)
def test_what_the_list_refuses(obj: Any, message: str | None) -> None:
    if message is None:
        assert torch.load(saved(obj)) == obj
        return
    with pytest.raises(pickle.UnpicklingError, match=message):
        torch.load(saved(obj))


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(EOFError):
        torch.load(io.BytesIO())
    with pytest.raises(pickle.UnpicklingError, match="Unsupported operand 103"):
        torch.load(io.BytesIO(b"garbage"))
    with pytest.raises(RuntimeError, match="PytorchStreamReader failed reading zip archive"):
        torch.load(io.BytesIO(b"PK\x03\x04 garbage"))
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "nothing.pt")
    with pytest.raises(AttributeError, match="expected 'f' to be string, path, or a file-like object with a 'write'"):
        torch.save(1, 5)
    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist"):
        torch.save(1, tmp_path / "nowhere" / "a.pt")
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        torch.load(saved(1), mmap=True)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        torch.load(str(FOLDER / "legacy.pt"), mmap=True)
    with pytest.raises(RuntimeError, match="Can not safely load weights when explicit pickle_module is specified"):
        torch.load(saved(1), pickle_module=pickle, weights_only=True)
    with pytest.raises(ValueError, match=r"Expected input to be a checkpoint returned by torch.save"):
        torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(b"garbage"))


def test_one_memory_as_two_types_is_refused() -> None:
    x = torch.ones(2)
    with pytest.raises(RuntimeError, match="Cannot save multiple tensors or storages that view the same data"):
        torch.save([x, x.view(torch.int32)], io.BytesIO())


def test_files_that_can_only_be_written() -> None:
    class Sink:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

        def flush(self) -> None:
            self.data += b""

    sink = Sink()
    torch.save({"a": torch.arange(3)}, sink)
    assert torch.load(io.BytesIO(sink.data))["a"].tolist() == [0, 1, 2]
    with pytest.raises(AttributeError, match=r"You can only torch\.load from a file that is seekable"):
        torch.load(sink)


def test_skipped_data() -> None:
    with torch.serialization.skip_data():
        file = saved(torch.ones(2))
    assert torch.load(file).tolist() == [0.0, 0.0]
    with torch.serialization.skip_data():
        assert torch.load(saved(torch.ones(2))).shape == (2,)
        with pytest.raises(RuntimeError, match="Cannot use skip_data=True with _use_new_zipfile_serialization=False"):
            saved(1, _use_new_zipfile_serialization=False)


def test_subclasses_and_hooks_of_state() -> None:
    file = saved(collections.Counter("aab"))
    assert torch.load(file) == {"a": 2, "b": 1}
    model = torch.nn.Linear(2, 2)
    model.register_buffer("count", torch.tensor(5))
    twin = torch.load(saved(model), weights_only=False)
    assert list(twin.state_dict()) == ["weight", "bias", "count"]
    assert twin.weight.requires_grad
    assert isinstance(twin.weight, torch.nn.Parameter)
