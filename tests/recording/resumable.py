"""A training that reads its checkpoint and goes on; run as a script it is killed at a step."""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn

from lca_analysis.recording import Recorder, RecorderOptions

SAVE_EVERY = 5


def parts(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.7)


def train(folder, steps, kill_at=None):
    """Train up to a number of steps, from the checkpoint if there is one; killed inside step `kill_at`."""
    model, optimizer, schedule = parts()
    checkpoint, start = folder / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        for part in (model, optimizer, schedule):
            part.load_state_dict(saved[type(part).__name__])
        start = saved["iteration"]
    options = RecorderOptions(segment_length=7)
    with Recorder(folder / "run", model, optimizer, resume=True, iteration=start, options=options) as recorder:
        for step in range(start, steps):
            inputs = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), (inputs[:, 0] > 0).long())
            loss.backward()
            recorder.log(loss=loss.item())
            optimizer.step()
            schedule.step()
            if kill_at == step + 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if recorder.iteration % SAVE_EVERY == 0:
                recorder.flush()
                states = {type(part).__name__: part.state_dict() for part in (model, optimizer, schedule)}
                torch.save(states | {"iteration": recorder.iteration}, checkpoint)
    return model


if __name__ == "__main__":
    train(Path(sys.argv[1]), 100, kill_at=int(sys.argv[2]))
