"""Dtypes, promotion, devices and sizes against real PyTorch, live."""

import itertools

import numpy as np
import pytest

import torchlike
from torchlike._core import dtype as dtypes
from torchlike._core import promote

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:'mkldnn' is no longer used as device type"),
    pytest.mark.filterwarnings("ignore:Casting complex values to real"),
    pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental"),
]

NAMES = tuple(dtypes.BY_NAME)
# PyTorch's own dtypes that jax does not have.
ABSENT = {"torch.complex32"}
NUMBERS = {"bool": True, "int": 1, "float": 1.5, "complex": 1j}
DEFAULTS = ("float32", "float64", "bfloat16", "float16")


class Fake:
    """What promotion wants of a tensor."""

    def __init__(self, name, ndim):
        self.dtype = getattr(torchlike, name)
        self.ndim = ndim

    def dim(self):
        return self.ndim


def outcome(call, module):
    """The text of what ``call(module)`` gives, or the class and text of what it raises."""
    try:
        return str(call(module))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is compared
        return f"{type(error).__name__}: {error}"


def first_sentence(text):
    return text.split("\n")[0]


@pytest.fixture(params=DEFAULTS)
def default(request):
    """The default dtype, the same on both sides."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, request.param))
    try:
        with dtypes.default_scope(getattr(torchlike, request.param)):
            yield request.param
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("name", NAMES)
def test_dtype_attributes(name):
    ours, theirs = getattr(torchlike, name), getattr(torch, name)
    for attribute in ("abbr", "is_complex", "is_floating_point", "is_signed", "itemsize"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    for method in ("to_complex", "to_real"):
        expected = outcome(lambda m, method=method: getattr(getattr(m, name), method)(), torch)
        assert outcome(lambda m, method=method: getattr(getattr(m, name), method)(), torchlike) == expected


def test_every_dtype_of_pytorchs_is_there():
    theirs = {name for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)}
    ours = {name for name in dir(torchlike) if isinstance(getattr(torchlike, name), torchlike.dtype)}
    assert ours == theirs
    for name in ours:
        mine, real = getattr(torchlike, name), getattr(torch, name)
        assert repr(mine) == repr(real)
        for attribute in ("itemsize", "is_floating_point", "is_complex"):
            assert getattr(mine, attribute) == getattr(real, attribute), (name, attribute)
    # What jax has no arrays of: complex halves, quantized types, and names for bits that nothing computes in.
    names_only = ours - set(dtypes.BY_NAME) - {"half", "float", "double", "short", "int", "long", "cfloat", "cdouble"}
    sub_byte = {f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)}
    quantized = {"qint8", "qint32", "quint8", "quint2x4", "quint4x2"}
    bits = {"bit", "bits8", "bits16", "bits1x8", "bits2x4", "bits4x2"}
    assert names_only == {"chalf", "complex32", "float4_e2m1fn_x2"} | sub_byte | quantized | bits


@pytest.mark.parametrize("name", NAMES)
def test_finfo_and_iinfo(name):
    for function, attributes in (
        ("finfo", ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")),
        ("iinfo", ("bits", "dtype", "max", "min")),
    ):
        expected = outcome(lambda m, f=function: getattr(m, f)(getattr(m, name)), torch)
        assert outcome(lambda m, f=function: getattr(m, f)(getattr(m, name)), torchlike) == expected
        if "Error" not in expected:
            ours = getattr(torchlike, function)(getattr(torchlike, name))
            theirs = getattr(torch, function)(getattr(torch, name))
            for attribute in attributes:
                assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
                assert type(getattr(ours, attribute)) is type(getattr(theirs, attribute)), attribute


def test_promote_types_and_can_cast():
    for a, b in itertools.product(NAMES, repeat=2):
        for function in ("promote_types", "can_cast"):
            found, expected = (
                outcome(lambda m, f=function, a=a, b=b: getattr(m, f)(getattr(m, a), getattr(m, b)), module)
                for module in (torchlike, torch)
            )
            assert found == expected, (function, a, b)


def operands_of_all_categories():
    """Pairs of our operand and PyTorch's, for all dtypes and categories."""
    for name in NAMES:
        for ndim in (1, 0):
            yield Fake(name, ndim), torch.empty((2,) * ndim, dtype=getattr(torch, name))
    for number in NUMBERS.values():
        yield number, number


def test_result_type(default):
    compared = 0
    for (a, their_a), (b, their_b) in itertools.product(operands_of_all_categories(), repeat=2):
        expected = outcome(lambda m, x=their_a, y=their_b: m.result_type(x, y), torch)
        found = outcome(lambda m, x=a, y=b: m.result_type(x, y), torchlike)
        if expected in ABSENT or (default == "float16" and 1j in (a, b)):
            # The complex sibling of float16 is complex32, which jax does not have.
            assert found == expected or found.startswith("NotImplementedError"), (their_a, their_b)
        else:
            assert found == expected, (their_a, their_b)
            compared += 1
    assert compared > 1800


