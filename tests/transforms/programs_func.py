"""Programs of ``torch.func`` and ``torch.vmap``."""

from __future__ import annotations

PROGRAMS: dict[str, str] = {}


def program(name: str, source: str) -> None:
    assert name not in PROGRAMS
    PROGRAMS[name] = source


_X = "x = torch.tensor([0.5, -1.0, 2.0])\nX = torch.arange(6.0).reshape(2, 3) / 3 - 0.7\nW = torch.arange(12.0).reshape(4, 3) / 5 - 1\n"


def lines(name: str, *body: str) -> None:
    program(name, _X + "\n".join(body))


# -- grad and vjp -------------------------------------------------------------------------------------------------------
lines("grad of grad", "f = lambda x: (x ** 3).sum()", "result = grad(lambda x: grad(f)(x).sum())(x)")
lines("third order", "result = grad(grad(grad(torch.sin)))(torch.tensor(0.3))")
lines(
    "no perturbation confusion",
    "result = grad(lambda x: x * grad(lambda y: x + y)(torch.tensor(1.0)))(torch.tensor(1.0))",
)
lines(
    "no perturbation confusion in vjp",
    "result = grad(lambda x: x * vjp(lambda y: x * y, torch.tensor(3.))[1](torch.tensor(1.))[0])(torch.tensor(2.))",
)
lines(
    "no perturbation confusion in jvp",
    "one = torch.tensor(1.)",
    "result = jvp(lambda x: x * jvp(lambda y: x * y, (torch.tensor(3.),), (one,))[1], (torch.tensor(2.),), (one,))",
)
lines(
    "mixed confusion",
    "one = torch.tensor(1.)",
    "result = grad(lambda x: x * jvp(lambda y: x * y, (torch.tensor(3.),), (one,))[1])(torch.tensor(2.))",
    "result = result, jvp(lambda x: x * grad(lambda y: x * y)(torch.tensor(3.)), (torch.tensor(2.),), (one,))",
)
lines(
    "argnums",
    "f = lambda a, b, c: (a * b * c).sum()",
    "result = grad(f, argnums=(0, 2))(x, x + 1, x + 2), grad(f, argnums=-1)(x, x + 1, x + 2)",
)
lines(
    "trees",
    "f = lambda p, x: ((p['w'] @ x + p['b'][0]) ** 2).sum()",
    "result = grad(f)({'w': W, 'b': [torch.ones(4)]}, x)",
)
lines("aux", "result = grad(lambda x: ((x * x).sum(), {'y': x * 2}), has_aux=True)(x)")
lines("grad_and_value", "result = grad_and_value(lambda x: ((x * x).sum(), x * 2), has_aux=True)(x)")
lines("kwargs", "result = grad(lambda x, *, s: (x * s).sum())(x, s=3)")
lines("unused", "result = grad(lambda x, y: y.sum(), argnums=(0, 1))(x, x)")
lines("constant result", "result = grad(lambda x: torch.tensor(3.0))(x)")
lines("inside no_grad", "with torch.no_grad():\n    result = grad(lambda x: (x * x).sum())(x)")
lines(
    "no_grad inside",
    "def f(x):\n    with torch.no_grad():\n        c = x ** 2\n    return (x - c).sum()",
    "result = grad(f)(x)",
)
lines(
    "no_grad between",
    "w = torch.ones(3, requires_grad=True)",
    "with torch.no_grad():\n    result = grad(lambda x: grad(lambda y: (y * y * w * x).sum())(x).sum())(x)",
)
lines("detach inside", "result = grad(lambda x: (x * x.detach()).sum())(x)")
lines(
    "captured leaf",
    "w = torch.ones(3, requires_grad=True)",
    "g = grad(lambda x: (x * x * w).sum())(x)",
    "g.sum().backward()",
    "result = g, w.grad",
)
lines(
    "leaf argument",
    "x.requires_grad_()",
    "g = grad(lambda x: (x ** 3).sum())(x)",
    "g.sum().backward()",
    "result = g, x.grad",
)
lines(
    "value with history",
    "x.requires_grad_()",
    "g, v = grad_and_value(lambda x: (x ** 3).sum())(x)",
    "v.backward()",
    "result = g, v, x.grad",
)
lines(
    "views and writes inside",
    "def f(x):\n    y = x * 2\n    y[1:].mul_(x[:2])\n    y[0] = 7\n    return (y * x).sum()",
    "result = grad(f)(x), grad(lambda x: grad(f)(x).sum())(x)",
)
lines(
    "vjp",
    "out, pull = vjp(lambda x, y: (x.sin(), (x * y).sum()), x, x + 1)",
    "result = out, pull((torch.ones(3), torch.tensor(2.))), pull((x, torch.tensor(0.)))",
)
lines(
    "vjp tree",
    "out, pull = vjp(lambda d: {'a': d['x'] * 2, 'b': [d['x'].sum()]}, {'x': x})",
    "result = out, pull({'a': x, 'b': [torch.tensor(1.)]})",
)
lines("vjp aux", "out, pull, aux = vjp(lambda x: (x.sin(), x), x, has_aux=True)", "result = out, pull(x), aux")
lines("vjp integer output", "vjp(lambda x: x.argmax(), x)")
lines("vjp wrong structure", "vjp(lambda x: x.sin(), x)[1]((x, x))")
lines("vjp wrong shape", "vjp(lambda x: x.sin(), x)[1](X)")
lines("vjp over pullback", "out, pull = vjp(lambda x: x ** 3, x)", "result = grad(lambda v: pull(v)[0].sum())(x)")
lines(
    "complex vjp",
    "z = torch.tensor([1 + 2j, 0.5 - 1j])",
    "out, pull = vjp(lambda z: z * z.conj() * z, z)",
    "result = out, pull(z)",
)
lines("no tensors", "grad(lambda x: x)(3.0)")
lines("not a scalar", "grad(lambda x: x)(x)")
lines("backward inside", "grad(lambda x: x.sum().backward())(x)")
lines("requires_grad_ inside", "grad(lambda x: x.sum().requires_grad_())(x)")
lines("write to the argument", "grad(lambda x: x.mul_(2).sum())(x)")
lines("write to a captured tensor", "c = torch.zeros(3)\ngrad(lambda x: c.mul_(x).sum())(x)")
lines("item inside", "result = grad(lambda x: (x * x.sum().item()).sum())(x)")
lines("branch inside", "result = grad(lambda x: (x * x).sum() if x.sum() > 0 else x.sum())(x)")
lines(
    "printed",
    "def f(x):\n    print(x)\n    return (x * x).sum()",
    "result = grad(f)(x), vmap(grad(f))(X), jvp(f, (x,), (x,))",
)

