"""The memory behind tensors: ``untyped_storage``, typed and legacy storages, sharing, pickling."""

from __future__ import annotations

import copy
import importlib
import pickle
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import torchlike as torch
from torchlike import storage as storages


@pytest.fixture(autouse=True)
def deprecation_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages._Warned, "done", True)


def test_bytes_of_a_tensor() -> None:
    u = torch.tensor([1.0, 2.0]).untyped_storage()
    assert (u.nbytes(), u.size(), len(u), u.element_size()) == (8, 8, 8, 1)
    assert u.tolist() == [0, 0, 128, 63, 0, 0, 0, 64]
    assert u[3] == 63
    assert u[-1] == 64
    assert u[2:4].tolist() == [128, 63]
    assert repr(torch.UntypedStorage([1, 2])) == " 1\n 2\n[torch.storage.UntypedStorage(device=cpu) of size 2]"


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (8, IndexError, "index 8 out of range for storage of size 8"),
        (-9, IndexError, "index -9 out of range for storage of size 8"),
        (1.5, TypeError, "can't index a torch.UntypedStorage with float"),
    ],
)
def test_bad_indices(index: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        torch.tensor([1.0, 2.0]).untyped_storage()[index]


def test_physical_order() -> None:
    x = torch.arange(4, dtype=torch.uint8).reshape(2, 2).t() + 0
    assert x.stride() == (1, 2)
    assert x.untyped_storage().tolist() == [0, 1, 2, 3]


def test_writes_are_seen_and_not_counted() -> None:
    a = torch.ones(4)
    b = a[2:]
    assert b.tolist() == [1.0, 1.0]
    a.untyped_storage().fill_(0)
    assert a.tolist() == [0.0] * 4
    assert b.tolist() == [0.0] * 2
    assert a._version == 0
    a.untyped_storage()[3] = 64
    assert a[0].item() == 2.0
    a.add_(1)
    assert (a._version, b._version) == (1, 1)
    assert b.tolist() == [1.0, 1.0]


def test_copy_clone_resize() -> None:
    a = torch.tensor([1.0, 2.0])
    u = a.untyped_storage()
    other = u.clone()
    assert other != u
    assert other.tolist() == u.tolist()
    u.copy_(torch.tensor([3.0, 4.0]).untyped_storage())
    assert a.tolist() == [3.0, 4.0]
    with pytest.raises(RuntimeError, match="size does not match, self was 8 bytes but src was 4 bytes"):
        u.copy_(torch.UntypedStorage(4))
    u.resize_(4)
    assert u.size() == 4
    assert a.shape == (2,)
    u.resize_(16)
    assert a[0].item() == 3.0


def test_identity() -> None:
    a = torch.ones(3)
    u = a.untyped_storage()
    assert u == a[1:].untyped_storage()
    assert hash(u) == hash(a.untyped_storage())
    assert u._cdata == a.untyped_storage()._cdata
    assert u.data_ptr() == a.data_ptr()
    assert u != a.clone().untyped_storage()
    assert u != 1
    assert torch.is_storage(u)
    assert torch.is_storage(a.storage())


@pytest.mark.parametrize(
    ("method", "expected"),
    [("byte", [0, 200]), ("char", [0, -56]), ("int", [0, 200]), ("float", [0.0, 200.0]), ("bool", [False, True])],
)
def test_conversions(method: str, expected: list[Any]) -> None:
    converted = getattr(torch.UntypedStorage([0, 200]), method)()
    assert type(converted) is torch.TypedStorage
    assert converted.tolist() == expected


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storage_type() -> None:
    assert torch.ones(2).storage_type() is torch.FloatStorage
    assert torch.arange(2).storage_type() is torch.LongStorage
    assert isinstance(torch.ones(2).storage(), torch.ones(2).storage_type())
    assert torch.ones(2).to(torch.float8_e5m2).storage_type() is None


def test_to_dlpack() -> None:
    a = torch.arange(3.0)
    assert torch.to_dlpack is torch.utils.dlpack.to_dlpack
    assert torch.utils.dlpack.from_dlpack(torch.to_dlpack(a)).tolist() == [0.0, 1.0, 2.0]


def test_init_num_threads() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 3)
        torch.init_num_threads()
        assert torch.get_num_threads() < before + 3
    finally:
        torch.set_num_threads(before)
    with pytest.raises(TypeError):
        torch.init_num_threads(1)  # type: ignore[call-arg]


def test_typed_storage() -> None:
    a = torch.tensor([1.0, 2.0, 3.0])
    s = a.storage()
    assert (s.size(), len(s), s.nbytes(), s.dtype) == (3, 3, 12, torch.float32)
    assert s[1] == 2.0
    s[0] = 5
    assert a[0].item() == 5.0
    assert s.type() == "torch.FloatStorage"
    assert isinstance(s, torch.FloatStorage)
    assert not isinstance(s, torch.DoubleStorage)
    assert s.untyped() == a.untyped_storage()
    assert s.double().tolist() == [5.0, 2.0, 3.0]
    assert repr(torch.LongStorage([1, 2])) == (
        " 1\n 2\n[torch.storage.TypedStorage(dtype=torch.int64, device=cpu) of size 2]"
    )
    with pytest.raises(RuntimeError, match=r"slices are only supported in UntypedStorage.__getitem__"):
        s[1:]


