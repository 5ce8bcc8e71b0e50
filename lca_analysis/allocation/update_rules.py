"""What optimizers make of a step: how much of it is momentum carried over, and how much weight decay."""

from dataclasses import dataclass
from typing import Any

SGD = ("SGD", "SGDW")
ADAM = ("Adam", "AdamW")
UNAVAILABLE = "not available: "


@dataclass(frozen=True)
class Carry:
    """A step's parts as factors: Δ = momentum · b + decay · θ + what the fresh gradient moved.

    b is the momentum buffer before the step, θ the weights before it. The fresh gradient is what the training loop left
    in ``.grad``.

    Attributes
    ----------
    momentum, decay : float or None
        The factors; None when the part cannot be told.
    reason : str
        Why a part cannot be told; empty when all can.
    """

    momentum: float | None
    decay: float | None
    reason: str = ""


NOTHING = Carry(0.0, 0.0)
"""Of a step of length zero."""


def no_parts(reason: str) -> Carry:
    """Make the parts of a step that cannot be taken apart."""
    return Carry(None, None, UNAVAILABLE + reason)


@dataclass(frozen=True)
class SgdRule:
    """One step of ``torch.optim.SGD``, or of SGD with decoupled decay: θ ← θ (1 − ηλ) before the step.

    d = g + λθ;  b ← m b + (1 − τ) d, in the very first step b ← d;  Δ = −η b, with Nesterov Δ = −η (d + m b).

    Attributes
    ----------
    rate, momentum, decay, dampening : float
        η, m, λ and τ.
    nesterov, decoupled : bool
        Its variants.
    """

    rate: float
    momentum: float
    decay: float
    dampening: float
    nesterov: bool
    decoupled: bool

    @classmethod
    def of(cls, name: str, group: dict[str, Any]) -> "SgdRule":
        """Read it from the hyper-parameters of a group."""
        return cls(
            float(group["lr"]),
            float(group.get("momentum") or 0.0),
            float(group.get("weight_decay") or 0.0),
            float(group.get("dampening") or 0.0),
            bool(group.get("nesterov")),
            name == "SGDW" or bool(group.get("decoupled_weight_decay")),
        )

    @property
    def forgetting(self) -> float:
        """How much of an error in b is left in the b that is recovered from the step."""
        return self.momentum / (1 + self.momentum) if self.nesterov else 0.0

    def carry(self, is_first: bool) -> Carry:
        """Give the parts of a step; in the optimizer's first step b is 0, and there is no dampening."""
        kept = 1.0 if is_first or not self.momentum else 1 - self.dampening
        through = 1 + self.momentum * kept if self.nesterov else kept
        carried = self.momentum**2 if self.nesterov else self.momentum
        return Carry(-self.rate * carried, -self.rate * self.decay * (1.0 if self.decoupled else through))

    def buffer_factors(self) -> tuple[float, float, float]:
        """Give the factors of Δ, θ and the b before the step, whose sum is the b after it; the rate must not be 0."""
        share = 1 / (1 + self.momentum) if self.nesterov else 1.0
        own_decay = -self.decay * share if self.decoupled else 0.0
        return -share / self.rate, own_decay, self.forgetting


def adam_carry(name: str, group: dict[str, Any]) -> Carry:
    """Give the parts of a step of Adam or AdamW: decoupled decay, against the rest."""
    decay = float(group.get("weight_decay") or 0.0)
    if decay and not (name == "AdamW" or group.get("decoupled_weight_decay")):
        return no_parts("Adam divides weight decay and gradient together by their running scale")
    reason = "Adam's running scale mixes momentum and fresh gradient; together they are lca - lca_decay"
    return Carry(None, -float(group["lr"]) * decay, UNAVAILABLE + reason)