# -- Jacobians ------------------------------------------------------------------------------------------------------------
lines("jacrev", "result = jacrev(torch.sin)(x), jacrev(lambda x: W @ x)(x), jacrev(lambda x: (x * x).sum())(x)")
lines("jacfwd", "result = jacfwd(torch.sin)(x), jacfwd(lambda x: W @ x)(x), jacfwd(lambda x: (x * x).sum())(x)")
lines("jacrev trees", "result = jacrev(lambda a, b: {'s': a * b, 't': (a.sum(), b)}, argnums=(0, 1))(x, x + 1)")
lines("jacfwd trees", "result = jacfwd(lambda a, b: {'s': a * b, 't': (a.sum(), b)}, argnums=(0, 1))(x, x + 1)")
lines("jacrev chunks", "result = jacrev(lambda x: W @ x, chunk_size=3)(x)")
lines("jacrev wrong chunks", "jacrev(lambda x: W @ x, chunk_size=0)(x)")
lines(
    "jacrev aux",
    "result = jacrev(lambda x: (x.sin(), x), has_aux=True)(x), jacfwd(lambda x: (x.sin(), x), has_aux=True)(x)",
)
lines("jacrev of a dict", "result = jacrev(lambda d: d['a'] * d['b'])({'a': x, 'b': x + 1})")
lines("jacfwd of a dict", "result = jacfwd(lambda d: d['a'] * d['b'])({'a': x, 'b': x + 1})")
lines("hessian", "result = hessian(lambda x: (x ** 3).sum() * x[0])(x)")
lines(
    "hessians agree",
    "f = lambda x: (x.sin() * x.exp()).sum()",
    "result = jacrev(jacrev(f))(x), jacfwd(jacfwd(f))(x), jacrev(jacfwd(f))(x)",
)
lines("hessian of two", "result = hessian(lambda a, b: (a * a * b).sum(), argnums=(0, 1))(x, x + 1)")
lines("batched hessian", "result = vmap(hessian(lambda x: (x ** 3).prod()))(X)")
lines(
    "jacobian with history",
    "x.requires_grad_()",
    "j = jacrev(lambda x: x ** 2)(x)",
    "j.sum().backward()",
    "result = j, x.grad",
)
lines(
    "jacobian of matrices",
    "result = jacrev(lambda A: A @ A)(W[:3]), jacfwd(torch.linalg.inv)(W[:2, :2] + torch.eye(2))",
)
lines("complex jacrev", "jacrev(lambda z: z * 2)(torch.tensor([1 + 1j]))")