def test_the_deprecation_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages._Warned, "done", False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.ones(1).storage()
        torch.ones(1).storage()
    assert [str(w.message).partition(".")[0] for w in caught] == ["TypedStorage is deprecated"]
    assert caught[0].filename == __file__


def test_set_from_storages() -> None:
    source = torch.tensor([1.0, 2.0, 3.0])
    x = torch.empty(0).set_(source.untyped_storage())
    assert x.tolist() == [1.0, 2.0, 3.0]
    y = torch.empty(0).set_(source.storage(), 1, (2,))
    y.fill_(9)
    assert source.tolist() == [1.0, 9.0, 9.0]
    assert torch.empty(0, dtype=torch.uint8).set_(source.untyped_storage()).shape == (12,)
    assert torch.empty(0).set_(source.untyped_storage(), 0, (2, 2), (1, 1)).tolist() == [[1.0, 9.0], [9.0, 9.0]]


def test_from_buffer() -> None:
    u = torch.UntypedStorage.from_buffer(b"\x00\x01\x02\x03", byte_order="big", dtype=torch.int16)
    assert u.tolist() == [1, 0, 3, 2]
    assert torch.ShortStorage.from_buffer(b"\x00\x01", byte_order="big").tolist() == [1]


def test_shared_memory_stays_shared() -> None:
    a = torch.ones(3)
    assert not a.is_shared()
    b = a[1:]
    assert a.share_memory_() is a
    assert a.is_shared()
    assert b.is_shared()
    b.add_(1)
    assert a.tolist() == [1.0, 2.0, 2.0]
    assert a.untyped_storage().is_shared()


@pytest.mark.parametrize("protocol", [2, 5])
def test_pickling_storages(protocol: int) -> None:
    a = torch.tensor([1.0, 2.0])
    for storage in (a.untyped_storage(), a.storage(), torch.FloatStorage([1, 2])):
        again = pickle.loads(pickle.dumps(storage, protocol))
        assert type(again) is type(storage)
        assert again.tolist() == storage.tolist()
    copied = copy.deepcopy([a.untyped_storage(), a.untyped_storage()])
    assert copied[0] == copied[1]
    assert copied[0] != a.untyped_storage()


@pytest.mark.parametrize(
    "name",
    [
        "Tensor",
        "nn.Parameter",
        "FloatTensor",
        "FloatStorage",
        "UntypedStorage",
        "autograd.Function",
        "dtype",
        "device",
        "Size",
        "bfloat16",
        "strided",
        "channels_last",
        "add",
        "nn.functional.relu",
        "Tensor.add",
        "nn.Linear",
    ],
)
def test_pickling_by_identity(name: str) -> None:
    thing: Any = torch
    for part in name.split("."):
        thing = getattr(thing, part)
    assert pickle.loads(pickle.dumps(thing)) is thing
    assert copy.deepcopy(thing) is thing


class Mine(torch.Tensor):
    pass


@pytest.mark.parametrize("protocol", [2, 5])
def test_pickling_tensors(protocol: int) -> None:
    base = torch.arange(6, dtype=torch.bfloat16)
    parts = [base, base[2:], torch.ones(2, requires_grad=True), torch.ones(2).as_subclass(Mine)]
    whole, part, leaf, mine = pickle.loads(pickle.dumps(parts, protocol))
    assert whole.dtype is torch.bfloat16
    whole[2] = 100
    assert part[0].item() == 100
    assert leaf.requires_grad
    assert type(mine) is Mine


def test_classes_are_found_where_they_say() -> None:
    def home(x: Any) -> Any:
        module: Any = sys.modules[type(x).__module__]
        return getattr(module, type(x).__qualname__)

    x, p = torch.ones(1), torch.nn.Parameter(torch.ones(1))
    assert home(x) is torch.Tensor
    assert home(p) is torch.nn.Parameter
    assert repr(type(x)) == "<class 'torch.Tensor'>"
    assert repr(type(p)) == "<class 'torch.nn.parameter.Parameter'>"
    assert repr(Mine).endswith("test_storage.Mine'>")
    with torch.as_torch():
        importlib.import_module("torch.nn.parameter")
        assert type(x).__module__ == "torch"
        assert type(p).__module__ == "torch.nn.parameter"
        assert home(x) is type(x)
        assert home(p) is type(p)
        assert pickle.loads(pickle.dumps(x)).item() == 1.0
    assert type(x).__module__ == "torchlike"


@pytest.mark.parametrize("aligned", [True, False])
def test_large_arrays_are_read_before_a_program_goes_on(aligned: bool) -> None:
    # jax copies them in the background; neither a write to the source nor a look at the result may come before it.
    source = np.ones(2**23 + 1, np.float32)[0 if aligned else 1 :]
    copied = torch.tensor(source)
    taken = copied.numpy().min()
    source[:] = 0
    assert (taken, copied.numpy().min()) == (1, 1)
    shared = torch.from_numpy(source)
    source[:] = 2
    assert shared.clone().numpy().min() == 2
