"""What modules do in the corners, on real PyTorch and on torchlike: hooks, states, attributes, text, errors."""

from __future__ import annotations

import copy
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch


def outcome(program: Callable[[], Any]) -> Any:
    """What a program returns, or the error it ends with; and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = program()
        except Exception as error:  # noqa: BLE001 - the error is the outcome
            result = (type(error).__name__, str(error))
    told = [(w.category.__name__, str(w.message)) for w in caught]
    return result, [w for w in told if "Lazy modules" not in w[1]]


def plain(value: Any) -> Any:
    if hasattr(value, "storage_offset"):
        return value.detach().tolist()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def both(program: Callable[[Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    outcomes = []
    for library in (torch, torchlike):
        library.manual_seed(0)
        outcomes.append(plain(outcome(lambda library=library: program(library))))
    assert outcomes[1] == outcomes[0]


def attempt(action: Callable[[], Any]) -> str:
    try:
        return repr(plain(action()))
    except Exception as error:  # noqa: BLE001 - the error is the outcome
        # Functions print where they lie in memory, classes the package that they are from.
        text = re.sub(r"<(function|method) .*?>", "<function>", str(error)).replace("torchlike.", "torch.")
        return f"{type(error).__name__}: {text}"


def hooks_everywhere(t: Any) -> Any:
    seen: list[Any] = []
    m = t.nn.modules.module
    handles = [
        m.register_module_forward_pre_hook(lambda mod, a: seen.append(("pre", type(mod).__name__))),
        m.register_module_forward_hook(lambda mod, a, o: seen.append(("post", type(mod).__name__))),
        m.register_module_full_backward_pre_hook(lambda mod, g: seen.append(("bpre", type(mod).__name__))),
        m.register_module_full_backward_hook(lambda mod, gi, go: seen.append(("back", type(mod).__name__))),
        m.register_module_parameter_registration_hook(lambda mod, n, p: seen.append(("param", n))),
        m.register_module_buffer_registration_hook(lambda mod, n, p: seen.append(("buffer", n))),
        m.register_module_module_registration_hook(lambda mod, n, p: seen.append(("module", n))),
    ]
    try:
        net = t.nn.Sequential(t.nn.Linear(2, 2), t.nn.BatchNorm1d(2))
        net(t.randn(3, 2, requires_grad=True)).sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    net(t.randn(3, 2))
    return seen


def hooks_always_called(t: Any) -> Any:
    class Fails(t.nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError("no")

    seen: list[Any] = []
    layer = Fails()
    layer.register_forward_hook(lambda m, a, o: seen.append(("plain", o)))
    layer.register_forward_hook(lambda m, a, o: seen.append(("always", o)), always_call=True)
    named: Callable[..., Any] = lambda m, a, k, o: seen.append(("named", sorted(k), o))  # noqa: E731
    layer.register_forward_hook(named, always_call=True, with_kwargs=True)
    return attempt(lambda: layer(x=1)), seen


def hooks_replace(t: Any) -> Any:
    layer = t.nn.Identity()
    layer.register_forward_pre_hook(lambda m, a: a[0] + 1)
    layer.register_forward_pre_hook(lambda m, a, k: ((a[0] * 2,), k), with_kwargs=True)
    layer.register_forward_hook(lambda m, a, o: o - 0.5)
    layer.register_forward_pre_hook(lambda m, a: (a[0] * 10,), prepend=True)
    found = [layer(t.tensor(1.0)).item()]
    layer.register_forward_pre_hook(lambda m, a, k: 5, with_kwargs=True)
    found.append(attempt(lambda: layer(t.tensor(1.0))))
    return found


def hooks_of_gradients(t: Any) -> Any:
    layer, x = t.nn.Linear(2, 1, bias=False), t.ones(1, 2, requires_grad=True)
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    layer(x).sum().backward()
    wrong = t.nn.Linear(2, 1)
    wrong.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    mixed = t.nn.Linear(2, 1)
    mixed.register_backward_hook(lambda m, gi, go: None)
    return [
        x.grad,
        layer.weight.grad,
        attempt(lambda: wrong(x).sum().backward()),
        attempt(lambda: mixed.register_full_backward_hook(lambda m, gi, go: None)),
    ]


def hooks_without_inputs_that_need_gradients(t: Any) -> Any:
    seen: list[Any] = []
    layer = t.nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0] is None, go[0].tolist())))
    layer(t.ones(1, 2)).sum().backward()
    return seen


def states(t: Any) -> Any:
    class Extra(t.nn.Linear):
        def get_extra_state(self) -> Any:
            return {"a": 1}

        def set_extra_state(self, state: Any) -> None:
            self.got = state

    net = t.nn.Sequential(Extra(1, 1), t.nn.BatchNorm1d(1))
    state = net.state_dict(prefix="p.")
    seen = [list(state), state["p.0._extra_state"], {k: dict(v) for k, v in state._metadata.items()}]
    other = t.nn.Sequential(Extra(1, 1), t.nn.BatchNorm1d(1))
    plain_state = OrderedDict((k.removeprefix("p."), v) for k, v in state.items())
    seen += [str(other.load_state_dict(plain_state)), other[0].got]
    del plain_state["0.weight"]
    plain_state["1.running_mean"] = t.zeros(3)
    plain_state["new"] = t.zeros(1)
    seen += [attempt(lambda s=s: other.load_state_dict(plain_state, strict=s)) for s in (True, False)]
    plain_state["1.running_mean"] = t.zeros(1)
    seen.append(repr(other.load_state_dict(plain_state, strict=False)))
    return seen


def states_assigned(t: Any) -> Any:
    layer = t.nn.Linear(2, 1)
    given = {"weight": t.ones(1, 2, dtype=t.float64), "bias": t.nn.Parameter(t.zeros(1), requires_grad=False)}
    layer.load_state_dict(given, assign=True)
    first = [layer.weight.dtype == t.float64, type(layer.weight).__name__]
    first += [layer.bias is given["bias"], layer.bias.requires_grad]
    layer.load_state_dict({"weight": t.zeros(1, 2), "bias": t.zeros(1)})
    return first, layer.weight.dtype == t.float64, given["weight"]


def states_with_hooks(t: Any) -> Any:
    seen: list[Any] = []
    net = t.nn.Sequential(t.nn.Linear(1, 1))
    net.register_state_dict_pre_hook(lambda m, p, k: seen.append(("save", p, k)))
    net[0].register_state_dict_post_hook(lambda m, s, p, meta: seen.append(("saved", list(s), p)))
    net.register_load_state_dict_pre_hook(lambda m, s, p, *rest: s.update({"0.bias": t.ones(1)}))
    net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    state = net.state_dict()
    loaded = net.load_state_dict({"0.weight": t.ones(1, 1), "x": t.ones(1)}, strict=False)
    return seen, list(state), repr(loaded), net[0].bias


def attributes(t: Any) -> Any:
    m = t.nn.Module()
    m.a = t.nn.Parameter(t.ones(1))
    m.a = None
    seen = [attempt(lambda: setattr(m, "a", t.ones(1))), list(m._parameters)]
    m.b = t.nn.Linear(1, 1)
    m.b = None
    seen += [attempt(lambda: setattr(m, "b", 3)), list(m._modules)]
    m.register_buffer("c", t.ones(1))
    m.c = t.zeros(2)
    seen += [attempt(lambda: setattr(m, "c", 3)), m.c]
    m.d = 5
    m.d = t.nn.Parameter(t.ones(1))
    seen += ["d" in m.__dict__, list(m._parameters)]
    m.c = t.nn.Parameter(t.ones(1))
    seen += [list(m._buffers), list(m._parameters)]
    del m.c
    seen += [attempt(lambda: m.c), attempt(lambda: delattr(m, "nothing"))]
    for name in ("a.b", "", 3, "d", "forward"):
        seen.append(attempt(lambda name=name: m.register_buffer(name, t.ones(1))))
        seen.append(attempt(lambda name=name: m.register_parameter(name, None)))
        seen.append(attempt(lambda name=name: m.add_module(name, None)))
    seen.append(attempt(lambda: m.register_parameter("x", t.nn.Parameter(t.ones(1)) * 2)))
    seen.append(attempt(lambda: m.register_buffer("x", 3)))
    return seen


def before_init(t: Any) -> Any:
    class Late(t.nn.Module):
        def __init__(self, value: Any) -> None:
            self.value = value
            super().__init__()

    return [attempt(lambda v=v: Late(v)) for v in (t.nn.Parameter(t.ones(1)), t.nn.Linear(1, 1))] + [Late(3).training]


def paths(t: Any) -> Any:
    net = t.nn.Sequential(OrderedDict(a=t.nn.Sequential(t.nn.BatchNorm1d(2)), b=t.nn.Linear(2, 2)))
    names = ("", "a", "a.0", "a.1", "a.0.weight", "b.weight", "c", "a.0.running_mean")
    seen = [attempt(lambda n=n: type(net.get_submodule(n)).__name__) for n in names]
    seen += [attempt(lambda n=n: tuple(net.get_parameter(n).shape)) for n in names]
    seen += [attempt(lambda n=n: tuple(net.get_buffer(n).shape)) for n in names]
    seen += [attempt(lambda n=n: net.set_submodule(n, t.nn.ReLU())) for n in ("a.0", "a.9", "x.y", "")]
    seen.append(attempt(lambda: net.set_submodule("zz", t.nn.ReLU(), strict=True)))
    seen.append(attempt(lambda: net.set_submodule("b", 3)))
    return [*seen, repr(net)]


def walks(t: Any) -> Any:
    shared = t.nn.Linear(1, 1)
    net = t.nn.ModuleDict({"x": shared, "y": shared, "n": t.nn.BatchNorm1d(1)})
    return [
        [n for n, _ in net.named_modules()],
        [n for n, _ in net.named_modules(remove_duplicate=False)],
        [n for n, _ in net.named_parameters()],
        [n for n, _ in net.named_parameters(remove_duplicate=False)],
        [n for n, _ in net.named_parameters(prefix="p", recurse=False)],
        [n for n, _ in net.named_buffers("q")],
        [n for n, _ in net.named_children()],
        len(list(net.children())),
        len(list(net.modules())),
        sorted(n for n in dir(shared) if n in ("weight", "bias", "forward", "0")),
    ]


def conversions(t: Any) -> Any:
    net = t.nn.Sequential(t.nn.Linear(1, 1), t.nn.BatchNorm1d(1))
    weight = net[0].weight
    kinds = [str(p.dtype) for p in (*net.half().parameters(), *net.buffers())]
    kinds += [str(net.double()[0].weight.dtype), weight is net[0].weight]
    kinds += [str(net.to(t.float32)[0].weight.dtype), str(net.type(t.float16)[0].weight.dtype)]
    kinds += [attempt(lambda: net.to(t.int32)), attempt(lambda: net.to())]
    kinds.append(attempt(lambda: net.to("cpu", t.float64)[0].weight.dtype))
    kinds.append(attempt(lambda: net.to(t.ones(1))[0].bias.dtype))
    meta = t.nn.Linear(2, 3, device="meta")
    kinds += [attempt(lambda: meta.to("cpu")), tuple(meta.to_empty(device="cpu").weight.shape), meta.weight.is_meta]
    kinds += [net.requires_grad_(False)[0].weight.requires_grad, net.share_memory() is net]
    return kinds


def copies(t: Any) -> Any:
    net = t.nn.Sequential(t.nn.Linear(1, 1), t.nn.ReLU())
    net.extra = {"a": [1]}
    net[0].register_forward_hook(len)
    deep, flat, loaded = copy.deepcopy(net), copy.copy(net), pickle.loads(pickle.dumps(t.nn.Linear(2, 2)))
    deep.extra["a"].append(2)
    flat.other = 1
    return net.extra, hasattr(net, "other"), flat[0] is net[0], len(deep[0]._forward_hooks), repr(loaded)


def containers(t: Any) -> Any:
    nn = t.nn
    ml = nn.ModuleList([nn.ReLU()])
    ml.append(nn.Tanh()).extend([nn.Sigmoid()])
    ml.insert(1, nn.Linear(1, 1))
    seen = [repr(ml), len(ml), repr(ml[1:3]), repr(ml[-1]), nn.Tanh in map(type, ml), repr(ml + [nn.ELU()])]
    popped = ml.pop(0)
    del ml[0]
    ml[0] = nn.GELU()
    seen += [type(popped).__name__, repr(ml), attempt(lambda: ml[9]), attempt(lambda: ml.extend(3))]
    seen += [attempt(lambda: ml["a"]), attempt(lambda: ml(1)), attempt(lambda: ml.append(3))]
    md = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})
    md.update([("c", nn.ELU())])
    seen += [list(md), list(md.keys()), "a" in md, repr(md.pop("b")), len(md), attempt(lambda: md["zz"])]
    seen += [attempt(lambda: md.update(3)), attempt(lambda: md.update([3])), attempt(lambda: md.update([(1, 2, 3)]))]
    md.clear()
    seq = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    seq.append(nn.Tanh()).insert(0, nn.ELU())
    seen += [repr(seq), repr(seq + nn.Sequential(nn.GELU())), repr(seq[1:]), attempt(lambda: seq + 3)]
    seen.append(attempt(lambda: seq.insert(9, nn.ReLU())))
    seen += [repr(seq * 2) == repr(nn.Sequential(*seq, *seq)), attempt(lambda: seq * 0), attempt(lambda: seq * 1.5)]
    seen += [repr(seq.pop(0)), len(seq), attempt(lambda: seq.append(3)), attempt(lambda: seq.extend(3))]
    many = [nn.Linear(1, 1), nn.Linear(1, 1), nn.ReLU(), nn.Sequential(), nn.Sequential()]
    return [*seen, repr(nn.ModuleList(many))]


def parameter_containers(t: Any) -> Any:
    nn = t.nn
    pl = nn.ParameterList([t.zeros(2), nn.Parameter(t.ones(1, 2), requires_grad=False), "text"])
    pl.append(t.ones(()))
    pl += [3.5]
    seen = [repr(pl), len(pl), list(pl.state_dict()), [type(x).__name__ for x in pl], repr(pl[1:3])]
    seen.append(attempt(lambda: pl[9]))
    pl[0] = t.ones(3)
    seen += [pl[0], attempt(lambda: pl(1)), attempt(lambda: pl.extend(t.ones(2))), attempt(lambda: nn.ParameterList(3))]
    pd = nn.ParameterDict({"b": t.zeros(2), "a": nn.Parameter(t.ones(1)), "s": "text"})
    pd["z"] = t.ones(2, 2)
    pd.update({"k": t.ones(1)})
    seen += [repr(pd), list(pd), list(pd.keys()), "a" in pd, pd.setdefault("q", t.zeros(1)), pd.get("none", 5)]
    seen += [list(pd.copy()), list(pd | nn.ParameterDict({"b": t.ones(4)})), pd.popitem()[0], list(reversed(pd))]
    seen += [list(nn.ParameterDict().fromkeys(["u", "v"], t.ones(1))), pd.pop("b"), len(pd), attempt(lambda: pd["zz"])]
    seen += [attempt(lambda: pd.update([3])), list(pd.state_dict()), attempt(lambda: pd.setdefault("n"))]
    seen.append([type(v).__name__ for v in pd.values()])
    return seen


def lazy(t: Any) -> Any:
    nn = t.nn
    net = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d(), nn.ReLU())
    seen = [repr(net), repr(net[0].weight), list(net.state_dict()), net[0].has_uninitialized_params()]
    seen += [attempt(lambda: net[0].weight.shape), attempt(lambda: net[0].weight + 1)]
    seen += [attempt(lambda: copy.deepcopy(net)[0].weight), attempt(lambda: sum(p.numel() for p in net.parameters()))]
    net(t.ones(2, 4))
    seen += [repr(net), tuple(net[0].weight.shape), net[0].weight]
    fresh = nn.LazyLinear(3)
    seen.append(repr(fresh.load_state_dict(net[0].state_dict())))
    seen += [tuple(fresh.weight.shape), attempt(lambda: nn.Linear(2, 3).load_state_dict(nn.LazyLinear(3).state_dict()))]
    return seen


def modes(t: Any) -> Any:
    net = t.nn.Sequential(t.nn.Dropout(0.5), t.nn.BatchNorm1d(2))
    net.eval()
    seen = [net.training, net[0].training, net.train()[1].training, attempt(lambda: net.train("x"))]
    net(t.ones(3, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    seen.append(net[1].weight.grad)
    net.zero_grad()
    order: list[str] = []
    net.apply(lambda m: order.append(type(m).__name__))
    return [*seen, net[1].weight.grad, order]


def text(t: Any) -> Any:
    class Two(t.nn.Module):
        def extra_repr(self) -> str:
            return "first\nsecond"

    net = t.nn.Sequential(Two(), t.nn.Sequential(t.nn.Linear(1, 1), Two()))
    return repr(net), str(t.nn.Module()), repr(t.nn.Sequential())


def calls(t: Any) -> Any:
    class Strict(t.nn.Module):
        def __init__(self, a: int) -> None:
            super().__init__()

    return [
        attempt(lambda: t.nn.Module(1)),
        attempt(lambda: t.nn.Module(x=1)),
        attempt(lambda: t.nn.Module()(1)),
        attempt(lambda: t.nn.ReLU()()),
        attempt(lambda: t.nn.ReLU()(t.ones(1), 2)),
        attempt(lambda: Strict()),
        attempt(lambda: t.nn.Linear(2, 2)(t.ones(3))),
    ]


PROGRAMS = {
    program.__name__: program
    for program in (
        hooks_everywhere,
        hooks_always_called,
        hooks_replace,
        hooks_of_gradients,
        hooks_without_inputs_that_need_gradients,
        states,
        states_assigned,
        states_with_hooks,
        attributes,
        before_init,
        paths,
        walks,
        conversions,
        copies,
        containers,
        parameter_containers,
        lazy,
        modes,
        text,
        calls,
    )
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    both(PROGRAMS[name])