# -- jvp ------------------------------------------------------------------------------------------------------------------
lines("jvp", "result = jvp(lambda x, y: (x.sin() * y, y), (x, x + 1), (torch.ones(3), x))")
lines("jvp trees", "result = jvp(lambda d: [d['a'] * d['b']], ({'a': x, 'b': x},), ({'a': x, 'b': torch.ones(3)},))")
lines("jvp of a constant", "result = jvp(lambda x: torch.ones(2), (x,), (x,))")
lines("jvp strict", "jvp(lambda x: torch.ones(2), (x,), (x,), strict=True)")
lines("jvp aux", "result = jvp(lambda x: (x.sin(), x), (x,), (x,), has_aux=True)")
lines(
    "jvp in place",
    "def f(x):\n    y = x.clone()\n    y[0].mul_(3)\n    y.t().add_(x)\n    z = torch.zeros(3)\n    z[1:] = y[:2]\n    return y, z",
    "result = jvp(f, (x,), (torch.ones(3),))",
)
lines("jvp integers", "result = jvp(lambda x: x.argsort(), (x,), (x,))")
lines("grad of jvp", "result = grad(lambda x: jvp(lambda y: (y ** 3).sum(), (x,), (torch.ones(3),))[1])(x)")
lines("jvp of grad", "result = jvp(grad(lambda x: (x ** 3).sum()), (x,), (torch.ones(3),))")
lines(
    "jvp with history",
    "x.requires_grad_()",
    "p, t = jvp(lambda y: y ** 3, (x,), (torch.ones(3),))",
    "(p.sum() + t.sum()).backward()",
    "result = p, t, x.grad",
)
lines(
    "jvp subgradients",
    "z = torch.tensor([0., 0., 1.])",
    "result = [jvp(f, (z,), (torch.ones(3),)) for f in (torch.abs, torch.relu, lambda x: x.clamp(0, 1), torch.sign, lambda x: x.norm(), lambda x: x.max(), lambda x: torch.maximum(x, z * 1), F.leaky_relu, F.hardtanh, F.relu6)]",
)
lines(
    "linearize",
    "out, push = linearize(lambda x, y: x * y, x, x + 1)",
    "result = out, push(torch.ones(3), torch.zeros(3)), push(x, x)",
)
lines("linearize wrong shape", "linearize(torch.sin, x)[1](X)")
lines("linearize wrong structure", "linearize(torch.sin, x)[1](x, x)")