def test_three_operands():
    """Operators of three tensors: addcmul joins all three."""
    names = ("bool", "uint8", "int8", "int64", "bfloat16", "float16", "float32", "float64", "complex64")
    compared = 0
    for combination in itertools.product(names, repeat=3):
        for ndims in itertools.product((0, 1), repeat=3):
            tensors = [torch.ones((2,) * n, dtype=getattr(torch, d)) for d, n in zip(combination, ndims, strict=True)]
            described = [
                (getattr(torchlike, d), "dim" if n else "zero") for d, n in zip(combination, ndims, strict=True)
            ]
            expected = outcome(lambda m, t=tensors: m.addcmul(*t).dtype, torch)
            if "Error: " not in expected and expected not in ABSENT:
                assert str(promote.common_dtype(described)) == expected, (combination, ndims)
                compared += 1
    assert compared > 3000


KINDS = {
    # kind: unary and binary operators that promote by it
    "DEFAULT": (("neg", "positive"), ("add", "mul")),
    "INT_TO_FLOAT": (("sin", "exp", "sqrt"), ("div", "atan2")),
    "ALWAYS_BOOL": (("isnan", "logical_not"), ("eq", "lt")),
    "COMPLEX_TO_FLOAT": (("abs",), ()),
}


@pytest.mark.parametrize("kind", ["DEFAULT", "INT_TO_FLOAT", "ALWAYS_BOOL", "COMPLEX_TO_FLOAT"])
def test_result_dtypes_of_operators(kind, default):
    unary, binary = KINDS[kind]
    compared = 0
    for (a, their_a), operator in itertools.product(operands_of_all_categories(), unary):
        if isinstance(their_a, torch.Tensor):
            compared += compare(kind, (a,), lambda m, o=operator, x=their_a: getattr(m, o)(x).dtype, default)
    for (a, their_a), (b, their_b), operator in itertools.product(
        operands_of_all_categories(), operands_of_all_categories(), binary
    ):
        if isinstance(their_a, torch.Tensor):
            call = lambda m, o=operator, x=their_a, y=their_b: getattr(m, o)(x, y).dtype  # noqa: E731
            compared += compare(kind, (a, b), call, default)
    assert compared > (25 if kind == "COMPLEX_TO_FLOAT" else 800)


def their_operands(operands):
    """The two operands of ``torch.result_type`` that stand for one or two of ours."""
    theirs = [
        torch.empty((2,) * x.ndim, dtype=getattr(torch, x.dtype.name)) if isinstance(x, Fake) else x for x in operands
    ]
    return theirs * (3 - len(theirs))


def compare(kind, operands, call, default):
    """Compare the result dtype of PyTorch's operator with ours, where it has a kernel for these dtypes."""
    expected = outcome(call, torch)
    if "Error: " in expected or expected in ABSENT or (default == "float16" and 1j in operands):
        return 0
    described = [found for operand in operands if (found := promote.operand_of(operand)) is not None]
    if str(torch.result_type(*their_operands(operands))) in ABSENT:
        with pytest.raises(NotImplementedError, match="complex32"):
            promote.compute_and_result(getattr(promote, kind), described)
        return 0
    _, result = promote.compute_and_result(getattr(promote, kind), described)
    assert str(dtypes.of(result)) == expected, (kind, described)
    return 1


@pytest.mark.parametrize(
    ("operator", "name"),
    [("add", "float16"), ("mul", "float16")]
    + [(o, "bfloat16") for o in ("add", "mul", "div", "pow", "remainder", "fmod", "floor_divide", "eq", "lt")],
)
def test_numbers_beside_halves(operator, name):
    """A third is no half-precision number: whether it is rounded first shows in the results."""
    values = [i / 16 for i in range(-40, 41)]

    def results(m):
        half = m.tensor(values, dtype=getattr(m, name))
        zero_dim = m.tensor(1 / 3, dtype=m.float64)
        function = getattr(m, operator)
        yield function(half, 1 / 3)
        yield function(half, zero_dim)
        yield function(zero_dim, half)
        yield function(m.tensor(0.7, dtype=getattr(m, name)), 1 / 3)

    for ours, theirs in zip(results(torchlike), results(torch), strict=True):
        assert str(ours.dtype) == str(theirs.dtype)
        np.testing.assert_array_equal(np.array(ours.tolist()), np.array(theirs.tolist()))


