"""Operators that read and write by indices and masks."""

from opcases.case import case

# In these, i is an index of rows, e one of elements (as large as x at most), m a mask.
_INDEX = {
    "i": "torch.tensor([1, 0])",
    "rows": "torch.tensor([1, 0, 1])",
    "e": "torch.tensor([[0, 1, 0]])",
    "w": "torch.tensor([[2, 0], [1, 1]])",
    "m": "torch.tensor([[True, False, True], [False, False, True]])",
    "row": "torch.tensor([True, False, True])",
    "src": "values(3, 3, seed=3)",
    "one": "values(1, seed=4).reshape(())",
}
_BAD_INDEX = "torch.tensor([0, 5])"


def _case(name: str, *samples: str, **options: object):
    return case(name, *samples, inputs=_INDEX, **options)


CASES = [
    _case(
        "gather",
        "x, 0, e",
        "x, 1, w",
        "x, -1, w.int()",
        "x, 1, w[:, :0]",
        "x, 0, e, sparse_grad=False",
        "one, 0, torch.tensor([0, 0])",
        "x.t(), 0, e.t() * 0",
        bad=(
            "torch.gather(x, 0, i)",
            "torch.gather(x, 1, w + 1)",
            "torch.gather(x, 1, w - 1)",
            "torch.gather(x, 1, w.float())",
            "torch.gather(x, 1, torch.zeros(3, 1, dtype=torch.int64))",
            "torch.gather(x, 2, w)",
        ),
    ),
    _case(
        "scatter",
        "x, 0, e, y[:1]",
        "x, 1, w, y[:, :2]",
        "x, 1, w, 2",
        "x, 1, w, value=2.5",
        "x, 0, e, y[:1], reduce='add'",
        "x, 0, e, y[:1], reduce='multiply'",
        "x, 0, e, 3, reduce='add'",
        "one, 0, torch.tensor([0]), 1",
        "x.t(), 0, w.t() % 2, y[:, :2]",
        bad=(
            "torch.scatter(x, 0, e, values(1, 2))",
            "torch.scatter(x, 1, w + 1, src)",
            "torch.scatter(x, 0, i, src)",
            "torch.scatter(x, 0, e, src, reduce='mean')",
            "torch.scatter(x, 0, e, src.double() if dtype != torch.float64 else src.float())",
            "torch.scatter(x, 0, e)",
        ),
    ),
    _case("scatter_add", "x, 0, e, y[:1]", "x, 1, w, y[:, :2]", "x, 0, torch.zeros(3, 3, dtype=torch.int64), src"),
    *[
        _case(
            "scatter_reduce",
            *[
                f"x, 0, {index}, '{kind}', include_self={own}"
                for kind in ("sum", "prod", "mean", "amax", "amin")
                for own in (True, False)
                for index in ("e, y[:1]", "torch.zeros(3, 3, dtype=torch.int64), src")
            ],
            bad=("torch.scatter_reduce(x, 0, e, src, 'median')", "torch.scatter_reduce(x, 0, e + 2, src, 'sum')"),
        )
    ],
    _case(
        "index_select",
        "x, 0, i",
        "x, 1, torch.tensor([2, 2, 0, 1])",
        "x, -1, torch.tensor(1)",
        "x, 0, i[:0]",
        "one, 0, torch.tensor([0])",
        bad=(
            f"torch.index_select(x, 0, {_BAD_INDEX})",
            "torch.index_select(x, 0, -i)",
            "torch.index_select(x, 0, e)",
            "torch.index_select(x, 0, i.float())",
            "torch.index_select(x, 3, i)",
        ),
    ),
    _case(
        "index_add",
        "x, 0, i, y",
        "x, 0, rows, src",
        "x, 0, rows.int(), src, alpha=2",
        "x, 1, rows, values(2, 3, seed=5)",
        "x, 0, rows[:0], src[:0]",
        "one, 0, torch.tensor(0), values(1, seed=5).reshape(())",
        bad=(
            f"torch.index_add(x, 0, {_BAD_INDEX}, y)",
            "torch.index_add(x, 0, rows, y)",
            "torch.index_add(x, 0, e, y)",
            "torch.index_add(x, 0, i, y[:, :2])",
            "torch.index_add(x, 0, i.float(), y)",
        ),
    ),
    _case(
        "index_copy",
        "x, 0, i, y",
        "x, 1, torch.tensor([2, 0]), values(2, 2)",
        "x, 0, i[:0], y[:0]",
        "one, 0, torch.tensor([0]), values(1)",
        bad=(
            f"torch.index_copy(x, 0, {_BAD_INDEX}, y)",
            "torch.index_copy(x, 0, rows, y)",
            "torch.index_copy(x, 0, e, y)",
            "torch.index_copy(x, 0, i.int(), y)",
            "torch.index_copy(x, 0, i, y[:, :2])",
        ),
    ),
    _case(
        "index_fill",
        "x, 0, i, 2",
        "x, 1, torch.tensor([0, -1]), 1",
        "x, 1, torch.tensor([0, 2]), one",
        "x, 1, torch.tensor(1), 0",
        "x, 0, i[:0], 2",
        bad=(
            f"torch.index_fill(x, 0, {_BAD_INDEX}, 1)",
            "torch.index_fill(x, 0, i.int(), 1)",
            "torch.index_fill(x, 0, e, 1)",
            "torch.index_fill(x, 0, i, values(1))",
            "torch.index_fill(x, 0, i, 1j)",
        ),
    ),
    _case(
        "index_put",
        "x, (i,), y",
        "x, (i, i), values(2)",
        "x, (m,), values(3)",
        "x, (i, torch.tensor([[0], [2]])), one",
        "x, (rows, rows), values(3), True",
        "x, [torch.tensor([-1])], values(3), accumulate=True",
        "x, (row[:2],), one",
        bad=(
            f"torch.index_put(x, ({_BAD_INDEX},), y)",
            "torch.index_put(x, (i,), values(3, 3))",
            "torch.index_put(x, i, y)",
            "torch.index_put(x, (i, rows), y)",
            "torch.index_put(x, (row,), one)",
            "torch.index_put(x, (i.float(),), y)",
        ),
    ),
    _case(
        "index_reduce",
        *[
            f"x, {dim}, rows, {source}, '{kind}', include_self={own}"
            for kind in ("prod", "mean", "amax", "amin")
            for own in (True, False)
            for dim, source in ((0, "src"), (1, "values(2, 3, seed=5)"))
        ],
        bad=(
            "torch.index_reduce(x, 0, rows, src, 'sum')",
            f"torch.index_reduce(x, 0, {_BAD_INDEX}, y, 'prod')",
            "torch.index_reduce(x, 0, i, src, 'prod')",
        ),
    ),
    _case(
        "take",
        "x, torch.tensor([[0, 5], [-1, -6]])",
        "x, torch.tensor(2)",
        "x.t(), i",
        "x, i[:0]",
        bad=("torch.take(x, torch.tensor([6]))", "torch.take(x, torch.tensor([-7]))", "torch.take(x, i.int())"),
    ),
    _case(
        "put",
        "x, torch.tensor([0, 5, -2]), values(3)",
        "x, torch.tensor([0, 0]), values(2), True",
        "x, i[:0], values(0)",
        bad=(
            "torch.put(x, torch.tensor([6]), values(1))",
            "torch.put(x, i, values(3))",
            "torch.put(x, i.int(), values(2))",
        ),
    ),
    _case(
        "take_along_dim",
        "x, w, 1",
        "x, torch.tensor([[1]]), dim=1",
        "x, torch.tensor([0, 5])",
        "x, torch.tensor([[-1, 4]]), 1",
        "x, torch.argmax(values(2, 3, dtype=torch.float32), dim=1, keepdim=True), 1",
        bad=(
            "torch.take_along_dim(x, i, 1)",
            "torch.take_along_dim(x, w.int(), 1)",
            "torch.take_along_dim(x, torch.zeros(3, 1, dtype=torch.int64), 1)",
            "torch.take_along_dim(x, torch.tensor([6]))",
        ),
    ),
    _case(
        "masked_fill",
        "x, m, 2",
        "x, row, one",
        "x[0], m, 1",
        "x.t(), m.t(), 0",
        "x, m, True",
        bad=(
            "torch.masked_fill(x, i, 1)",
            "torch.masked_fill(x, row[:2], 1)",
            "torch.masked_fill(x, m, values(1))",
            "torch.masked_fill(x, m, 1j)",
            "x[0].masked_fill_(m, 1)",
        ),
    ),
    _case(
        "masked_scatter",
        "x, m, src",
        "x, row, src",
        "x[0], m, src",
        "x, m & False, src[:0]",
        bad=(
            "torch.masked_scatter(x, m, values(2))",
            "torch.masked_scatter(x, m.int(), src)",
            "torch.masked_scatter(x, row[:2], src)",
            "x[0].masked_scatter_(m, src)",
        ),
    ),
    _case(
        "masked_select",
        "x, m",
        "x, row",
        "x[:, :1], m",
        "x, m & False",
        "one, torch.tensor(True)",
        bad=("torch.masked_select(x, row[:2])", "torch.masked_select(x, m.int())"),
    ),
    _case(
        "where",
        "m, x, y",
        "m, x, 2.5",
        "m, 1, x",
        "row, x, one",
        "m, x, y if dtype.is_complex else y.double()",
        "m, 1, 0.5",
        "m",
        "x > 0 if not dtype.is_complex else m",
        bad=("torch.where(i, x, y)", "torch.where(m, x)", "torch.where(row[:2], x, y)", "torch.where(True, x, y)"),
    ),
    _case("nonzero", "x", "special()", "one", "x[:0]", "x, as_tuple=True", "one, as_tuple=True", "x.t()"),
    _case("argwhere", "x", "special()", "one", "x[:0]"),
    _case(
        "select_scatter",
        "x, y[0], 0, 1",
        "x, y[:, 0], 1, -1",
        "x, y[0].double(), 0, 0",
        bad=("torch.select_scatter(x, y, 0, 1)", "torch.select_scatter(x, y[0], 0, 2)"),
    ),
    _case(
        "slice_scatter",
        "x, y",
        "x, y[:, :2], 1, 0, 2",
        "x, y[:, :2], 1, 0, None, 2",
        "x, y[:1], 0, -1",
        "x, y[:0], 0, 5, 9",
        bad=("torch.slice_scatter(x, y[:1], 1)", "torch.slice_scatter(x, y, 0, 0, None, 0)"),
    ),
    _case(
        "diagonal_scatter",
        "x, y[0, :2]",
        "x, y[0, :2], 1",
        "x, y[0, :1], -1",
        "x, y[0, :2], 0, 1, 0",
        bad=("torch.diagonal_scatter(x, y[0])", "torch.diagonal_scatter(x, y[0], 0, 1, 1)"),
    ),
]
