"""nn.init: PyTorch's weights for a seed, its warnings and its refusals."""

import math

import pytest
import random_cases as cases
from recorded_random import RECORD, report

import torchlike as torch
import torchlike.nn.init as init


@pytest.mark.parametrize("name", cases.INITIALIZERS)
@pytest.mark.filterwarnings("ignore:mean is more than 2 std")
def test_initializers_give_the_recorded_weights(name):
    # The orthogonal matrix comes from a factorization, which every library rounds in its own way.
    allowed = 5e-6 if name == "orthogonal_" else 0.0
    report((call for call in RECORD["initializers"] if f".{name}(" in call), "initializers", allowed)


def test_refusals_have_pytorchs_words():
    report((call for call in RECORD["refused"] if "nn.init" in call), "refused")


def test_gains():
    assert (
        init.calculate_gain("linear") == init.calculate_gain("conv_transpose3d") == init.calculate_gain("sigmoid") == 1
    )
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    assert init.calculate_gain("selu") == 0.75


def test_parameters_are_filled_without_a_record():
    weight = torch.ones(2, 3, requires_grad=True)
    assert init.kaiming_uniform_(weight) is weight
    assert weight.grad_fn is None
    assert weight._version == 1


def test_nothing_to_fill_warns():
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        init.kaiming_uniform_(torch.empty(0, 3))


def test_a_mean_far_outside_warns():
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        x = init.trunc_normal_(torch.empty(50), 0, 1, 3, 4)
    assert ((x >= 3) & (x <= 4)).all().item()


@pytest.mark.parametrize(
    "old", ["uniform", "normal", "eye", "xavier_uniform", "xavier_normal", "kaiming_uniform", "orthogonal"]
)
def test_names_of_old_warn_and_do_the_same(old):
    torch.manual_seed(0)
    expected = getattr(init, old + "_")(torch.empty(3, 4))
    torch.manual_seed(0)
    with pytest.warns(FutureWarning, match=f"`nn.init.{old}` is now deprecated in favor of `nn.init.{old}_`."):
        assert torch.equal(getattr(init, old)(torch.empty(3, 4)), expected)


def test_rows_are_orthonormal():
    w = init.orthogonal_(torch.empty(3, 5, dtype=torch.float64), gain=2)
    assert torch.allclose(w @ w.t(), 4 * torch.eye(3, dtype=torch.float64))


def test_a_generator_passed_by_hand_is_drawn_from():
    own = torch.Generator().manual_seed(3)
    state = torch.get_rng_state()
    first = init.xavier_normal_(torch.empty(3, 4), generator=own)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, init.xavier_normal_(torch.empty(3, 4), generator=own.manual_seed(3)))
