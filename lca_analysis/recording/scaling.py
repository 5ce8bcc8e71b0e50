"""Steps that a GradScaler skips, because a gradient has overflowed."""

from collections.abc import Callable
from typing import Any

import torch


class ScalerWatch:
    """Tells of each step of an optimizer that a GradScaler was asked for and did not make.

    A GradScaler that finds an infinite gradient does not call ``optimizer.step()``, so that no hook of the optimizer
    runs. Its `step` is therefore wrapped, in this one object, as long as the watch lasts.

    Parameters
    ----------
    scaler : torch.amp.GradScaler
        Anything with its `step` method.
    optimizer : torch.optim.Optimizer
        Whose steps count.
    steps : callable
        Gives the number of steps made so far.
    skipped : callable
        Called behind every step that was skipped.
    """

    def __init__(
        self,
        scaler: Any,
        optimizer: torch.optim.Optimizer,
        steps: Callable[[], int],
        skipped: Callable[[], None],
    ) -> None:
        self._scaler = scaler
        self._optimizer = optimizer
        self._steps = steps
        self._skipped = skipped
        self._watching = True
        self._original = scaler.step
        scaler.step = self._step

    def remove(self) -> None:
        """Stop watching; a watch that was laid over this one goes on, and takes this one off when it ends."""
        self._watching = False
        outermost = _watch_of(self._scaler.step)
        while outermost is not None and not outermost._watching:
            self._scaler.step = outermost._original
            outermost = _watch_of(self._scaler.step)

    def _step(self, optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Do what the scaler does, and see whether the optimizer has made its step."""
        before = self._steps()
        result = self._original(optimizer, *args, **kwargs)
        inner = getattr(optimizer, "optimizer", optimizer)
        if self._watching and self._optimizer in (optimizer, inner) and self._steps() == before:
            self._skipped()
        return result


def _watch_of(step: Any) -> ScalerWatch | None:
    """Give the watch that a scaler's step belongs to, None for the scaler's own."""
    owner = getattr(step, "__self__", None)
    return owner if isinstance(owner, ScalerWatch) else None
