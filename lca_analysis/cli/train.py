"""``lca train``: train a built-in problem, or one's own, and record it."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lca_analysis.cli.interruption import interrupted
from lca_analysis.cli.layer_options import interventions_from, layer_options, seeds_from
from lca_analysis.cli.options import arguments_from
from lca_analysis.cli.output import emit, json_option, progress_from, quiet_option

if TYPE_CHECKING:
    from lca_analysis.problems import TrainingSettings
    from lca_analysis.trajectory import Run


@click.command()
@click.argument("problem")
@click.argument("run")
@click.option("--iterations", default=400, show_default=True, help="Optimizer steps.")
@click.option("--batch-size", default=250, show_default=True, help="Examples per minibatch.")
@click.option("--optimizer", default="sgd", show_default=True, help="sgd, adam, adamw or rmsprop.")
@click.option("--learning-rate", "--lr", default=0.05, show_default=True, help="Learning rate.")
@click.option("--momentum", default=0.9, show_default=True, help="Momentum; the first beta of adam and adamw.")
@click.option("--weight-decay", default=0.0, show_default=True, help="Weight decay.")
@click.option("--nesterov", is_flag=True, help="Nesterov momentum (sgd).")
@click.option("--schedule", default="constant", show_default=True, help="constant, step or cosine.")
@click.option("--drop", "drops", multiple=True, type=int, help="Iteration at which step divides the rate by ten.")
@click.option("--warmup", default=0, show_default=True, help="Iterations of linear warm-up.")
@click.option("--seed", default=0, show_default=True, help="Of minibatches and dropout.")
@click.option("--seeds", metavar="0-9", help="One run for each seed, in RUN/seed-0 and so on; also of the weights.")
@click.option("--group", help="Name of the configuration that is repeated (default: made of the settings).")
@layer_options
@click.option("--data", help="Folder of the full MNIST or of CIFAR-10.")
@click.option("--arg", "pairs", multiple=True, metavar="NAME=VALUE", help="An argument of the problem, as seed=1.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in this folder.")
@click.option("--resume", is_flag=True, help="Go on with a stopped training; what is complete stays as it is.")
@json_option
@quiet_option
def train(
    problem: str,
    run: str,
    data: str | None,
    pairs: tuple[str, ...],
    overwrite: bool,
    resume: bool,
    as_json: bool,
    quiet: bool,
    seeds: str | None,
    group: str | None,
    freeze: tuple[str, ...],
    layer_rates: tuple[str, ...],
    layer_momenta: tuple[str, ...],
    delay: tuple[str, ...],
    **settings: Any,
) -> int:
    """Train PROBLEM and record every iteration in the folder RUN.

    PROBLEM is mnist_fc, mnist_lenet, cifar_resnet20, cifar_allcnn, digits_mlp, or your own as
    package.module:function or file.py:function.

    \b
    Examples:
      lca train mnist_fc runs/first
      lca train digits_mlp runs/adam --optimizer adam --lr 0.001 --iterations 200
      lca train digits_mlp runs/plain --seeds 0-9
      lca train digits_mlp runs/plain --seeds 0-9 --resume    (after an interruption, or for more seeds)
      lca train digits_mlp runs/frozen --seeds 0-9 --freeze fc3 --layer-momentum fc2=0
      lca train cifar_resnet20 runs/resnet --data cifar-10-batches-bin --arg train=5000
    """
    from lca_analysis.problems import TrainingSettings

    interventions = interventions_from(freeze, layer_rates, layer_momenta, delay)
    chosen = TrainingSettings(**settings, interventions=interventions)
    arguments = arguments_from(pairs) | ({} if data is None else {"data": data})
    places = {run: chosen}
    if seeds is not None:
        places = {f"{Path(run) / f'seed-{seed}'}": replace(chosen, seed=seed) for seed in seeds_from(seeds)}
    for place, repeat in places.items():
        own = arguments if seeds is None else _with_seed(problem, arguments, repeat.seed)
        name = "" if seeds is None else f"{Path(run).name}-seed-{repeat.seed}"
        try:
            recorded = _train(problem, own, place, repeat, (overwrite, progress_from(quiet), group, name, resume))
        except KeyboardInterrupt:
            return interrupted(place, "every iteration", "--resume goes on with it")
        _tell(recorded, place, as_json)
    return 0


def _train(
    problem: str,
    arguments: dict[str, Any],
    place: str,
    settings: "TrainingSettings",
    how: tuple[bool, bool | None, str | None, str, bool],
) -> "Run":
    """Build the problem anew and train it once."""
    from lca_analysis import build_problem
    from lca_analysis import train as train_problem

    return train_problem(build_problem(problem, **arguments), place, settings, *how)


def _with_seed(problem: str, arguments: dict[str, Any], seed: int) -> dict[str, Any]:
    """Let a built-in problem's initial weights follow the seed, unless --arg seed=… fixes them."""
    from lca_analysis.problems import PROBLEMS

    return arguments if problem not in PROBLEMS or "seed" in arguments else {**arguments, "seed": seed}


def _tell(recorded: "Run", place: str, as_json: bool) -> None:
    """Say that a run is recorded."""
    from lca_analysis.trajectory import describe

    if as_json:
        emit(describe(recorded), as_json)
    else:
        click.echo(f"{recorded} is recorded; go on with: lca compute {shlex.quote(place)} --store store")
