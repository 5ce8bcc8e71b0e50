"""LCA of chosen layers by example: what each example's loss changed by, by forward-mode differentiation."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.allocation.evaluator import SplitLoss, one_thread
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.preparation import check_data, find_problem
from lca_analysis.allocation.quadrature import RULES, composite
from lca_analysis.errors import ArgumentError, NotFoundError
from lca_analysis.problems import Problem
from lca_analysis.trajectory import ProblemReference, Run, open_run


@dataclass(frozen=True)
class ExampleLca:
    """LCA by example.

    Attributes
    ----------
    iterations : ndarray[T] int64
        Where the steps start.
    layers : tuple of str
        The chosen layers.
    lca : ndarray[T, layers, N] float64, loss units
        What the layer's motion changed of each example's share of the mean loss: the sum over examples is the layer's
        LCA, and N times a value is the change of that example's own loss.
    """

    iterations: NDArray[np.int64]
    layers: tuple[str, ...]
    lca: NDArray[np.float64]


def example_lca(
    run: str | os.PathLike[str],
    problem: str | ProblemReference | Problem | None,
    split: str,
    layers: Sequence[str],
    *,
    first: int | None = None,
    last: int | None = None,
    rule: str = "simpson",
    pieces: int = 1,
    match: str = "name",
) -> ExampleLca:
    """Allocate the loss change of every example to chosen layers.

    A_{t,G,n} = (1/N) Σ_{i in G} Δ_{t,i} ∫₀¹ ∂ℓ_n/∂θ_i (θ_t + sΔ_t) ds. One forward-mode pass in the direction of a
    layer's step gives this derivative for all examples at once, whatever they share (batch statistics too).

    Parameters
    ----------
    run : str or path-like
        The run folder.
    problem : str, ProblemReference or Problem, optional
        What the run was trained on; None takes what the run says.
    split : str
        Which split.
    layers : sequence of str
        Which layers, as in the table `layers_index`.
    first, last : int, optional
        Recorded points at which the first step starts and the last one ends; None means the run's own.
    rule : str
        A rule of `RULES`.
    pieces : int
        Equal pieces of each step.
    match : str
        Pair tensors by "name" or "order".

    Returns
    -------
    ExampleLca
        By step, layer and example, in the split's order.

    Raises
    ------
    NotFoundError
        The run, the split, a recorded point or a layer is not there.
    MismatchError
        The problem or its data are not the run's.
    ArgumentError
        There is no such rule, no layer is named, or pieces is below 1.
    """
    if rule not in RULES or pieces < 1 or not layers:
        raise ArgumentError(f"name at least one layer, pieces from 1 on, and one of the rules {', '.join(RULES)}")
    opened = open_run(run)
    built = find_problem(opened, problem)
    built.split(split)
    check_data(opened, built, [split])
    model = FlatModel(built, opened, match)
    groups = [_of_layer(model.layout, layer) for layer in layers]
    split_loss = SplitLoss(built, split, model)
    nodes = composite(RULES[rule], pieces)
    with one_thread():
        steps = [
            (start, _step(split_loss, groups, nodes, weights, step))
            for start, weights, step in _steps(opened, model, first, last)
        ]
    lca = np.stack([values for _, values in steps]) if steps else np.empty((0, len(layers), split_loss.examples))
    return ExampleLca(np.array([start for start, _ in steps], np.int64), tuple(layers), lca)


def _of_layer(layout: Layout, layer: str) -> list[slice]:
    """Find the stretches of a layer."""
    if layer not in layout.layers:
        raise NotFoundError(f"there is no layer {layer!r}; the layers are: {', '.join(layout.layers)}")
    return [place.slice for place in layout.of_layer(layer)]


def _steps(
    run: Run, model: FlatModel, first: int | None, last: int | None
) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """Go through the steps: where each starts, the weights there, and the step."""
    weights, iteration = None, 0
    for point in run.walk(first, last, model.names):
        model.check_buffers(point.weights, point.iteration)
        then = model.flatten(point.weights)
        if weights is not None:
            yield iteration, weights, then - weights
        weights, iteration = then, point.iteration


def _step(
    split_loss: SplitLoss,
    groups: list[list[slice]],
    nodes: list[tuple[float, float]],
    weights: torch.Tensor,
    step: torch.Tensor,
) -> NDArray[np.float64]:
    """Allocate one step to layers and examples."""
    found = np.zeros((len(groups), split_loss.examples))
    for row, group in enumerate(groups):
        direction = torch.zeros_like(step)
        for stretch in group:
            direction[stretch] = step[stretch]
        for place, weight in nodes:
            there = torch.add(weights, step, alpha=place)
            found[row] += weight / split_loss.examples * split_loss.derivatives(there, direction).numpy()
    return found
