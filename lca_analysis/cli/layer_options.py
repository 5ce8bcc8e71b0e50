"""Options of ``lca train`` that are about single layers, and about repeats."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lca_analysis.errors import ArgumentError

if TYPE_CHECKING:
    from lca_analysis.problems import Intervention

Command = TypeVar("Command", bound=Callable[..., Any])

_MOST_SEEDS = 10_000


def layer_options(command: Command) -> Command:
    """Add --freeze, --layer-lr, --layer-momentum and --delay to a command."""
    for decorate in (
        click.option("--delay", multiple=True, metavar="LAYER=N", help="Use the layer's gradients N iterations late."),
        click.option("--layer-momentum", "layer_momenta", multiple=True, metavar="LAYER=M", help="Its own momentum."),
        click.option("--layer-lr", "layer_rates", multiple=True, metavar="LAYER=RATE", help="Its own learning rate."),
        click.option(
            "--freeze",
            multiple=True,
            metavar="LAYER[@ITERATION]",
            help="Keep a layer as it is, from the start or from an iteration on.",
        ),
    ):
        command = decorate(command)
    return command


def interventions_from(
    freeze: tuple[str, ...], rates: tuple[str, ...], momenta: tuple[str, ...], delays: tuple[str, ...]
) -> "tuple[Intervention, ...]":
    """Join the options of each layer into one intervention, in the order in which layers are first named.

    Raises
    ------
    ArgumentError
        An option has not its form, or a layer has one of them twice.
    """
    from lca_analysis.problems import Intervention

    layers: dict[str, dict[str, Any]] = {}
    for option, name, values, kind in (
        ("--freeze", "freeze_from", [_frozen(value) for value in freeze], int),
        ("--layer-lr", "learning_rate", rates, float),
        ("--layer-momentum", "momentum", momenta, float),
        ("--delay", "delay", delays, int),
    ):
        for text in values:
            layer, number = _pair(option, text, kind)
            if name in layers.setdefault(layer, {}):
                raise ArgumentError(f"{option} is given twice for layer {layer!r}")
            layers[layer][name] = number
    return tuple(Intervention(layer, **values) for layer, values in layers.items())


def _frozen(text: str) -> str:
    """Bring LAYER or LAYER@ITERATION to the form LAYER=ITERATION."""
    layer, at, iteration = text.rpartition("@")
    return f"{layer}={iteration}" if at else f"{text}=0"


def _pair(option: str, text: str, kind: Callable[[str], Any]) -> tuple[str, Any]:
    """Take LAYER=NUMBER apart."""
    layer, equals, number = text.rpartition("=")
    try:
        if equals and layer:
            return layer, kind(number)
    except ValueError:
        pass
    form = "LAYER or LAYER@ITERATION" if option == "--freeze" else "LAYER=NUMBER"
    raise ArgumentError(f"{option} takes {form}, not {text!r}")


def seeds_from(text: str) -> list[int]:
    """Read seeds such as 0-9 or 0,2,5-7, each once.

    Raises
    ------
    ArgumentError
        The text has another form, or names more than 10,000 seeds.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last - first >= _MOST_SEEDS:
            raise ArgumentError(f"--seeds takes numbers and ranges such as 0-9 or 0,2,5-7, not {text!r}")
        seeds += range(first, last + 1)
    return list(dict.fromkeys(seeds))
