"""Random numbers: those PyTorch draws for a seed, where they come from, and what the functions refuse."""

import copy
import itertools
import pickle

import jax
import numpy as np
import pytest
import random_cases as cases
from recorded_random import RECORD, report

import torchlike as torch
from torchlike._core import generator as generators
from torchlike._core import samplers
from torchlike.ops.sampling import _sample_dirichlet, _standard_gamma

pytestmark = pytest.mark.filterwarnings("ignore:.*is out of bounds")


@pytest.mark.parametrize("name", cases.METHODS)
def test_methods_draw_the_recorded_numbers(name):
    report((call for call in RECORD["methods"] if f".{name}(" in call), "methods")


def test_creators_draw_the_recorded_numbers():
    report(RECORD["creators"], "creators")


def test_draws_by_element_are_the_recorded_ones():
    report(RECORD["by_element"], "by_element")


def test_refusals_have_pytorchs_words():
    report((call for call in RECORD["refused"] if "nn.init" not in call), "refused")


def test_every_case_of_the_record_is_still_asked_for():
    assert set(RECORD["creators"]) == set(cases.creators())
    assert set(RECORD["by_element"]) == set(cases.by_element())
    assert set(RECORD["refused"]) == set(cases.REFUSED)
    assert set(RECORD["methods"]) <= set(cases.methods())


def test_well_known_numbers():
    torch.manual_seed(0)
    assert [round(x, 4) for x in torch.rand(3).tolist()] == [0.4963, 0.7682, 0.0885]
    torch.manual_seed(0)
    assert [round(x, 4) for x in torch.randn(4).tolist()] == [1.541, -0.2934, -2.1788, 0.5684]
    torch.manual_seed(0)
    assert torch.randperm(10).tolist() == [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]


# -- the generator


def test_a_generator_has_a_stream_of_its_own():
    torch.manual_seed(1)
    first = torch.rand(3)
    torch.manual_seed(1)
    own = torch.Generator().manual_seed(1)
    torch.rand(100, generator=own)
    assert torch.equal(torch.rand(3), first)
    assert own.initial_seed() == 1
    assert own.device == torch.device("cpu")
    assert torch.Generator().initial_seed() == 67280421310721


def test_seed_starts_somewhere_else_each_time():
    assert torch.seed() != torch.seed()
    assert torch.initial_seed() == torch.default_generator.initial_seed()


def test_a_state_brings_back_everything_that_follows():
    torch.randn(3, dtype=torch.float64)  # leaves a normal number for the next call
    state = torch.get_rng_state()
    assert state.dtype is torch.uint8
    assert state.shape == (5056,)
    first = torch.randn(5), torch.rand(700), torch.randperm(10)
    torch.set_rng_state(state)
    assert all(
        torch.equal(a, b) for a, b in zip(first, (torch.randn(5), torch.rand(700), torch.randperm(10)), strict=True)
    )


@pytest.mark.parametrize("draws", [0, 1, 623, 624, 625, 1248])
def test_a_state_saved_anywhere_in_the_stream_loads(draws):
    own = torch.Generator().manual_seed(3)
    torch.rand(draws, generator=own)
    other = torch.Generator().set_state(own.get_state())
    assert torch.equal(other.get_state(), own.get_state())
    assert torch.equal(torch.rand(700, generator=other), torch.rand(700, generator=own))


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)), lambda g: g.clone_state()]
)
def test_copies_of_a_generator_continue_alike(duplicate):
    own = torch.Generator().manual_seed(5)
    torch.randn(3, generator=own)
    other = duplicate(own)
    assert other is not own
    assert torch.equal(torch.randn(3, generator=other), torch.randn(3, generator=own))


def test_fork_rng_puts_the_stream_back():
    state = torch.get_rng_state()
    with torch.random.fork_rng():
        torch.rand(1000)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng(enabled=False):
        torch.rand(1)
    assert not torch.equal(torch.get_rng_state(), state)


def test_fork_rng_puts_the_stream_back_after_an_error():
    state = torch.get_rng_state()
    fork = torch.random.fork_rng()
    fork.__enter__()
    torch.rand(1)
    assert not fork.__exit__(KeyError, KeyError(), None)
    assert torch.equal(torch.get_rng_state(), state)


# -- samplers


@pytest.mark.parametrize("count", [2, 3, 10, 200, 511])
def test_both_ways_to_shuffle_agree(count):
    jumps = np.random.default_rng(count).integers(0, np.arange(count, 1, -1))
    turns = samplers._shuffle_in_turn(jumps, count)
    assert turns.tolist() == samplers._shuffle_at_once(jumps, count).tolist()
    assert sorted(turns.tolist()) == list(range(count))


