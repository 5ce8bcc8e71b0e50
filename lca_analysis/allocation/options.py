"""How to compute: the settings that the tables depend on."""

from dataclasses import dataclass

from lca_analysis.allocation.adaptive import ADAPTIVE
from lca_analysis.allocation.devices import CPU, usable_device
from lca_analysis.allocation.scheme import Scheme, Tolerance
from lca_analysis.allocation.schemes import make_scheme
from lca_analysis.errors import ArgumentError


@dataclass(frozen=True)
class ComputeOptions:
    """Settings of a computation.

    Attributes
    ----------
    rule : str
        "adaptive": the trapezoid, and where it misses more than 1.5 tolerances the worst piece refined, again and
        again; then weights tilted so that the loss change is met. "strict": until every layer's error estimate is
        within the tolerance and a tenth of what the layer moves the loss, too. "fast": one new gradient per
        iteration, weights tilted so that the loss change is met. "paper": Simpson's rule, halving every piece until the
        residual is within the tolerance. A name in `RULES`: that rule once, whatever the residual.
    tolerance : float, loss units
        Largest |residual| of an iteration (the paper's: 0.001).
    relative_tolerance : float
        Where it allows more, the largest |residual| as a fraction of the iteration's |loss change|: the residual is
        within max(tolerance, relative_tolerance · |ΔL|).
    max_pieces : int
        Most pieces of an iteration, a power of two (the paper's: 32).
    kept_gradients : int
        Gradients within a step that "adaptive" and "strict" keep until its end. More take memory, fewer now and then a
        gradient twice.
    match : str
        Pair the run's tensors with the model's by "name" or by "order".
    elements : bool
        Also keep the LCA of every parameter at every iteration.
    classes : bool
        Also allocate what each class adds to the loss, (N_c/N) L_c: rows of their own in `iterations` and `layers`.
    directions : str, optional
        A .npz or .safetensors file of orthonormal directions, along which LCA is taken too; see `load_directions`.
    device : str
        Where losses and gradients are computed, as torch names it ("cpu", "cuda", "cuda:1", "mps").
    sample_seed : int
        Chooses the parameters whose series are kept.
    range_length : int
        Steps that are computed and written together; what an interruption can cost.
    """

    rule: str = ADAPTIVE
    tolerance: float = 1e-3
    relative_tolerance: float = 0.0
    max_pieces: int = 32
    kept_gradients: int = 2
    match: str = "name"
    elements: bool = False
    classes: bool = False
    directions: str | None = None
    device: str = CPU
    sample_seed: int = 0
    range_length: int = 64

    def __post_init__(self) -> None:
        """Check every value."""
        usable_device(self.device)
        self.make_scheme()
        if self.match not in ("name", "order"):
            raise ArgumentError(f'match must be "name" or "order", not {self.match!r}')
        if self.range_length < 1 or self.sample_seed < 0:
            raise ArgumentError("range_length must be 1 or more, sample_seed 0 or more")

    @property
    def largest_residual(self) -> Tolerance:
        """The largest |residual| of an iteration, whatever its loss change."""
        return Tolerance(self.tolerance, self.relative_tolerance)

    def make_scheme(self) -> Scheme:
        """Make the scheme that integrates every step."""
        return make_scheme(self.rule, self.largest_residual, self.max_pieces, self.kept_gradients)
