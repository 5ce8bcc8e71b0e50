"""Peak memory of computing a run, in floats of 4 bytes a parameter, above a process that has imported everything.

A wide linear model on few examples: activations are small beside the parameters, so that what is left is the engine's.
Each computation is a process of its own, whose largest resident set is read.

    python benchmarks/memory.py            # 2 million parameters, 20 and 100 steps
    python benchmarks/memory.py --quick    # 0.5 million parameters, 4 and 12 steps
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PROBLEM = """
import torch
import lca_analysis as lca

def problem(width=1000, inputs=500):
    torch.manual_seed(0)
    model = torch.nn.Linear(inputs, width)
    split = torch.randn(8, inputs), torch.arange(8)
    return lca.Problem(model, torch.nn.CrossEntropyLoss(reduction="none"), {"train": split}, 8)
"""
RECORD = """
import sys, torch
import lca_analysis as lca

problem = lca.build_problem("wide.py:problem", width=int(sys.argv[1]))
optimizer = torch.optim.SGD(problem.model.parameters(), lr=0.01, momentum=0.9)
inputs, targets = problem.split("train")
with lca.Recorder(sys.argv[3], problem.model, optimizer, problem=problem):
    for _ in range(int(sys.argv[2])):
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


def run(code: str, folder: Path, *arguments: str) -> str:
    """Run code in a process of its own."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def peak(folder: Path, width: int, steps: int) -> int:
    """Record a run and give the peak of computing it, in bytes."""
    name = f"run-{width}-{steps}"
    run(RECORD, folder, str(width), str(steps), name)
    return int(run(COMPUTE, folder, name, f"store-{name}"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of computing a run.")
    parser.add_argument("--quick", action="store_true", help="fewer parameters and steps")
    width, lengths = (1000, (4, 12)) if parser.parse_args().quick else (4000, (20, 100))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "wide.py").write_text(PROBLEM)
        least = peak(folder, 10, 4)
        print(f"with 5,010 parameters: {least / 2**20:.0f} MiB")
        for steps in lengths:
            found = peak(folder, width, steps)
            parameters = width * 501
            print(f"{parameters} parameters, {steps} steps: {(found - least) / 4 / parameters:.1f} K floats above that")


if __name__ == "__main__":
    main()
