"""The runs behind docs/findings.md: which configurations, how often, and how each is recorded and computed.

Every run is made by the package's own training loop and recorder. A run or computation that is there already is not
made again, and one that was cut short goes on.
"""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.errors import LcaError
from lca_analysis.problems import Intervention, Problem, TrainingSettings
from lca_analysis.problems.models import ResNet20, initialize

HERE = f"{Path(__file__).resolve()}"
PLAIN = "fc-plain"


@dataclass(frozen=True)
class Configuration:
    """A training that is repeated with several seeds (of the weights and of the minibatches)."""

    name: str
    problem: str
    settings: TrainingSettings
    seeds: int
    rule: str = "paper"
    arguments: dict[str, Any] = field(default_factory=dict)

    def run(self, seed: int) -> str:
        """Name of a run."""
        return f"{self.name}-seed-{seed}"


def resnet20_digits(seed: int = 0, train: int | None = None) -> Problem:
    """ResNet-20 with batch norm on scikit-learn's digits, 8×8 pixels, the one channel given three times."""
    splits = {
        name: (inputs.reshape(-1, 1, 8, 8).expand(-1, 3, -1, -1).contiguous()[:train], targets[:train])
        for name, (inputs, targets) in lca.build_problem("digits_mlp").splits.items()
    }
    return Problem(initialize(ResNet20(), seed), nn.CrossEntropyLoss(reduction="none"), splits, 500, classes=10)


_FC = TrainingSettings(iterations=150, learning_rate=0.05, momentum=0.9)


def _fc(name: str, *interventions: Intervention, seeds: int = 8, **changes: Any) -> Configuration:
    """Change something about the plain training of mnist_fc."""
    settings = replace(_FC, interventions=interventions, **changes)
    return Configuration(f"fc-{name}", "mnist_fc", settings, seeds, "trapezoid")


CONFIGURATIONS = [
    _fc("plain"),
    _fc("last-frozen", Intervention("fc3", freeze_from=0)),
    _fc("last-slow", Intervention("fc3", learning_rate=0.005)),
    _fc("last-no-momentum", Intervention("fc3", momentum=0.0)),
    _fc("momentum-0", seeds=3, momentum=0.0),
    _fc("momentum-0.5", seeds=3, momentum=0.5),
    _fc("first-frozen", Intervention("fc1", freeze_from=0), seeds=1),
    _fc("batch-25", seeds=1, batch_size=25),
    _fc("batch-1000", seeds=1, batch_size=1000),
    _fc("batch-4000", seeds=1, batch_size=4000),
    Configuration(
        "lenet-plain",
        "mnist_lenet",
        TrainingSettings(iterations=80, batch_size=50, learning_rate=0.02),
        1,
        arguments={"train": 1000, "validation": 100},
    ),
    Configuration(
        "resnet-plain",
        f"{HERE}:resnet20_digits",
        TrainingSettings(iterations=80, batch_size=50, learning_rate=0.05),
        1,
        arguments={"train": 1000},
    ),
]


def by_seed(wanted: list[str]) -> Iterator[tuple[Configuration, int]]:
    """Go through the runs seed by seed, so that what is there is paired whenever one stops."""
    chosen = [one for one in CONFIGURATIONS if not wanted or one.name in wanted]
    for seed in range(max(one.seeds for one in chosen)):
        for one in chosen:
            if seed < one.seeds:
                yield one, seed


def record(folder: Path, wanted: list[str]) -> None:
    """Record and compute the runs that are missing."""
    torch.set_num_threads(1)
    for one, seed in by_seed(wanted):
        path = folder / "runs" / one.run(seed)
        if not _is_whole(path):
            shutil.rmtree(path, ignore_errors=True)
            problem = lca.build_problem(one.problem, seed=seed, **one.arguments)
            lca.train(problem, path, replace(one.settings, seed=seed), progress=False, group=one.name)
        summary = lca.compute(path, folder / "store", rule=one.rule, workers=1, progress=False)
        if summary.computed:
            losses = ", ".join(f"{split.split} {split.loss_change:+.4f}" for split in summary.splits)
            print(f"{one.run(seed)}: {losses}, {summary.seconds:.0f} s", flush=True)


def _is_whole(path: Path) -> bool:
    """Whether a run was recorded to its end."""
    try:
        return lca.open_run(path).complete
    except (LcaError, OSError):
        return False


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2:])