# -- vmap -----------------------------------------------------------------------------------------------------------------
lines(
    "vmap dot",
    "result = vmap(torch.dot)(X, X), vmap(torch.dot, in_dims=(0, None))(X, x), vmap(torch.dot, (1, None))(X, torch.ones(2))",
)
lines("vmap out_dims", "result = vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(X), vmap(lambda x: x, out_dims=-1)(X)")
lines(
    "vmap trees",
    "result = vmap(lambda d, s: {'y': d['a'] * s}, in_dims=({'a': 0}, None), out_dims={'y': 1})({'a': X}, 3)",
)
lines(
    "vmap prefix", "result = vmap(lambda p, x: p['w'] @ x + p['b'], in_dims=(None, 0))({'w': W, 'b': torch.ones(4)}, X)"
)
lines("vmap nested", "result = vmap(vmap(torch.dot, (None, 0)), (0, None))(X, W), vmap(vmap(lambda a, b: a * b))(X, X)")
lines("vmap kwargs", "result = vmap(lambda x, *, y: x + y)(X, y=x)")
lines("vmap unbatched result", "result = vmap(lambda x: torch.ones(2))(X), vmap(lambda a: x)(X)")
lines(
    "vmap chunks",
    "result = vmap(lambda w: w.sin(), chunk_size=3)(W), vmap(lambda w: (w, w.sum()), out_dims=(1, 0), chunk_size=1)(W)",
)
lines("vmap out_dims None", "result = vmap(lambda x: (x, 3), out_dims=(0, None))(X)")
lines("vmap out_dims None of a batch", "vmap(lambda x: x, out_dims=None)(X)")
lines(
    "vmap in place",
    "def f(x):\n    y = x.clone()\n    y[0] = 5\n    y[1:].mul_(x[0])\n    y.add_(1)\n    return y",
    "result = vmap(f)(X)",
)
lines("vmap writes through", "vmap(lambda x: x.mul_(2))(X)", "result = X")
lines("vmap writes through a column", "vmap(lambda x: x[0].fill_(9.), in_dims=1)(X)", "result = X")
lines(
    "vmap views",
    "result = vmap(lambda w: (w.view(2, 2).t(), w.unfold(0, 2, 1), w.expand(2, 4), w[1:3], w[None], w.chunk(2)))(W.t().contiguous())",
)
lines(
    "vmap reductions",
    "result = vmap(lambda w: (w.sum(), w.max(0), w.cumsum(0), w.softmax(0), w.sort(), w.norm(), w.mean(-1, keepdim=True)))(W)",
)
lines("vmap matmul", "result = vmap(lambda w: (W @ w, w @ W.t(), torch.outer(w, w), torch.einsum('i,j->ij', w, x)))(W)")
lines(
    "vmap index",
    "i = torch.tensor([[0, 2], [1, 1]])",
    "result = vmap(lambda x, i: (x[i], x.gather(0, i), x.scatter(0, i, 9.), x.index_add(0, i, x[:2])))(X, i)",
)
lines("vmap where", "result = vmap(lambda x: torch.where(x > 0, x, -x).clamp(max=1))(X)")
lines("vmap conv", "result = vmap(lambda k: F.conv1d(X[None].reshape(1, 1, 6), k.reshape(1, 1, 3)))(W)")
lines("vmap numbers", "result = vmap(lambda x: 2 - x ** 2 / 3)(X)")
lines("vmap dtypes", "result = vmap(lambda x: (x.long(), x.double() + 1, x > 0, torch.arange(3) + x))(X)")
lines("vmap shape", "result = vmap(lambda x: x * x.shape[0] + x.dim() + len(x) + x.numel())(X)")
lines(
    "vmap linalg",
    "A = W[:4, :2].reshape(2, 2, 2) + torch.eye(2)",
    "result = vmap(torch.linalg.det)(A), vmap(torch.linalg.solve)(A, X[:, :2]), vmap(torch.linalg.inv)(A)",
)
lines(
    "vmap captured leaf",
    "w = torch.ones(3, requires_grad=True)",
    "y = vmap(lambda x: (x * w).sum())(X)",
    "y.sum().backward()",
    "result = y, w.grad",
)
lines(
    "vmap leaf",
    "X.requires_grad_()",
    "y = vmap(lambda x: x.sin().sum())(X)",
    "y.sum().backward()",
    "result = y, X.grad",
)
lines(
    "vmap no_grad inside",
    "X.requires_grad_()",
    "def f(x):\n    with torch.no_grad():\n        y = x * 2\n    return y * x",
    "y = vmap(f)(X)",
    "y.sum().backward()",
    "result = X.grad",
)
lines(
    "vmap detach inside",
    "X.requires_grad_()",
    "y = vmap(lambda x: x * x.detach())(X)",
    "y.sum().backward()",
    "result = X.grad",
)
lines(
    "vmap of autograd.grad",
    "x.requires_grad_()",
    "y = x ** 2",
    "result = vmap(lambda v: torch.autograd.grad(y, x, v)[0])(torch.eye(3))",
)
lines(
    "per-sample gradients",
    "f = lambda w, x, t: ((w @ x - t) ** 2).sum()",
    "result = vmap(grad(f), in_dims=(None, 0, 0))(W, X, torch.ones(2, 4))",
)
lines(
    "per-sample gradients with history",
    "W.requires_grad_()",
    "f = lambda w, x: ((w @ x) ** 2).sum()",
    "g = vmap(grad(f), in_dims=(None, 0))(W, X)",
    "g.sum().backward()",
    "result = g, W.grad",
)
lines("grad of vmap", "result = grad(lambda W: vmap(lambda w: (w * w).sum().sin())(W).sum())(W)")
lines("grad of vmap of grad", "result = grad(lambda W: vmap(grad(lambda w: (w ** 3).sum()))(W).sum())(W)")
lines(
    "vmap of grad of vmap",
    "result = vmap(grad(lambda x: vmap(lambda s: (s * x).sum() ** 2)(torch.arange(2.)).sum()))(X)",
)
lines("jvp of vmap", "result = jvp(vmap(lambda x: x.sin().sum()), (X,), (torch.ones(2, 3),))")
lines("vmap of jvp", "result = vmap(lambda x, t: jvp(lambda y: y ** 3, (x,), (t,)))(X, X)")
lines(
    "vmap of jvp, tangents only", "result = vmap(lambda t: jvp(lambda y: (y ** 3).sum(), (x,), (t,))[1])(torch.eye(3))"
)
lines("vmap of vjp", "result = vmap(lambda x, v: vjp(torch.sin, x)[1](v)[0])(X, X)")
lines(
    "everything nested",
    "f = lambda w: (w.sin() * w).sum()",
    "result = vmap(jacfwd(grad(f)))(X), grad(lambda X: vmap(lambda x: jvp(grad(f), (x,), (x,))[1].sum())(X).sum())(X)",
)
lines("vmap escaping", "kept = []", "vmap(lambda x: kept.append(x) or x)(X)", "result = len(kept)")
lines(
    "vmap module",
    "m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))",
    "result = vmap(m)(X).shape, (vmap(m)(X) - m(X)).abs().max() < 1e-6",
)

