"""Following the optimizer's momentum from step to step, from recorded weights and hyper-parameters alone."""

import math
from typing import Any

import torch

from lca_analysis.allocation import kernels
from lca_analysis.allocation.layout import Layout, Place
from lca_analysis.allocation.update_rules import ADAM, NOTHING, SGD, Carry, SgdRule, adam_carry, no_parts
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

    Attributes
    ----------
    buffer : ndarray[K]
        b before the next step, as far as it is known.
    """

    def __init__(self, layout: Layout, manifest: Manifest, dtype: torch.dtype) -> None:
        self._layout = layout
        self._name = manifest.optimizer.name
        self._members = manifest.optimizer.members
        self._follows_gradient = manifest.optimizer.follows_gradient
        self._enough = torch.finfo(dtype).eps
        self._errors = [_UNKNOWN] * len(layout.places)
        self._is_untouched = [False] * len(layout.places)
        self.buffer = torch.zeros(layout.size if self._name in SGD else 0, dtype=dtype).numpy()

    def begin(self) -> None:
        """Begin with an optimizer that has not made a step: b is 0."""
        self._errors = [_EXACT] * len(self._errors)
        self._is_untouched = [True] * len(self._errors)

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
        groups = self._groups(after.hyperparameters)
        length = after.iteration - before.iteration
        return [
            self._carry(
                place, number, groups.get(place.tensor.name), _is_still(place, weights, weights_next), after, length
            )
            for number, place in enumerate(self._layout.places)
        ]

    def follow(self, weights: torch.Tensor, weights_next: torch.Tensor, before: Point, after: Point) -> None:
        """Move the buffer past a step; the parameters are those of `take`."""
        if self._name not in SGD:
            return
        groups = self._groups(after.hyperparameters)
        is_single = after.iteration == before.iteration + 1
        for number, place in enumerate(self._layout.places):
            group = groups.get(place.tensor.name)
            if not is_single or group is None or group.get("lr") is None:
                self._forget(number, place)
            else:
                self._follow(number, place, SgdRule.of(self._name, group), weights, weights_next, after)

    def _carry(
        self, place: Place, number: int, group: dict[str, Any] | None, is_still: bool, after: Point, length: int
    ) -> Carry:
        """Take the step of one tensor apart."""
        if reason := self._obstacle(place, after, length):
            return no_parts(reason)
        if is_still:
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

    def _follow(
        self, number: int, place: Place, rule: SgdRule, weights: torch.Tensor, weights_next: torch.Tensor, after: Point
    ) -> None:
        """Move one tensor's buffer past a step."""
        is_still = after.scalars.get(SKIPPED) == 1 or _is_still(place, weights, weights_next)
        if not rule.momentum and self._is_untouched[number]:
            return
        if not rule.rate or not rule.momentum:
            # The optimizer may have moved its buffer, unseen, or left an old one as it was.
            self._forget(number, place)
        elif not is_still:
            factors = rule.buffer_factors()
            buffer = self.buffer[place.slice]
            before, after_it = (vector.numpy()[place.slice] for vector in (weights, weights_next))
            kernels.follow_buffer(buffer, before, after_it, *(buffer.dtype.type(f) for f in factors))
            self._errors[number] *= rule.forgetting
            self._is_untouched[number] = False

    def _forget(self, number: int, place: Place) -> None:
        """Take a buffer for unknown."""
        self._errors[number] = _UNKNOWN
        self._is_untouched[number] = False
        self.buffer[place.slice] = 0

    def _groups(self, groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Find the group of each tensor; groups that were added in training name their tensors themselves."""
        found = {}
        for number, group in enumerate(groups):
            own = self._members[number] if number < len(self._members) else group.get("members", [])
            found.update(dict.fromkeys(own, group))
        return found


def steps_before(manifest: Manifest, dtype: torch.dtype) -> int:
    """Give how many steps should be followed before the first one that is taken apart."""
    if manifest.optimizer.name not in SGD:
        return 0
    groups = manifest.optimizer.groups
    factors = [m / (1 + m) for group in groups if group.get("nesterov") and (m := group.get("momentum") or 0) > 0]
    longest = math.ceil(math.log(torch.finfo(dtype).eps) / math.log(max(factors))) if factors else 1
    return max(longest, _LOOK_BACK)


def _is_still(place: Place, weights: torch.Tensor, weights_next: torch.Tensor) -> bool:
    """Whether a step moves nothing of a tensor."""
    return not kernels.moves(weights.numpy()[place.slice], weights_next.numpy()[place.slice])