DEVICE_TEXTS = ["cuda:1", "cpu", "cpu:0", "meta:1", "xla", "mps:0", "hip", "ve:3", "privateuseone:1"]
BAD_DEVICE_TEXTS = ["", "foo", "CPU", "cuda:", "cuda:x", "cuda:01", "cuda:-1", "cuda:1:2", "cuda0", " cpu", "cpu "]
BAD_DEVICE_TEXTS += ["cuda:0\n", ":1", "cuda:99999999999999", "c_u", "1"]


@pytest.mark.parametrize("text", DEVICE_TEXTS + BAD_DEVICE_TEXTS)
def test_device_text(text):
    for call in (
        lambda m: m.device(text),
        lambda m: repr(m.device(text)),
        lambda m: (m.device(text).type, m.device(text).index),
        lambda m: m.device(text) == m.device("cpu"),
        lambda m: m.device(text.encode()),
        lambda m: m.device(m.device(text)),
        lambda m: m.device(type=text),
        lambda m: m.device(text, 2),
        lambda m: m.device(device=text),
    ):
        assert outcome(call, torchlike) == outcome(call, torch)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.device(),
        lambda m: m.device(None),
        lambda m: m.device(1.5),
        lambda m: m.device(True),
        lambda m: m.device(-1),
        lambda m: m.device(["cpu"]),
        lambda m: m.device("cpu", -1),
        lambda m: m.device("cpu", "a"),
        lambda m: m.device("cpu", 1.0),
        lambda m: m.device("cpu", True),
        lambda m: m.device("cpu", None),
        lambda m: m.device("cpu", 0, 1),
        lambda m: m.device(index=1),
        lambda m: m.device(foo=1),
        lambda m: m.device(m.device("cpu"), 1),
        lambda m: m.device("cpu") < m.device("cuda"),
        lambda m: m.device("cpu") == "cpu",
        lambda m: setattr(m.device("cpu"), "index", 1),
        lambda m: m.device("cpu").foo,
        lambda m: type("Mine", (m.device,), {}),
        lambda m: m.device,
        lambda m: m.set_default_device("foo"),
        lambda m: m.set_default_device(3.5),
        lambda m: m.get_default_device(),
        lambda m: m.dtype,
        lambda m: m.dtype(),
        lambda m: type("Mine", (m.dtype,), {}),
        lambda m: m.float32.foo,
        lambda m: m.set_default_dtype(m.int32),
        lambda m: m.set_default_dtype(m.complex64),
        lambda m: m.set_default_dtype("float"),
        lambda m: m.set_default_dtype(None),
        lambda m: m.set_default_dtype(m.float8_e4m3fn),
        lambda m: m.finfo(),
        lambda m: m.finfo(float),
        lambda m: m.finfo(complex),
        lambda m: m.finfo(int),
        lambda m: m.finfo("x"),
        lambda m: m.iinfo(),
        lambda m: m.iinfo(int),
        lambda m: m.iinfo(bool),
        lambda m: m.iinfo(3),
        lambda m: m.finfo(m.float32) == m.finfo(m.complex64),
        lambda m: m.promote_types(float, int),
        lambda m: m.promote_types(1, m.bool),
        lambda m: m.can_cast(m.int8, "int"),
        lambda m: m.result_type(1, 2.0),
        lambda m: m.result_type(scalar1=1, scalar2=2.0),
        lambda m: m.result_type("a", 2),
        lambda m: m.result_type(1),
        lambda m: m.Size,
        lambda m: m.Size([2, 3]),
        lambda m: m.Size([2, 3])[1:],
        lambda m: m.Size([2, 3]) + (1,),
        lambda m: (1,) + m.Size([2, 3]),
        lambda m: m.Size([2, 3]) + [1],
        lambda m: [*m.Size([2]) * 3, *(3 * m.Size([2]))],
        lambda m: m.Size([2]) * 1.5,
        lambda m: m.Size([2]) + (1.5,),
        lambda m: m.Size([None]),
        lambda m: m.Size([np.float64(2)]),
        lambda m: m.Size([2**70]),
        lambda m: m.Size(3),
        lambda m: m.Size("ab"),
        lambda m: m.Size([True]),
        lambda m: m.Size([0, 3]).numel(),
        lambda m: m.Size([]).numel(),
        lambda m: type("Mine", (m.Size,), {}),
    ],
)
def test_the_same_outcome(call):
    found, expected = outcome(call, torchlike), outcome(call, torch)
    if "finfo" in expected or "invalid combination" not in expected:
        assert found == expected
    else:  # the list of signatures and why each one does not fit is PyTorch's own
        assert first_sentence(found) == first_sentence(expected)