# -- errors of vmap ---------------------------------------------------------------------------------------------------------
lines("vmap nothing", "vmap(lambda: 3)()")
lines("vmap no batch", "vmap(lambda x: x, in_dims=None)(X)")
lines("vmap wrong in_dims", "vmap(lambda x: x, in_dims=[0])(X)")
lines("vmap in_dims structure", "vmap(lambda x, y: x, in_dims=(0,))(X, X)")
lines("vmap in_dims nested structure", "vmap(lambda x, y: x, in_dims=(0, {'a': 0}))(X, [X])")
lines("vmap in_dims type", "vmap(lambda x: x, in_dims=('a',))(X)")
lines("vmap number with in_dims", "vmap(lambda x, y: x)(X, 3)")
lines("vmap in_dims range", "vmap(lambda x: x, in_dims=2)(X)")
lines("vmap sizes", "vmap(torch.dot)(X, W)")
lines("vmap out_dims type", "vmap(lambda x: x, out_dims='a')(X)")
lines("vmap out_dims structure", "vmap(lambda x: x, out_dims=(0, 0))(X)")
lines("vmap out_dims structure of a tuple", "vmap(lambda x: (x, x), out_dims=(0,))(X)")
lines("vmap out_dims range", "vmap(lambda x: x, out_dims=3)(X)")
lines("vmap of a number", "vmap(lambda x: 3)(X)")
lines("vmap randomness", "vmap(lambda x: x, randomness='foo')(X)")
lines("vmap wrong chunk size", "vmap(lambda x: x, chunk_size=0)(X)")
lines("vmap item", "vmap(lambda x: x.sum().item())(X)")
lines("vmap branch", "vmap(lambda x: x if x.sum() > 0 else -x)(X)")
lines("vmap nonzero", "vmap(lambda x: x.nonzero())(X)")
lines("vmap mask", "vmap(lambda x: x[x > 0])(X)")
lines("vmap numpy", "vmap(lambda x: x.numpy())(X)")
lines("vmap copy into a captured tensor", "c = torch.zeros(3)\nvmap(lambda x: c.copy_(x))(X)")
lines("vmap setitem of a captured tensor", "c = torch.zeros(3)\ndef f(x):\n    c[0] = x[0]\n    return c\nvmap(f)(X)")
lines("vmap add to a captured tensor", "c = torch.zeros(3)\nvmap(lambda x: c.add_(x))(X)")
lines("vmap add to a new tensor", "vmap(lambda x: torch.zeros(3).add_(x))(X)")
lines("vmap backward", "vmap(lambda x: x.sum().backward())(X.requires_grad_())")
lines("vmap requires_grad_", "vmap(lambda x: x.requires_grad_())(X)")

# -- randomness ---------------------------------------------------------------------------------------------------------------
lines("vmap random error", "vmap(lambda x: x + torch.rand(3))(X)")
lines("vmap random same", "result = vmap(lambda x: x + torch.rand(3), randomness='same')(X)")
lines("vmap random different", "result = vmap(lambda x: x + torch.randn(3), randomness='different')(X)")
lines("vmap dropout error", "vmap(lambda x: F.dropout(x))(X)")
lines("vmap dropout same", "result = vmap(lambda x: F.dropout(x + 1), randomness='same')(X)")
lines("vmap dropout different", "result = vmap(lambda x: F.dropout(x + 1), randomness='different')(X)")
lines("vmap bernoulli", "result = vmap(lambda x: torch.bernoulli(x.sigmoid()), randomness='different')(X)")
lines("vmap bernoulli same", "vmap(lambda x: torch.bernoulli(x.sigmoid()), randomness='same')(X)")
lines("vmap fill different", "result = vmap(lambda x: x.clone().uniform_(), randomness='different')(X)")
lines("vmap fill of a captured tensor", "vmap(lambda x: torch.zeros(3).normal_() + x, randomness='different')(X)")
lines("vmap randperm", "result = vmap(lambda x: x[torch.randperm(3)], randomness='different')(X)")
lines("vmap multinomial", "result = vmap(lambda x: x.abs().multinomial(2), randomness='different')(X)")
lines(
    "vmap random nested",
    "result = vmap(vmap(lambda x: x * 0 + torch.rand(()), randomness='different'), randomness='same')(X)",
)

