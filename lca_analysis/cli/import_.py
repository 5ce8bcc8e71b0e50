"""``lca import``: make a run of somebody else's checkpoints."""

import shlex
from pathlib import Path
from typing import Any

import click

from lca_analysis.cli.interruption import interrupted
from lca_analysis.cli.options import arguments_from
from lca_analysis.cli.output import emit, json_option, progress_from, quiet_option
from lca_analysis.errors import ArgumentError, NotFoundError


@click.command("import")
@click.argument("source")
@click.argument("run")
@click.option("--format", "form", type=click.Choice(["hdf5", "checkpoints"]), help="Default: a file is HDF5.")
@click.option("--pattern", help="Names of checkpoints, as step_{iteration}.pt, or a regular expression with a group.")
@click.option("--buffer", "buffers", multiple=True, metavar="NAME", help="A tensor that is no parameter.")
@click.option("--every", type=int, help="Training iterations between the rows of an HDF5 file (default: 1).")
@click.option("--flatten-shape", metavar="H,W,C", help="Feature map before the first dense layer of an HDF5 file.")
@click.option("--problem", help="What was trained: package.module:function or file.py:function.")
@click.option("--arg", "pairs", multiple=True, metavar="NAME=VALUE", help="An argument of --problem.")
@click.option("--name", default="", help="Name of the run (default: that of its folder).")
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in this folder.")
@json_option
@quiet_option
def import_(
    source: str, run: str, form: str | None, problem: str | None, pairs: tuple[str, ...], **options: Any
) -> int:
    """Make the run folder RUN of the checkpoints in SOURCE.

    SOURCE is a folder with one .safetensors or torch file (.pt, .pth, .bin) per point, or the HDF5
    weights file that the code of Lan et al. (2019) writes. Every point is kept to the bit.

    \b
    Examples:
      lca import checkpoints runs/mine --pattern 'step_{iteration}.pt' --problem train.py:problem
      lca import out runs/hf --pattern 'checkpoint-{iteration}/model.safetensors'
      lca import weights.h5 runs/paper --problem mnist_fc
    """
    from lca_analysis.trajectory import describe

    as_json, quiet = options.pop("as_json"), options.pop("quiet")
    fitting = {"problem": _problem(problem, pairs), "progress": progress_from(quiet)} | _given(options)
    checkpoints = Path(source).is_dir() if form is None else form == "checkpoints"
    try:
        imported = _import(source, run, checkpoints, fitting)
    except KeyboardInterrupt:
        return interrupted(run, "every point", "import begins anew with --overwrite")
    if as_json:
        emit(describe(imported), as_json)
    else:
        dtypes = ", ".join(dict.fromkeys(tensor.dtype for tensor in imported.parameters))
        click.echo(
            f"{imported} is imported, exact to the bit, as {dtypes}; go on with: lca compute {shlex.quote(run)} "
            "--store store" + ("" if problem else " --problem …")
        )
    return 0


def _import(source: str, run: str, checkpoints: bool, options: dict[str, Any]) -> Any:
    """Call the importer; an option of the other one is refused."""
    from lca_analysis import import_checkpoints, import_hdf5

    if not source or "://" in source:
        raise ArgumentError(f"{source or 'the path'}: checkpoints are imported from local files; copy them first")
    other = {"every", "flatten_shape"} if checkpoints else {"pattern", "buffers"}
    if not Path(source).exists():
        raise NotFoundError(f"{source} does not exist; name a folder of checkpoints, or an HDF5 file of weights")
    for name in sorted(other & options.keys()):
        option = "--" + {"buffers": "buffer"}.get(name, name.replace("_", "-"))
        raise ArgumentError(f"{option} is not for {'folders of checkpoints' if checkpoints else 'HDF5 files'}")
    return (import_checkpoints if checkpoints else import_hdf5)(source, run, **options)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Keep what was given."""
    if options["flatten_shape"] is not None:
        options["flatten_shape"] = _flatten_shape(options["flatten_shape"])
    return {name: value for name, value in options.items() if value is not None and value != ()}


def _flatten_shape(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise ArgumentError(f"--flatten-shape takes height,width,channels, such as 7,7,40, not {text!r}")
    return tuple(map(int, parts))


def _problem(target: str | None, pairs: tuple[str, ...]) -> Any:
    """Refer to the problem; it is built when the run is computed."""
    from lca_analysis.trajectory import ProblemReference

    if target is None and pairs:
        raise ArgumentError("--arg goes with --problem")
    return None if target is None else ProblemReference(target, arguments_from(pairs))
