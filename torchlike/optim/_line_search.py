"""A line search for the strong Wolfe conditions, with cubic interpolation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ARMIJO = 1e-4  # how much of the predicted decrease is asked for
CURVATURE = 0.9  # how much of the slope may be left


@dataclass
class Point:
    """A step length with the loss, the gradient and the slope along the direction that were found there."""

    t: Any
    loss: Any
    grad: Any
    slope: Any


def cubic_minimum(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """The minimum of the cubic through two points and their slopes, held within bounds."""
    low, high = bounds if bounds is not None else ((a.t, b.t) if a.t <= b.t else (b.t, a.t))
    mean = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = mean**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    root = square.sqrt()
    left, right = (a, b) if a.t <= b.t else (b, a)
    best = right.t - (right.t - left.t) * ((right.slope + root - mean) / (right.slope - left.slope + 2 * root))
    return min(max(best, low), high)


def strong_wolfe(
    objective: Callable[[Any], Point], start: Point, t: Any, size: Any, tolerance: float, most: int
) -> tuple[Point, int]:
    """Search from a first step length ``t``; return the point found and how often the objective was evaluated.

    ``size`` is the largest element of the direction; the search ends when the bracket's length times it falls below
    ``tolerance``, or after ``most`` rounds.
    """
    first = Point(0, start.loss, start.grad.clone(), start.slope)
    previous, new = first, objective(t)
    evaluations, rounds, done = 1, 0, False
    bracket: list[Point] = []
    while rounds < most:
        if new.loss > first.loss + ARMIJO * new.t * first.slope or (rounds > 1 and new.loss >= previous.loss):
            bracket = [previous, new]
            break
        if abs(new.slope) <= -CURVATURE * first.slope:
            bracket, done = [new], True
            break
        if new.slope >= 0:
            bracket = [previous, new]
            break
        nearest, farthest = new.t + 0.01 * (new.t - previous.t), new.t * 10
        t = cubic_minimum(previous, new, (nearest, farthest))
        previous, new = new, objective(t)
        evaluations += 1
        rounds += 1
    if rounds == most:
        bracket = [first, new]

    stuck = False
    low, high = (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    while not done and rounds < most:
        left, right = bracket
        if abs(right.t - left.t) * size < tolerance:
            break
        t, stuck = _away_from_ends(cubic_minimum(left, right), left.t, right.t, stuck)
        new = objective(t)
        evaluations += 1
        rounds += 1
        if new.loss > first.loss + ARMIJO * t * first.slope or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        if abs(new.slope) <= -CURVATURE * first.slope:
            done = True
        elif new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
    return bracket[low], evaluations


def _away_from_ends(t: Any, left: Any, right: Any, stuck: bool) -> tuple[Any, bool]:
    """Move a trial that lies too near to an end of the bracket, the second time in a row, a tenth inwards."""
    smallest, largest = min(left, right), max(left, right)
    margin = 0.1 * (largest - smallest)
    if not min(largest - t, t - smallest) < margin:
        return t, False
    if not (stuck or t >= largest or t <= smallest):
        return t, True
    nearer_to_largest = abs(t - largest) < abs(t - smallest)
    return (largest - margin if nearer_to_largest else smallest + margin), False
