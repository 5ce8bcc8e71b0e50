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


@dataclass(frozen=True)
class Configuration:
    """A training that is repeated with several seeds (of the weights and of the minibatches).

    Options are those of the computation of each split; by default the adaptive rule. Lags and synchronised moments,
    which are found within a run, are read from long ones, of one seed each.
    """

    name: str
    problem: str
    settings: TrainingSettings
    seeds: int
    arguments: dict[str, Any] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    splits: tuple[str, ...] = ("train", "validation")

    def run(self, seed: int) -> str:
        """Name of a run."""
        return f"{self.name}-seed-{seed}"


def resnet20_digits(seed: int = 0, train: int | None = None, validation: int | None = None) -> Problem:
    """ResNet-20 with batch norm on scikit-learn's digits, 8×8 pixels, the one channel given three times."""
    counts = {"train": train, "validation": validation}
    splits = {
        name: (inputs.reshape(-1, 1, 8, 8).expand(-1, 3, -1, -1).contiguous()[: counts[name]], targets[: counts[name]])
        for name, (inputs, targets) in lca.build_problem("digits_mlp").splits.items()
    }
    return Problem(initialize(ResNet20(), seed), nn.CrossEntropyLoss(reduction="none"), splits, 500, classes=10)


@dataclass(frozen=True)
class Network:
    """A network with its data and its plain training."""

    name: str
    problem: str
    last: str
    settings: TrainingSettings
    arguments: dict[str, Any] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    def variant(self, name: str, *interventions: Intervention, seeds: int = 8, **changes: Any) -> Configuration:
        """Change something about the plain training."""
        settings = replace(self.settings, interventions=interventions, **changes)
        return Configuration(f"{self.name}-{name}", self.problem, settings, seeds, self.arguments, self.options)

    def long(self, iterations: int) -> list[Configuration]:
        """One training of many iterations with each of three momenta, computed on the train split only."""
        many = replace(self, settings=replace(self.settings, iterations=iterations))
        ways = [many.variant(f"long-momentum-{m:g}", seeds=1, momentum=m) for m in (0.9, 0.5, 0.0)]
        return [replace(one, splits=("train",)) for one in ways]

    def of_the_last(self) -> list[Configuration]:
        """The plain training, and what is done to the last layer."""
        slow = self.settings.learning_rate / 10
        return [
            self.variant("plain"),
            self.variant("last-frozen", Intervention(self.last, freeze_from=0)),
            self.variant("last-slow", Intervention(self.last, learning_rate=slow)),
            self.variant("last-no-momentum", Intervention(self.last, momentum=0.0)),
        ]


FC = Network(
    "fc",
    "mnist_fc",
    "fc3",
    TrainingSettings(iterations=150, learning_rate=0.05, momentum=0.9),
    options={"train": {"tolerance": 1e-4}, "validation": {"rule": "trapezoid"}},
)
LENET = Network(
    "lenet",
    "mnist_lenet",
    "fc2",
    TrainingSettings(iterations=100, batch_size=20, learning_rate=0.02),
    arguments={"train": 200, "validation": 100},
    options={"validation": {"rule": "trapezoid"}},
)
RESNET = Network(
    "resnet",
    f"{HERE}:resnet20_digits",
    "fc",
    TrainingSettings(iterations=110, batch_size=25, learning_rate=0.05),
    arguments={"train": 400, "validation": 100},
)
NETWORKS = (FC, LENET, RESNET)

CONFIGURATIONS = [
    *FC.of_the_last(),
    FC.variant("first-frozen", Intervention("fc1", freeze_from=0)),
    FC.variant("momentum-0", momentum=0.0),
    FC.variant("momentum-0.5", momentum=0.5),
    *(FC.variant(f"batch-{size}", seeds=3, batch_size=size) for size in (10, 25, 50, 1000, 4000)),
    *LENET.of_the_last(),
    LENET.variant("momentum-0", momentum=0.0),
    LENET.variant("momentum-0.5", momentum=0.5),
    *RESNET.of_the_last(),
    RESNET.variant("momentum-0", seeds=5, momentum=0.0),
    RESNET.variant("momentum-0.5", seeds=5, momentum=0.5),
]
LONG = [*FC.long(600), *LENET.long(300), *RESNET.long(300)]


def by_seed(wanted: list[str]) -> Iterator[tuple[Configuration, int]]:
    """Go through the runs seed by seed, so that what is there is paired whenever one stops."""
    chosen = [one for one in (*CONFIGURATIONS, *LONG) if not wanted or one.name in wanted]
    for seed in range(max(one.seeds for one in chosen)):
        for one in chosen:
            if seed < one.seeds:
                yield one, seed


def record(folder: Path, wanted: list[str]) -> None:
    """Record the runs that are missing, and compute the missing splits."""
    torch.set_num_threads(1)
    for one, seed in by_seed(wanted):
        path = folder / "runs" / one.run(seed)
        if not _is_whole(path):
            shutil.rmtree(path, ignore_errors=True)
            problem = lca.build_problem(one.problem, seed=seed, **one.arguments)
            lca.train(problem, path, replace(one.settings, seed=seed), progress=False, group=one.name)
        for split in one.splits:
            options = one.options.get(split, {})
            done = lca.compute(path, folder / "store", None, split, workers=1, progress=False, **options)
            if done.computed:
                told = done.splits[0]
                cost = f"{told.gradient_evaluations} gradients, {done.seconds:.0f} s"
                print(f"{one.run(seed)} {split}: {told.loss_change:+.4f}, {cost}", flush=True)


def _is_whole(path: Path) -> bool:
    """Whether a run was recorded to its end."""
    try:
        return lca.open_run(path).complete
    except (LcaError, OSError):
        return False


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2:])
