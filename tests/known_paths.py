"""Paths of several tensors whose integrals are known, with every evaluation counted."""

import math
from collections import Counter

import numpy as np
import torch


class KnownPath:
    """A step of a few parameters, each a tensor of its own, with losses in closed form: L(s) = Σ_i losses[i](s)."""

    def __init__(self, losses, gradients, layers=None):
        self._losses, self._gradients = losses, gradients
        self.layers = list(range(len(losses))) if layers is None else layers
        self.asked = Counter()
        self.loss_change = self.losses(1.0)[0] - self.losses(0.0)[0]

    @property
    def truth(self):
        """What each parameter changes the loss by."""
        return np.array([loss(1.0) - loss(0.0) for loss in self._losses])

    def gradient(self, s):
        self.asked[s] += 1
        return torch.tensor([gradient(s) for gradient in self._gradients], dtype=torch.float64)

    def losses(self, s):
        return (math.fsum(loss(s) for loss in self._losses),)

    def allocated(self, path_gradient):
        return float(path_gradient.sum())

    def layer_allocated(self, value):
        return value.numpy()[None].copy()


def exponentials(*rates, sizes=None, layers=None):
    """L(s) = Σ_i a_i exp(rate_i s)."""
    pairs = list(zip(sizes or [1.0] * len(rates), rates, strict=True))
    losses = [lambda s, a=a, r=r: a * math.exp(r * s) for a, r in pairs]
    return KnownPath(losses, [lambda s, a=a, r=r: a * r * math.exp(r * s) for a, r in pairs], layers)


def powers(exponent, *sizes):
    """L(s) = Σ_i a_i s^p."""
    losses = [lambda s, a=a: a * s**exponent for a in sizes]
    return KnownPath(losses, [lambda s, a=a: a * exponent * s ** (exponent - 1) for a in sizes])


def kinked(place, slope=1.0):
    """L(s) = slope · max(0, s − place): flat, then not."""
    return KnownPath([lambda s: slope * max(0.0, s - place)], [lambda s: slope * (s > place)])
