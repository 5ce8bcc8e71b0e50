"""Peak memory of computing a run, in floats of 4 bytes a parameter, above a process that has imported everything.

Each computation is a process of its own, whose largest resident set is read; files that the system keeps in its cache
do not count. Few examples make the activations small beside the parameters. What a bare loss and backward pass takes
beside weights and gradient is measured too, and taken off: that is the model's own.

    python benchmarks/memory.py            # 2 million parameters, 20 and 100 steps
    python benchmarks/memory.py --long     # 200,000 parameters, 100 and 5,000 steps
    python benchmarks/memory.py --quick    # a smoke test that judges nothing
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

LARGEST = 5.0  # floats a parameter
GROWTH = 4.0  # MiB that a longer run may take more, its list of points included

PROBLEM = """
import torch
import lca_analysis as lca

def problem(depth=1, width=1000, inputs=500):
    torch.manual_seed(0)
    layers = [torch.nn.Linear(inputs, width)]
    for _ in range(depth - 1):
        layers += [torch.nn.Tanh(), torch.nn.Linear(width, width)]
    split = torch.randn(8, inputs), torch.arange(8)
    return lca.Problem(torch.nn.Sequential(*layers), torch.nn.CrossEntropyLoss(reduction="none"), {"train": split}, 8)
"""
RECORD = """
import sys, torch
import lca_analysis as lca

problem = lca.build_problem("wide.py:problem", depth=int(sys.argv[1]), width=int(sys.argv[2]))
optimizer = torch.optim.SGD(problem.model.parameters(), lr=0.01, momentum=0.9)
inputs, targets = problem.split("train")
with lca.Recorder(sys.argv[4], problem.model, optimizer, problem=problem):
    for _ in range(int(sys.argv[3])):
        optimizer.zero_grad()
        problem.loss(problem.model(inputs), targets).mean().backward()
        optimizer.step()
"""
COMPUTE = """
import resource, sys
import lca_analysis as lca

lca.compute(sys.argv[1], sys.argv[2], progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
BARE = """
import resource, sys, torch
import lca_analysis as lca

torch.set_num_threads(1)
problem = lca.build_problem("wide.py:problem", depth=int(sys.argv[1]), width=int(sys.argv[2]))
inputs, targets = problem.split("train")
for parameter in problem.model.parameters():
    parameter.grad = torch.zeros_like(parameter)
problem.loss(problem.model(inputs), targets).mean().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def run(code: str, folder: Path, *arguments: object) -> str:
    """Run code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def peak(folder: Path, depth: int, width: int, steps: int) -> int:
    """Record a run and give the peak of computing it, in bytes."""
    name = f"run-{depth}-{width}-{steps}-{sum(1 for _ in folder.iterdir())}"  # the same may be asked for again
    run(RECORD, folder, depth, width, steps, name)
    return int(run(COMPUTE, folder, name, f"store-{name}"))


def judge(folder: Path, depth: int, width: int, lengths: tuple[int, int], largest: float | None) -> bool:
    """Measure a model with two lengths of a run; whether what is wanted holds."""
    parameters = width * 501 + (depth - 1) * width * (width + 1)
    least, bare_least = peak(folder, 1, 10, 4), int(run(BARE, folder, 1, 10))
    own = (int(run(BARE, folder, depth, width)) - bare_least) / 4 / parameters - 2
    found = [peak(folder, depth, width, steps) for steps in lengths]
    growth = (found[1] - found[0]) / 2**20
    print(f"{parameters} parameters in {depth} layer(s); with 5,010: {least / 2**20:.0f} MiB")
    print(f"  the model's own, beside weights and gradient: {own:.1f} K floats")
    floats = [(value - least) / 4 / parameters for value in found]
    for steps, value in zip(lengths, floats, strict=True):
        print(f"  {steps} steps: {value:.1f} K floats above that, {value - own:.1f} without the model's own")
    print(f"  {lengths[1]} steps take {growth:.1f} MiB more than {lengths[0]}")
    is_small = largest is None or max(floats) - own <= largest
    if largest is not None:
        print(f"  at most {largest:g} K floats: {'PASS' if is_small else 'FAIL'}")
    print(f"  at most {GROWTH:g} MiB of growth: {'PASS' if growth <= GROWTH else 'FAIL'}")
    return is_small and growth <= GROWTH


def main() -> int:
    parser = argparse.ArgumentParser(description="Peak memory of computing a run.")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quick", action="store_true", help="fewer parameters and steps; judges nothing")
    group.add_argument("--long", action="store_true", help="fewer parameters, 100 and 5,000 steps")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "wide.py").write_text(PROBLEM)
        if chosen.quick:
            judge(folder, 1, 500, (4, 12), LARGEST)
            return 0
        if chosen.long:
            return 0 if judge(folder, 1, 400, (100, 5000), None) else 1
        held = [judge(folder, 1, 4000, (20, 100), LARGEST), judge(folder, 6, 600, (20, 100), LARGEST)]
        return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
