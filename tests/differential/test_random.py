"""Random numbers against real PyTorch, live: values, strides, and the state that the generator is left in."""

import numpy as np
import pytest
import random_cases as cases

import torchlike
import torchlike.nn.init

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*is out of bounds"),
    pytest.mark.filterwarnings("ignore:mean is more than 2 std"),
]


def host(tensor):
    """The values of a tensor of either library; bfloat16, which NumPy lacks, as float32 holds them too."""
    tensor = tensor.detach()
    if tensor.dtype in (torch.bfloat16, torchlike.bfloat16):
        tensor = tensor.to(torch.float32 if tensor.dtype is torch.bfloat16 else torchlike.float32)
    return tensor.numpy()


def units_apart(ours, theirs):
    """By how many units in the last place the worst elements differ; None where they differ beyond comparison."""
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return None
    if ours.dtype.kind == "c":
        ours, theirs = (np.ascontiguousarray(x).view(x.real.dtype) for x in (ours, theirs))
    same = (ours == theirs) | ((ours != ours) & (theirs != theirs))
    if same.all():
        return 0.0
    if ours.dtype.kind != "f":
        return None
    with np.errstate(all="ignore"):
        apart = np.abs(ours - theirs) / np.spacing(np.maximum(np.abs(ours), np.abs(theirs)))
    return float(np.max(np.where(same, 0, apart)))


def compare(call, allowed=0.0):
    """A list of what differs by more than ``allowed``."""
    theirs, ours = cases.evaluate(torch, call), cases.evaluate(torchlike, call)
    if isinstance(theirs, str) or isinstance(ours, str):
        return [] if theirs == ours else [f"{call}\n  {theirs}\n  {ours}"]
    found = []
    for a, b in zip(
        theirs if isinstance(theirs, tuple) else (theirs,), ours if isinstance(ours, tuple) else (ours,), strict=True
    ):
        apart = units_apart(host(b), host(a))
        near = allowed and apart is not None and np.allclose(host(b), host(a), rtol=0, atol=allowed)
        if apart != 0 and not near:
            found.append(f"{call}: {apart} units apart\n  {a}\n  {b}")
        if a.stride() != b.stride() or a.requires_grad != b.requires_grad:
            found.append(f"{call}: strides {a.stride()} and {b.stride()}")
    if not np.array_equal(torch.get_rng_state().numpy(), torchlike.get_rng_state().numpy()):
        found.append(f"{call}: the generators stand elsewhere")
    return found


def report(calls, allowed=0.0):
    different = [text for call in calls for text in compare(call, allowed)]
    assert not different, f"{len(different)} differ\n" + "\n".join(different[:10])[:3000]


@pytest.mark.parametrize("name", cases.METHODS)
def test_methods_draw_pytorchs_numbers(name):
    report(call for call in cases.methods() if f".{name}(" in call)


def test_creators_draw_pytorchs_numbers():
    report(cases.creators())


def test_draws_by_element_are_pytorchs():
    report(cases.by_element())


@pytest.mark.parametrize("name", cases.INITIALIZERS)
def test_initializers_give_pytorchs_weights(name):
    # The orthogonal matrix comes from a factorization, which every library rounds in its own way.
    allowed = 2e-6 if name == "orthogonal_" else 0.0
    report((call for call in cases.initializers() if f".{name}(" in call), allowed)


def test_refusals_are_pytorchs():
    report(cases.REFUSED)


def test_a_state_of_either_library_loads_in_the_other():
    torch.manual_seed(5)
    torch.randn(3, dtype=torch.float64)
    torch.rand(700)
    torchlike.set_rng_state(torchlike.from_numpy(torch.get_rng_state().numpy()))
    assert torchlike.initial_seed() == 5
    assert torchlike.randn(5).tolist() == torch.randn(5).tolist()
    torchlike.randn(2)
    torch.set_rng_state(torch.from_numpy(torchlike.get_rng_state().numpy().copy()))
    assert torch.rand(900).tolist() == torchlike.rand(900).tolist()


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**32 + 5, -1, -(2**63), 2**64 - 1])
def test_seeds_of_64_bits_and_negative_ones(seed):
    torch.manual_seed(seed)
    torchlike.manual_seed(seed)
    assert torch.initial_seed() == torchlike.initial_seed()
    assert torch.rand(3).tolist() == torchlike.rand(3).tolist()
    assert np.array_equal(torch.get_rng_state().numpy(), torchlike.get_rng_state().numpy())


def drawn(module, call):
    module.manual_seed(0)
    x = module.ones(3, requires_grad=True)
    p = module.full((3,), 0.5, requires_grad=True)
    y = eval(call, {"torch": module, "x": x, "p": p})
    name = y.grad_fn.name() if y.grad_fn is not None else None
    try:
        y.sum().backward()
    except RuntimeError as error:
        return name, str(error)
    return name, *(None if t.grad is None else t.grad.tolist() for t in (x, p))


@pytest.mark.parametrize(
    "call",
    [
        "x.clone().uniform_()",
        "x.clone().normal_()",
        "x.clone().exponential_()",
        "x.clone().bernoulli_()",
        "x.clone().bernoulli_(p)",
        "x.clone().random_()",
        "x.clone().random_(5)",
        "x.clone().random_(2, 5)",
        "x.clone().geometric_(0.5)",
        "x.clone().cauchy_()",
        "x.clone().log_normal_()",
        "torch.bernoulli(p)",
        "torch.bernoulli(x, 0.5)",
        "torch.normal(x, 2.0)",
        "torch.normal(2.0, p)",
        "torch.normal(x, p)",
        "torch.poisson(x)",
        "torch.binomial(x, p)",
        "torch._standard_gamma(x)",
        "torch._sample_dirichlet(x)",
    ],
)
def test_the_history_and_the_gradients_of_samples(call):
    theirs, ours = drawn(torch, call), drawn(torchlike, call)
    assert ours[0] == theirs[0]
    if "gamma" in call:
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-4)
    else:
        assert ours[1:] == theirs[1:]


def test_an_overwritten_part_gets_no_gradient():
    def run(module):
        module.manual_seed(0)
        x = module.ones(4, requires_grad=True)
        y = x * 2
        y[1:3].uniform_()
        y.sum().backward()
        return y.tolist(), x.grad.tolist()

    assert run(torchlike) == run(torch)
