"""``lca animate``: training as a moving picture."""

import click


@click.command()
@click.argument("store")
@click.option("--out", default="training.gif", show_default=True, help="File to write: .gif, or .mp4 with ffmpeg.")
@click.option("--run", help="The run (may be left out when STORE has one).")
@click.option("--layer", help="Show the neurons or channels of this layer (default: the layers).")
@click.option("--frames", default=100, show_default=True, help="Number of frames.")
@click.option("--fps", default=12, show_default=True, help="Frames per second.")
def animate(store: str, out: str, run: str | None, layer: str | None, frames: int, fps: int) -> None:
    """Write an animation of who helps and who hurts over the training of a run of STORE.

    \b
    Examples:
      lca animate store --out training.gif
      lca animate store --run mine --layer fc1 --out fc1.gif
    """
    from lca_analysis.report.animation import animate as write_animation

    click.echo(write_animation(store, out, run=run, layer=layer, frames=frames, fps=fps))