def test_a_rounded_upper_bound_is_not_drawn():
    # All bits set: 1 - 2**-24, which 16-bit types and wide ranges round up to the excluded end.
    class Ones(generators.Generator):
        def words32(self, count):
            return np.full(count, 2**32 - 1, np.uint64)

    source = Ones()
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert torch.rand(2, dtype=dtype, generator=source).max().item() < 1
        assert torch.empty(2, dtype=dtype).uniform_(1, 2, generator=source).tolist() == [1, 1]


# -- in-place writes, out=, devices


def test_a_view_is_filled_in_its_base():
    x = torch.zeros(4, 4)
    x[1:3, 1:3].uniform_(1, 2)
    assert x[0].tolist() == [0, 0, 0, 0]
    assert (x[1:3, 1:3] >= 1).all().item()
    assert x._version == 1


def test_leaves_that_require_grad_are_left_alone():
    leaf = torch.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        leaf.normal_()
    with torch.no_grad():
        assert leaf.normal_() is leaf
    assert leaf.tolist() != [0, 0, 0]


def test_samples_pass_no_gradient_on():
    x = torch.ones(3, requires_grad=True)
    y = (x * 2).exponential_()
    assert y.grad_fn.name() == "ExponentialBackward0"
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_gamma_samples_follow_their_shape_parameter():
    x = torch.full((3,), 2.0, requires_grad=True)
    samples = _standard_gamma(x)
    samples.sum().backward()
    assert (x.grad > 0).all().item()


def test_out_is_resized_and_filled():
    torch.manual_seed(0)
    expected = torch.rand(2, 3)
    torch.manual_seed(0)
    out = torch.empty(0)
    assert torch.rand(2, 3, out=out) is out
    assert torch.equal(out, expected)


def test_meta_tensors_draw_nothing():
    state = torch.get_rng_state()
    assert torch.rand(2, 3, device="meta").shape == (2, 3)
    assert torch.empty(3, device="meta").normal_().device.type == "meta"
    assert torch.equal(torch.get_rng_state(), state)


def test_numbers_from_keys_have_the_same_laws(monkeypatch):
    """What compiled code and accelerators draw from: other numbers, the same distributions."""
    monkeypatch.setattr(generators, "key_source", map(jax.random.key, itertools.count()).__next__)
    n = 20000
    assert abs(torch.rand(n).mean().item() - 0.5) < 0.02
    assert abs(torch.randn(n).var().item() - 1) < 0.05
    assert abs(torch.randn(n, dtype=torch.complex64).abs().pow(2).mean().item() - 1) < 0.05
    assert set(torch.randint(3, 6, (n,)).tolist()) == {3, 4, 5}
    assert sorted(torch.randperm(50).tolist()) == list(range(50))
    assert abs(torch.empty(n).exponential_(2).mean().item() - 0.5) < 0.02
    assert abs(torch.empty(n).bernoulli_(0.3).mean().item() - 0.3) < 0.02
    assert abs(torch.empty(n).geometric_(0.25).mean().item() - 4) < 0.2
    assert abs(torch.empty(n).log_normal_(0, 0.1).log().mean().item()) < 0.02
    assert abs(torch.empty(n).cauchy_(3, 1).sort()[0][n // 2].item() - 3) < 0.1
    assert abs(torch.poisson(torch.full((n,), 4.0)).mean().item() - 4) < 0.1
    assert abs(torch.binomial(torch.full((n,), 10.0), torch.full((n,), 0.3)).mean().item() - 3) < 0.1
    assert abs(_standard_gamma(torch.full((n,), 2.0)).mean().item() - 2) < 0.1
    assert _sample_dirichlet(torch.ones(5, 4)).sum(-1).sub(1).abs().max().item() < 1e-5
    drawn = torch.multinomial(torch.tensor([0.0, 1.0, 3.0]), n, replacement=True)
    assert abs(drawn.eq(2).float().mean().item() - 0.75) < 0.02
    assert sorted(torch.multinomial(torch.ones(6), 6).tolist()) == list(range(6))
    assert abs(torch.normal(torch.full((n,), 3.0), torch.full((n,), 0.1)).mean().item() - 3) < 0.02


def test_a_generator_passed_by_hand_cannot_be_compiled(monkeypatch):
    monkeypatch.setattr(generators, "key_source", lambda: jax.random.key(0))
    with pytest.raises(generators.HostDraw):
        torch.rand(2, generator=torch.Generator())