# -- modules --------------------------------------------------------------------------------------------------------------------
_M = ("m = nn.Linear(3, 2)", "p = {k: v * 0 + i for i, (k, v) in enumerate(m.named_parameters())}")
lines(
    "functional_call",
    *_M,
    "result = functional_call(m, p, x), functional_call(m, p, (x,), {}), functional_call(m, (p, {}), x), functional_call(m, {'bias': p['bias']}, x)",
)
lines("functional_call gradients", *_M, "result = grad(lambda p: functional_call(m, p, x).sum())(p), m.weight.grad")
lines("functional_call strict", *_M, "functional_call(m, {'weight': p['weight'], 'foo': x}, x, strict=True)")
lines("functional_call twice", *_M, "functional_call(m, (p, p), x)")
lines("functional_call type", *_M, "functional_call(m, 3, x)")
lines("functional_call types", *_M, "functional_call(m, (3,), x)")
_T = (
    "class T(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Parameter(torch.ones(()))\n        self.b = self.a\n        self.register_buffer('n', torch.zeros(()))\n    def forward(self, x):\n        self.n = self.n + 1\n        return x + self.a + self.b + self.n",
    "t = T()",
)
lines(
    "functional_call tied",
    *_T,
    "result = functional_call(t, {'a': torch.zeros(())}, x), functional_call(t, {'a': torch.zeros(())}, x, tie_weights=False), t(x), t.n",
)
lines("functional_call tied twice", *_T, "functional_call(t, {'a': torch.zeros(()), 'b': torch.ones(())}, x)")
lines("functional_call buffers", *_T, "d = {'n': torch.ones(()) * 5}", "result = functional_call(t, d, x), d, t.n")
lines(
    "stack_module_state",
    "ms = [nn.Linear(3, 2) for _ in range(3)]",
    "p, b = stack_module_state(ms)",
    "base = nn.Linear(3, 2)",
    "result = p, b, vmap(lambda p, x: functional_call(base, p, x), in_dims=(0, None))(p, X)",
)
lines("stack_module_state of nothing", "stack_module_state([])")
lines("stack_module_state classes", "stack_module_state([nn.Linear(1, 1), nn.Tanh()])")
lines("stack_module_state modes", "stack_module_state([nn.Linear(1, 1), nn.Linear(1, 1).eval()])")
lines(
    "ensemble gradients",
    "ms = [nn.Linear(3, 2) for _ in range(3)]",
    "p, b = stack_module_state(ms)",
    "loss = lambda p: functional_call(ms[0], p, X).square().sum()",
    "g = vmap(grad(loss))(p)",
    "result = g, vmap(jacrev(lambda p: functional_call(ms[0], p, x)))(p)",
)
lines(
    "per-sample gradients of a network",
    "p = {'k': torch.rand(2, 1, 3, 3), 'w': torch.rand(3, 8)}",
    "I, t = torch.rand(4, 1, 4, 4), torch.tensor([0, 1, 2, 0])",
    "net = lambda p, x: F.linear(F.conv2d(x, p['k']).relu().flatten(1), p['w'])",
    "f = lambda p, i, t: F.cross_entropy(net(p, i[None]), t[None])",
    "result = vmap(grad(f), (None, 0, 0))(p, I, t)",
)
lines(
    "batch norm without statistics",
    "m = nn.BatchNorm1d(3, track_running_stats=False)",
    "result = vmap(lambda w: functional_call(m, {'weight': w}, X))(W[:, :3])",
)
lines(
    "functionalize",
    "def f(x):\n    y = x.clone()\n    y.view(-1).add_(1)\n    return y",
    "result = functionalize(f)(X), functionalize(f, remove='mutations_and_views')(X)",
)
lines("functionalize remove", "functionalize(lambda x: x, remove='foo')")
