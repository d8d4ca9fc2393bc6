"""How long operations and training steps take, as ratios to real PyTorch measured in the same run.

PyTorch's OpenMP threads wait for each other by spinning: on a machine that other programs keep busy its times explode
and flatter every ratio. There, give both sides one core, ``taskset -c 0 python -m benchmarks``; what is measured then
is processor time, which does not count what others use.
"""
