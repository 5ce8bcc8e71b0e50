"""Recording from a real GPU: the same bits, and no waiting for the copy on the training's side."""

import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.recording import Recorder, RecorderOptions
from lca_analysis.recording.copying import Copier

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def network(width=64):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 10)).cuda()


def test_the_run_equals_copies_made_by_hand(tmp_path):
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.01, device="cuda"), capturable=True)
    expected = [{name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}]
    with Recorder(tmp_path / "run", model, optimizer, options=RecorderOptions(queue_points=1)):
        for _ in range(50):
            optimizer.zero_grad()
            model(torch.randn(128, 32, device="cuda")).square().mean().backward()
            optimizer.step()
            expected.append({name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()})
    run = lca.open_run(tmp_path / "run")
    assert run.complete
    for point, weights in zip(run.walk(), expected, strict=True):
        for name, array in weights.items():
            assert point.weights[name].tobytes() == array.tobytes(), (point.iteration, name)
    assert run.hyperparameters()[0][1][0]["lr"] == pytest.approx(0.01)


def test_unsynchronised_training_never_tears_a_point(tmp_path):
    model = nn.Linear(2048, 2048).cuda()
    with Recorder(tmp_path / "run", model, options=RecorderOptions(queue_points=3)) as recorder, torch.no_grad():
        for value in range(1, 21):
            model.weight.fill_(value)
            model.bias.fill_(value)
            recorder.record()
    for point in lca.open_run(tmp_path / "run").walk(1):
        assert (point.weights["weight"] == point.iteration).all()
        assert (point.weights["bias"] == point.iteration).all()


def test_a_copy_returns_before_it_is_done():
    tensors = [torch.ones(2**26, device="cuda")]
    copier = Copier(["w"], tensors)
    buffer = copier.new_buffer()
    assert buffer.flat.is_pinned()
    torch.cuda.synchronize()
    torch.cuda._sleep(10**9)  # the training stream is busy for about half a second
    copier.copy(tensors, buffer)
    assert not buffer.copied[0].query()
    buffer.wait()
    assert (buffer.arrays[0] == 1).all()


def test_training_is_the_same_to_the_bit_with_and_without(tmp_path):
    states = []
    for record in (False, True):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        recorder = Recorder(tmp_path / "run", model, optimizer).start() if record else None
        for _ in range(20):
            optimizer.zero_grad()
            model(torch.randn(128, 32, device="cuda")).square().mean().backward()
            optimizer.step()
        if recorder is not None:
            recorder.close()
        states.append(([t.clone() for t in model.state_dict().values()], torch.cuda.get_rng_state()))
    assert all(torch.equal(a, b) for a, b in zip(states[0][0], states[1][0], strict=True))
    assert torch.equal(states[0][1], states[1][1])
