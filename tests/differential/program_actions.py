"""More actions of the random programs: element types, shapes in place, indexed writes, memory, hooks, many outputs."""

from __future__ import annotations

import copy
import importlib
from typing import Any

from tests.differential.programs import Side, action, actions

__all__ = ["actions"]


def _floating(s: Side, x: Any) -> Any:
    if not x.dtype.is_floating_point:
        raise ValueError("not real")
    return x


def _index(s: Side, x: Any, c: int) -> Any:
    if not x.dim() or not x.shape[0]:
        raise ValueError("no dimension")
    return s.torch.tensor([c % x.shape[0], (c + 1) % x.shape[0]])


# -- element types ----------------------------------------------------------------------------------------------------


@action
def convert(s: Side, a: int, b: int, c: int) -> Any:
    t = s.torch
    return s.pick(a).to((t.float64, t.float32, t.int64, t.float16, t.bool, t.float32)[b % 6])


@action
def convert_as(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).to(s.pick(b)) if c % 2 else s.pick(a).type_as(s.pick(b))


@action
def mixed(s: Side, a: int, b: int, c: int) -> Any:
    x, y = s.pick(a), s.pick(b)
    return (x + y, x * y, x > y, x == y, s.torch.where(x > 0, x, y), s.torch.maximum(x, y))[c % 6]


