"""Quadrature as data: a rule is its nodes and weights; one function applies any rule to any number of pieces."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

Value = TypeVar("Value", float, torch.Tensor)


@dataclass(frozen=True, eq=False)  # told apart as objects: they are keys, and are looked up all the time
class QuadratureRule:
    """A quadrature rule on [0, 1].

    Attributes
    ----------
    name : str
        Name in the registry.
    nodes : tuple of float
        Where the integrand is evaluated, ascending, in [0, 1].
    weights : tuple of float
        One weight per node; they sum to 1.
    degree : int
        Highest degree of the polynomials that the rule integrates exactly.
    embedded : QuadratureRule, optional
        A rule of lower degree on some of the nodes: the difference of the two estimates the error.
    """

    name: str
    nodes: tuple[float, ...]
    weights: tuple[float, ...]
    degree: int
    embedded: "QuadratureRule | None" = None

    @property
    def uses_end(self) -> bool:
        """Whether the end of the interval is a node, which the next interval shares."""
        return self.nodes[-1] == 1.0

    def tilted(self, tilt: float) -> "QuadratureRule":
        """Move weight from the first node to the last: a rule that is exact for constants only."""
        first, *inner, last = self.weights
        return QuadratureRule(self.name, self.nodes, (first - tilt, *inner, last + tilt), 0, self.embedded)


def gauss(points: int) -> QuadratureRule:
    """Make the Gauss–Legendre rule with a number of points, exact to degree 2·points − 1.

    Embedded is the first of two nodes, the middle one of three, or the mean of the middle two.
    """
    raw_nodes, raw_weights = np.polynomial.legendre.leggauss(points)
    nodes = tuple(float(node) for node in (raw_nodes + 1) / 2)
    weights = tuple(float(weight) for weight in raw_weights / 2)
    middle = nodes[:1] if points == 2 else nodes[(points - 1) // 2 : points // 2 + 1]
    inner = QuadratureRule("inner", middle, (1 / len(middle),) * len(middle), 0 if points == 2 else 1)
    return QuadratureRule(f"gauss{points}", nodes, weights, 2 * points - 1, inner)


EULER = QuadratureRule("euler", (0.0,), (1.0,), 0)
MIDPOINT = QuadratureRule("midpoint", (1 / 2,), (1.0,), 1)
TRAPEZOID = QuadratureRule("trapezoid", (0.0, 1.0), (1 / 2, 1 / 2), 1, EULER)
SIMPSON = QuadratureRule("simpson", (0.0, 1 / 2, 1.0), (1 / 6, 4 / 6, 1 / 6), 3, TRAPEZOID)
"""The paper's rule: fourth-order Runge–Kutta on a path that is fixed in advance."""

_ALL = (
    EULER,
    MIDPOINT,
    TRAPEZOID,
    SIMPSON,
    QuadratureRule("simpson38", (0.0, 1 / 3, 2 / 3, 1.0), (1 / 8, 3 / 8, 3 / 8, 1 / 8), 3, TRAPEZOID),
    QuadratureRule("boole", (0.0, 1 / 4, 1 / 2, 3 / 4, 1.0), (7 / 90, 32 / 90, 12 / 90, 32 / 90, 7 / 90), 5, SIMPSON),
    gauss(2),
    gauss(3),
    gauss(4),
)

RULES: dict[str, QuadratureRule] = {rule.name: rule for rule in _ALL}
"""Every rule by its name."""


def composite(rule: QuadratureRule, pieces: int) -> list[tuple[float, float]]:
    """Repeat a rule on equal pieces of [0, 1].

    Parameters
    ----------
    rule : QuadratureRule
        The rule.
    pieces : int
        Number of equal pieces, at least 1.

    Returns
    -------
    list of (float, float)
        Node and weight, nodes ascending; a node that two pieces share is listed once.
    """
    nodes: list[tuple[float, float]] = []
    for piece in range(pieces):
        for node, weight in zip(rule.nodes, rule.weights, strict=True):
            place = (piece + node) / pieces
            before = nodes.pop()[1] if nodes and nodes[-1][0] == place else 0.0
            nodes.append((place, before + weight / pieces))
    return nodes


def integrate(rule: QuadratureRule, integrand: Callable[[float], Value], pieces: int = 1) -> Value:
    """Integrate over [0, 1] with a rule on equal pieces.

    Parameters
    ----------
    rule : QuadratureRule
        The rule.
    integrand : callable
        Takes s in [0, 1]; gives a float or a Tensor.
    pieces : int
        Number of equal pieces, at least 1.

    Returns
    -------
    float or Tensor
        Σ_k w_k f(s_k), exact for polynomials up to the rule's degree.
    """
    (first, weight), *others = composite(rule, pieces)
    total = weight * integrand(first)
    for node, weight in others:
        total = total + weight * integrand(node)
    return total
