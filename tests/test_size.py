"""torch.Size."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import torchlike as torch

Size: Any = torch.Size  # called with what its annotations refuse, too


def test_construction_and_text():
    assert repr(Size([2, 3])) == str(Size((2, 3))) == "torch.Size([2, 3])"
    assert repr(Size()) == repr(Size([])) == "torch.Size([])"
    assert Size(range(3)) == (0, 1, 2)
    assert Size(x for x in (1, 2)) == (1, 2)
    assert repr(Size([True, -1])) == "torch.Size([1, -1])"
    assert [type(n) for n in Size([True, np.int64(3), np.array(2)])] == [int, int, int]
    assert isinstance(Size([1]), tuple)
    assert repr(Size) == "<class 'torch.Size'>"


def test_it_is_a_tuple_of_its_values():
    assert Size([2, 3]) == (2, 3)
    assert Size([2, 3]) != [2, 3]
    assert hash(Size([2, 3])) == hash((2, 3))
    assert Size([2, 3]) < Size([2, 4])
    assert Size([2, 3]).index(3) == 1


@pytest.mark.parametrize(("shape", "numel"), [((), 1), ((0, 3), 0), ((2, 3), 6), ((2**31, 2), 2**32)])
def test_numel(shape, numel):
    assert Size(shape).numel() == numel


def test_slices_sums_and_repetitions_are_sizes():
    size = Size([2, 3, 4])
    for found, expected in [
        (size[1:], (3, 4)),
        (size[::-1], (4, 3, 2)),
        (size + (1,), (2, 3, 4, 1)),
        (size + Size([1]), (2, 3, 4, 1)),
        ((1,) + size, (1, 2, 3, 4)),
        (size * 2, (2, 3, 4, 2, 3, 4)),
        (2 * size, (2, 3, 4, 2, 3, 4)),
        (size * np.int64(2), (2, 3, 4, 2, 3, 4)),
        (size * -1, ()),
    ]:
        assert type(found) is Size
        assert found == expected
    assert type(size[0]) is int
    assert size[-1] == 4


def test_copies_and_pickles():
    size = Size([2, 3])
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        loaded = pickle.loads(pickle.dumps(size, protocol))
        assert type(loaded) is Size
        assert loaded == size
    assert type(copy.deepcopy(size)) is type(copy.copy(size)) is Size
    assert copy.deepcopy(size) == size
    assert pickle.loads(pickle.dumps(Size)) is Size


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Size(["a"]), TypeError, "torch.Size() takes an iterable of 'int' (item 0 is 'str')"),
        (lambda: Size([1, 1.5]), TypeError, "torch.Size() takes an iterable of 'int' (item 1 is 'float')"),
        (lambda: Size([None]), TypeError, "torch.Size() takes an iterable of 'int' (item 0 is 'NoneType')"),
        (
            lambda: Size([np.float64(2)]),
            TypeError,
            "torch.Size() takes an iterable of 'int' (item 0 is 'numpy.float64')",
        ),
        (lambda: Size(3), TypeError, "'int' object is not iterable"),
        (lambda: Size([2**70]), ValueError, "Overflow when unpacking long long"),
        (lambda: Size([2]) + [1], TypeError, "can only concatenate tuple (not list) to torch.Size"),
        (lambda: Size([2]) + (1.5,), TypeError, "torch.Size() takes an iterable of 'int' (item 1 is 'float')"),
        (lambda: Size([2]) * 1.5, TypeError, "can't multiply sequence by non-int of type 'float'"),
        (lambda: Size([2])["a"], TypeError, "tuple indices must be integers or slices, not str"),
        (lambda: Size([2])[5], IndexError, "tuple index out of range"),
        (lambda: type("Mine", (Size,), {}), TypeError, "type 'torch.Size' is not an acceptable base type"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
