"""Where losses and gradients are computed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lca_analysis.errors import ArgumentError

CPU = "cpu"


def usable_device(name: str) -> torch.device:
    """Find a device that can compute.

    Parameters
    ----------
    name : str
        As torch names it.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ArgumentError
        It is unknown, or not there.
    """
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise RuntimeError("it holds no numbers")
        torch.ones(1, device=device).item()
    except Exception as error:  # every back end has errors of its own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ArgumentError(f"device {name!r} cannot be used here: {reason}; {_others()}") from error
    return device


def _others() -> str:
    """Say which devices there are."""
    found = [CPU, *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    found += ["mps"] if torch.backends.mps.is_available() else []
    return f"there are: {', '.join(found)}"


@contextmanager
def exact_arithmetic(device: str) -> Iterator[None]:
    """Switch off, on GPUs, arithmetic of less than single precision, and kernels that add in changing order."""
    if torch.device(device).type != "cuda":
        yield
        return
    backends = torch.backends
    before = backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, backends.cudnn.deterministic
    backends.cudnn.allow_tf32 = backends.cuda.matmul.allow_tf32 = False
    backends.cudnn.deterministic = True
    try:
        yield
    finally:
        backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, backends.cudnn.deterministic = before
