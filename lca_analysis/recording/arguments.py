"""What a Recorder is given, checked before anything is made of it."""

from typing import Any

import torch
from torch import nn

from lca_analysis.errors import ArgumentError


def check_parts(model: Any, optimizer: Any, scaler: Any) -> None:
    """Raise ArgumentError for what is no model, no optimizer, or no scaler."""
    if not isinstance(model, nn.Module):
        raise ArgumentError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    if isinstance(optimizer, list | tuple):
        raise ArgumentError(
            "a Recorder follows one optimizer: where several train one model, leave it out and call record() once they "
            "have all made their step"
        )
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise ArgumentError(f"optimizer must be a torch.optim.Optimizer, not {type(optimizer).__name__}")
    if scaler is not None and not callable(getattr(scaler, "step", None)):
        raise ArgumentError(f"scaler must be a torch.amp.GradScaler, not {type(scaler).__name__}")
