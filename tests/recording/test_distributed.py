"""Two processes train one model, and the first one writes."""

import multiprocessing

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import lca_analysis as lca
from lca_analysis.recording import Recorder


def train(rank, folder, wrapped_first):
    store = f"file://{folder}/meeting"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(rank)  # each process has examples of its own
    path = folder / "run" if rank == 0 else folder / f"never-made-by-{rank}"
    with Recorder(path, parallel if wrapped_first else model, optimizer) as recorder:
        for _ in range(4):
            optimizer.zero_grad()
            parallel(torch.randn(8, 4, generator=generator)).square().mean().backward()
            optimizer.step()
        assert recorder.iteration == 4
    np.save(folder / f"last{rank}.npy", model.weight.detach().numpy())
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("wrapped_first", [True, False])
def test_rank_0_writes_the_model_that_both_train(tmp_path, wrapped_first):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=train, args=(rank, tmp_path, wrapped_first)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    run = lca.open_run(tmp_path / "run")
    assert run.complete
    assert run.iterations.tolist() == [0, 1, 2, 3, 4]
    assert [tensor.name for tensor in run.tensors] == ["weight", "bias"]
    for rank in range(2):
        assert (run.weights(4)["weight"] == np.load(tmp_path / f"last{rank}.npy")).all()
    assert not list(tmp_path.glob("never-made-by-*"))