@action
def write_mixed(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    return (x.add_, x.mul_, x.sub_, x.copy_)[c % 4](s.pick(b).to(s.torch.float64))


# -- shapes -----------------------------------------------------------------------------------------------------------


@action
def shape_in_place(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    choice = b % 6
    if choice == 0:
        return x.t_()
    if choice == 1:
        return x.unsqueeze_(c % 2)
    if choice == 2:
        return x.squeeze_()
    if choice == 3:
        return x.transpose_(0, -1)
    if choice == 4:
        return x.swapdims_(0, c % 2)
    return x.as_strided_((2,), (1,))


@action
def more_views(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    choice = (b * 8 + c) % 12
    if choice == 0:
        return x.permute(*reversed(range(x.dim())))
    if choice == 1:
        return x.flatten()
    if choice == 2:
        return x.ravel()
    if choice == 3:
        return x.mT
    if choice == 4:
        return x.view_as(s.other(x, b))
    if choice == 5:
        return x.expand_as(s.torch.empty((2, *x.shape)))
    if choice == 6:
        return x.unflatten(0, (-1, 1))
    if choice == 7:
        return x[None, ..., None]
    if choice == 8:
        return x[::2]
    if choice == 9:
        return x[..., -1:]
    if choice == 10:
        return x.view(x.dtype)
    return x.swapaxes(0, -1)


@action
def parts(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    choice = b % 5
    if choice == 0:
        return x.tensor_split(2)[c % 2]
    if choice == 1:
        return x.split([1, 1])[c % 2]
    if choice == 2:
        return x.hsplit(1)[0]
    if choice == 3:
        return s.torch.unbind(x, -1)[c % 2]
    return x.unsafe_chunk(2)[c % 2]


@action
def copies(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    choice = (b * 8 + c) % 10
    if choice == 0:
        return x.flip(0)
    if choice == 1:
        return x.roll(1, 0)
    if choice == 2:
        return x.repeat(2, *(1,) * x.dim())
    if choice == 3:
        return x.cumsum(0)
    if choice == 4:
        return x.tril()
    if choice == 5:
        return x.index_select(0, _index(s, x, c))
    if choice == 6:
        return x.narrow_copy(0, 0, 1)
    if choice == 7:
        return x.repeat_interleave(2, 0)
    if choice == 8:
        return s.torch.zeros_like(x)
    return x.new_ones(x.shape)


@action
def many_outputs(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    if x.numel() == 0:
        raise ValueError("empty")
    if b % 4 == 0:
        return x.max(0)[c % 2]
    if b % 4 == 1:
        return x.sort(dim=-1, stable=True)[c % 2]
    if b % 4 == 2:
        return s.torch.aminmax(x)[c % 2]
    return _floating(s, x).cummax(0)[c % 2]


# -- writes -----------------------------------------------------------------------------------------------------------


@action
def indexed_write(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    if 0 in x.stride():
        raise ValueError("expanded")
    index = _index(s, x, c)
    choice = b % 6
    if choice == 0:
        return x.index_fill_(0, index, 2)
    if choice == 1:
        return x.index_add_(0, index, s.torch.ones((2, *x.shape[1:]), dtype=x.dtype), alpha=2)
    if choice == 2:
        return x.index_copy_(0, index, s.torch.ones((2, *x.shape[1:]), dtype=x.dtype))
    if choice == 3:
        return x.index_put_((index,), s.pick(c).sum().to(x.dtype), accumulate=c % 2 == 1)
    if choice == 4:
        return x.put_(s.torch.tensor([0]), s.torch.ones(1, dtype=x.dtype))
    return x.scatter_(0, s.torch.zeros((1,) * x.dim(), dtype=s.torch.int64), 3)


@action
def more_items(s: Side, a: int, b: int, c: int) -> None:
    x = s.target(a)
    if 0 in x.stride():
        raise ValueError("expanded")
    choice = b % 7
    if choice == 0:
        x[..., 0] = s.pick(c).sum()
    elif choice == 1:
        x[::2] *= 2
    elif choice == 2:
        x[0] += 1
    elif choice == 3:
        x[None] = s.other(x, c).clone()
    elif choice == 4:
        x[s.torch.tensor([0, 0])] = 4.0
    elif choice == 5:
        x[-1] = s.pick(c)
    else:
        x[x != x] = 1


@action
def more_writes(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    y = s.other(x, c)
    choice = (b * 8 + c) % 12
    if choice == 0:
        return x.clamp_(-1, 1)
    if choice == 1:
        return x.pow_(2)
    if choice == 2:
        return x.div_(2)
    if choice == 3:
        return x.addcmul_(y, y, value=2)
    if choice == 4:
        return x.lerp_(y, 0.5)
    if choice == 5:
        return x.masked_scatter_(x > 0, s.torch.zeros(x.numel() + 1, dtype=x.dtype))
    if choice == 6:
        return x.abs_()
    if choice == 7:
        return x.sqrt_() if x.dtype.is_floating_point and bool((x.detach() > 0).all()) else x.sin_()
    if choice == 8:
        return x.triu_()
    if choice == 9:
        return x.detach().logical_not_()  # PyTorch lets a leaf be overwritten by this one
    if choice == 10:
        return x.floor_()
    return x.fill_diagonal_(1)


@action
def operators(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    y = s.other(x, c)
    choice = b % 5
    if choice == 0:
        x += y
    elif choice == 1:
        x *= 2
    elif choice == 2:
        x -= 1
    elif choice == 3:
        x /= 2
    else:
        x **= 2
    return x


@action
def more_out(s: Side, a: int, b: int, c: int) -> Any:
    x, y = s.target(a), s.pick(b)
    return (s.torch.exp, s.torch.neg, s.torch.floor)[c % 3](y, out=x)


# -- memory -----------------------------------------------------------------------------------------------------------


@action
def write_data(s: Side, a: int, b: int, c: int) -> None:
    x = s.target(a)
    (x.data if b % 2 else x.detach()).add_(1)


@action
def set_strided(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a).detach()
    y = s.pick(b)
    if y.untyped_storage().nbytes() - y.storage_offset() * y.element_size() < 2 * x.element_size():
        raise ValueError("new memory has any values")
    return x.set_(y, 0, (2,), (1,))


@action
def set_storage(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a).detach()
    y = s.pick(b)
    if x.dtype != y.dtype:
        raise ValueError("other elements")
    return x.set_(y.untyped_storage())


@action
def write_bytes(s: Side, a: int, b: int, c: int) -> None:
    s.pick(a).untyped_storage().fill_(0)


@action
def copied(s: Side, a: int, b: int, c: int) -> Any:
    return copy.deepcopy(s.pick(a))


@action
def swap_data(s: Side, a: int, b: int, c: int) -> None:
    x = s.pick(a)
    x.data = x.data.clone()


# -- hooks ------------------------------------------------------------------------------------------------------------


@action
def after_hook(s: Side, a: int, b: int, c: int) -> None:
    s.pick(a).register_post_accumulate_grad_hook(lambda t: t.grad.mul_(2) if b % 2 else None)


@action
def result_hook(s: Side, a: int, b: int, c: int) -> None:
    node = s.pick(a).grad_fn
    if node is not None:
        node.register_hook(lambda inputs, _: tuple(None if g is None else g * 2 for g in inputs))


@action
def saved_hook(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    with s.torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone() if b % 2 else t, lambda t: t * 2):
        return (x * s.other(x, c), x.exp(), x.tanh(), x.sin())[c % 4]


@action
def differentiated(s: Side, a: int, b: int, c: int) -> Any:
    x = _floating(s, s.pick(a))
    y = (x**3).sum()
    (found,) = s.torch.autograd.grad(y, x, create_graph=True)
    (second,) = s.torch.autograd.grad((found * 1).sum(), x)
    return second.clone(memory_format=s.torch.contiguous_format)


# -- checkpoint and views of views ------------------------------------------------------------------------------------


@action
def checkpointed(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    checkpoint = importlib.import_module(f"{s.torch.__name__}.utils.checkpoint").checkpoint
    y = s.other(x, b)
    function = (lambda x, y: (x * y).sin(), lambda x, y: x.tanh() + y, lambda x, y: x.t() * 2)[c % 3]
    return checkpoint(function, x, y, use_reentrant=False)


@action
def nested_views(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    if x.dim() < 2:
        return x[None].expand(1, *x.shape).squeeze(0)[..., c % 2 :]
    return (x.t()[b % 2 :].t(), x.transpose(0, -1)[0][None], x[None].flatten(0, 1)[c % 2], x.T.narrow(0, 0, 1).mT)[
        b % 4
    ]
