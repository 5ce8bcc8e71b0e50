"""The encoder finds the optimizer's momentum without being told, per tensor."""

import itertools

import numpy as np
import pytest
import torch
from trajectory.made_runs import random_walk, tensor

from lca_analysis.trajectory.blocks import lay_out
from lca_analysis.trajectory.choice import PredictorChoice
from lca_analysis.trajectory.encoding import BlockEncoder
from lca_analysis.trajectory.prediction import MOMENTUM, STEP
from lca_analysis.trajectory.presets import PRESETS


def last_header(walk, shapes, dtype="float32", preset="small"):
    (block,) = lay_out([tensor(f"t{n}.weight", shape, dtype) for n, shape in enumerate(shapes)])
    encoder = BlockEncoder(block, PRESETS[preset])
    encoder.keyframe(walk[0].view(block.form.word))
    for point in walk[1:]:
        ((header, _),) = encoder.deltas([point.view(block.form.word)])
    return header


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_the_momentum_of_sgd_is_found(momentum):
    header = last_header(random_walk(3000, 15, momentum=momentum), [(3000,)])
    assert header.predictors == [MOMENTUM]
    assert header.momenta == [pytest.approx(momentum, abs=2e-3)]


def test_tensors_with_momenta_of_their_own_each_get_theirs():
    slow, fast = random_walk(3000, 20, seed=1, momentum=0.9), random_walk(2000, 20, seed=2, momentum=0.5)
    header = last_header([np.concatenate(both) for both in zip(slow, fast, strict=True)], [(3000,), (2000,)])
    assert header.momenta == [pytest.approx(0.9, abs=2e-3), pytest.approx(0.5, abs=2e-3)]


def test_the_drifting_ratio_of_adam_is_followed():
    """Where the gradient is zero Adam's step shrinks by a ratio known in closed form."""
    torch.manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(4000))
    optimizer = torch.optim.Adam([parameter], lr=1e-2)
    walk = []
    for t in range(12):
        walk.append(parameter.detach().numpy().copy())
        parameter.grad = torch.randn(4000) * (1.0 if t < 8 else 0.0)
        optimizer.step()
    first, second, t = 0.9, 0.999, 11  # the steps into points 10 and 11 are the 10th and 11th
    correction = (1 - first ** (t - 1)) / (1 - first**t) * ((1 - second**t) / (1 - second ** (t - 1))) ** 0.5
    header = last_header(walk, [(4000,)])
    assert header.momenta == [pytest.approx(first * correction / second**0.5, abs=2e-3)]


def test_a_counter_costs_nothing_by_its_step():
    walk = [np.array([t * 3], np.int64) for t in range(6)]
    assert last_header(walk, [(1,)], "int64").predictors == [STEP]


def test_the_fast_preset_follows_a_change_of_momentum_within_four_frames():
    walk = random_walk(3000, 30, seed=3, momentum=0.9)
    later = random_walk(3000, 30, seed=4, momentum=0.5)
    changed = np.concatenate([walk, walk[-1] + (later - later[0])[1:]])
    assert last_header(changed[:60], [(3000,)], preset="fast").momenta == [pytest.approx(0.5, abs=2e-3)]


def test_the_fast_preset_chooses_less_often_the_longer_a_choice_stays(monkeypatch):
    (block,) = lay_out([tensor("w", (3000,), "float32")])
    encoder, chosen, frames = BlockEncoder(block, PRESETS["fast"]), [], []
    choose = PredictorChoice.choose
    monkeypatch.setattr(PredictorChoice, "choose", lambda *known: chosen.append(len(frames)) or choose(*known))
    walk = random_walk(3000, 140, seed=5)
    encoder.keyframe(walk[0].view(block.form.word))
    for point in walk[1:]:
        frames.append(point)
        list(encoder.deltas([point.view(block.form.word)]))
    pauses = np.diff(chosen)
    assert chosen[:5] == [1, 2, 3, 4, 5]
    assert pauses.max() == 64
    assert len(chosen) < 20


@pytest.mark.parametrize("preset", PRESETS)
def test_how_many_points_come_at_once_makes_no_difference(preset):
    """A wild walk: new choices at all times, and points within a lot that are larger than those before."""
    rng = np.random.default_rng(3)
    sizes = 1e-3 * 10.0 ** rng.integers(-3, 2, 60)
    steps = sizes[:, None] * rng.standard_normal((60, 5000))
    walk = np.cumsum(steps, axis=0, dtype=np.float64).astype(np.float32)
    (block,) = lay_out([tensor("t.weight", (5000,), "float32")])
    coded = []
    for lengths in ([1], [5], [3, 17, 1], [59]):
        encoder, rest, found = BlockEncoder(block, PRESETS[preset]), list(walk.view(np.uint32)), []
        encoder.keyframe(rest.pop(0))
        for length in itertools.cycle(lengths):
            together = list(encoder.deltas(rest[:length]))  # none overwrites the streams of another
            found += [(header, list(map(bytes, streams))) for header, streams in together]
            del rest[:length]
            if not rest:
                break
        coded.append(found)
    assert all(again == coded[0] for again in coded[1:])
    assert len({tuple(header.momenta) + tuple(header.predictors) for header, _ in coded[0]}) > 2
