"""Following the optimizer's momentum from step to step, from recorded weights and hyper-parameters alone."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.allocation import kernels
from lca_analysis.allocation.layout import Layout, Place
from lca_analysis.allocation.update_rules import ADAM, NOTHING, SGD, Carry, SgdRule, adam_carry, no_parts
from lca_analysis.memory import pages
from lca_analysis.recording.recorder import SKIPPED
from lca_analysis.trajectory import Manifest, Point

_HALVES = ("float16", "bfloat16")
_UNKNOWN, _EXACT = 1.0, 0.0
_LOOK_BACK = 8  # steps that are looked at before a range: in the last of them a tensor may have stood still


class UpdateTracker:
    """Takes steps apart: Δ_t = momentum carried over + weight decay + fresh gradient.

    The momentum buffer b follows from the step before: b = −Δ/η for plain momentum; with Nesterov's it depends on the
    b before, whose error shrinks by m/(1 + m) in each step, so that b is known once a few steps have been seen.

    Parameters
    ----------
    layout : Layout
        Of the flat vectors.
    manifest : Manifest
        Of the run.
    dtype : torch.dtype
        Of the flat vectors.
    host : UpdateTracker, optional
        Follows the same steps, each after this one has. Until `move_in` its buffer is shared: without Nesterov's
        momentum b depends on the last step alone, and is the same as far as both know it.

    Attributes
    ----------
    buffer : ndarray[K]
        b before the next step, as far as it is known.
    """

    def __init__(
        self, layout: Layout, manifest: Manifest, dtype: torch.dtype, host: "UpdateTracker | None" = None
    ) -> None:
        self._layout = layout
        self._name = manifest.optimizer.name
        self._members = manifest.optimizer.members
        self._follows_gradient = manifest.optimizer.follows_gradient
        self._enough = torch.finfo(dtype).eps
        self._errors = [_UNKNOWN] * len(layout.places)
        self._is_untouched = [False] * len(layout.places)
        self._known: tuple[list[dict[str, Any]] | None, list[dict[str, Any] | None]] = (None, [])
        self._is_guest = host is not None
        words = torch.empty(0, dtype=dtype).numpy().dtype
        own = layout.size if self._name in SGD else 0
        self.buffer: NDArray[Any] = pages(own, words) if host is None else host.buffer
        self._factors = np.zeros((len(layout.places), 3), self.buffer.dtype)

    def begin(self) -> None:
        """Begin with an optimizer that has not made a step: b is 0."""
        self._errors = [_EXACT] * len(self._errors)
        self._is_untouched = [True] * len(self._errors)

    def move_in(self) -> None:
        """Take over the buffer of the host, which follows no more."""
        self._is_guest = False

    def _move_out(self) -> None:
        """Take a copy of the host's buffer, as far as it is known here."""
        self._is_guest, self.buffer = False, self.buffer.copy()
        for place, error in zip(self._layout.places, self._errors, strict=True):
            if error != _EXACT:
                self.buffer[place.slice] = 0

    def take(self, weights: torch.Tensor, weights_next: torch.Tensor, before: Point, after: Point) -> list[Carry]:
        """Take a step apart; `follow` must be called before the next one.

        Parameters
        ----------
        weights, weights_next : Tensor[K]
            θ at its start and at its end.
        before, after : Point
            The recorded points at its ends.

        Returns
        -------
        list of Carry
            Of each tensor; the factors go with `buffer` and `weights`.
        """
        length = after.iteration - before.iteration
        moving = self._moving(weights, weights_next)
        groups = self._groups(after.hyperparameters)
        return [
            self._carry(number, groups[number], bool(moving[number]), after, length) for number in range(len(moving))
        ]

    def follow(self, weights: torch.Tensor, weights_next: torch.Tensor, before: Point, after: Point) -> None:
        """Move the buffer past a step; the parameters are those of `take`."""
        if self._name not in SGD:
            return
        moving = self._moving(weights, weights_next) & (after.scalars.get(SKIPPED) != 1)
        is_single, groups = after.iteration == before.iteration + 1, self._groups(after.hyperparameters)
        if self._is_guest and any(group is not None and group.get("nesterov") for group in groups):
            self._move_out()
        for number, group in enumerate(groups):
            if not is_single or group is None or group.get("lr") is None:
                moving[number] = self._forget(number)
            else:
                moving[number] = self._follow(number, SgdRule.of(self._name, group), bool(moving[number]))
        if moving.any() and not self._is_guest:
            vectors = weights.numpy(), weights_next.numpy()
            kernels.follow_buffers(self.buffer, *vectors, self._layout.stops, self._factors, moving)

    def _carry(self, number: int, group: dict[str, Any] | None, is_moving: bool, after: Point, length: int) -> Carry:
        """Take the step of one tensor apart."""
        if reason := self._obstacle(self._layout.places[number], after, length):
            return no_parts(reason)
        if not is_moving:
            return NOTHING
        if group is None or group.get("lr") is None:
            return no_parts("no group of the optimizer holds this tensor")
        if self._name in ADAM:
            return adam_carry(self._name, group)
        rule = SgdRule.of(self._name, group)
        if rule.momentum and self._errors[number] > self._enough:
            return no_parts("the momentum before this step is not known")
        return rule.carry(self._is_untouched[number])

    def _obstacle(self, place: Place, after: Point, length: int) -> str:
        """Say what keeps any step of a tensor from being taken apart."""
        if place.tensor.role == "buffer":
            return "running statistics are not moved by the optimizer"
        if not self._follows_gradient:
            return "the updates of this run follow no gradient of the loss"
        if not self._name or not after.hyperparameters:
            return "the run has no hyper-parameters"
        if self._name not in (*SGD, *ADAM):
            return f"{self._name} is not an optimizer that can be taken apart ({', '.join((*SGD, *ADAM))})"
        if length != 1:
            return f"{length} training iterations lie between the recorded points"
        if place.tensor.dtype in _HALVES:
            return f"the rounding of {place.tensor.dtype} hides the momentum"
        return ""

    def _follow(self, number: int, rule: SgdRule, is_moving: bool) -> bool:
        """Say whether one tensor's buffer moves past a step, and note what is known of it then."""
        if not rule.momentum and self._is_untouched[number]:
            return False
        if not rule.rate or not rule.momentum:
            # The optimizer may have moved its buffer, unseen, or left an old one as it was.
            return self._forget(number)
        if is_moving:
            self._factors[number] = rule.buffer_factors()
            self._errors[number] *= rule.forgetting
            self._is_untouched[number] = False
        return is_moving

    def _forget(self, number: int) -> bool:
        """Take a buffer for unknown; it does not move, then."""
        self._errors[number] = _UNKNOWN
        self._is_untouched[number] = False
        if not self._is_guest:
            self.buffer[self._layout.places[number].slice] = 0
        return False

    def _moving(self, weights: torch.Tensor, weights_next: torch.Tensor) -> NDArray[np.bool_]:
        """Say of each tensor whether a step moves anything of it."""
        moving = np.empty(len(self._layout.places), np.bool_)
        kernels.find_moving(weights.numpy(), weights_next.numpy(), self._layout.stops, moving)
        return moving

    def _groups(self, groups: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
        """Find the group of each tensor; groups that were added in training name their tensors themselves."""
        if groups is not self._known[0]:
            found: dict[str, dict[str, Any]] = {}
            for number, group in enumerate(groups):
                own = self._members[number] if number < len(self._members) else group.get("members", [])
                found.update(dict.fromkeys(own, group))
            self._known = groups, [found.get(place.tensor.name) for place in self._layout.places]
        return self._known[1]


def steps_before(manifest: Manifest, dtype: torch.dtype) -> int:
    """Give how many steps should be followed before the first one that is taken apart."""
    if manifest.optimizer.name not in SGD:
        return 0
    groups = manifest.optimizer.groups
    factors = [m / (1 + m) for group in groups if group.get("nesterov") and (m := group.get("momentum") or 0) > 0]
    longest = math.ceil(math.log(torch.finfo(dtype).eps) / math.log(max(factors))) if factors else 1
    return max(longest, _LOOK_BACK)
