"""A run as TensorBoard's event files, in the folder ``tensorboard`` of the run: `tensorboard --logdir runs` shows all runs."""

from pathlib import Path

from trainwell.tracking.told import Told

FOLDER = "tensorboard"


def write(run: Told, folder: Path) -> str:
    """Write the event files of a run, in place of those that were written before; returns where they are."""
    from tensorboardX import SummaryWriter

    place = folder / FOLDER
    for old in place.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(place)) as writer:
        rows = "".join(f"| {_cell(name)} | {_cell(value)} |\n" for name, value in run.parameters.items())
        writer.add_text("parameters", f"| parameter | value |\n|---|---|\n{rows}", walltime=run.began)
        for stage, text in run.texts.items():
            writer.add_text(f"stage/{stage}", text, walltime=run.ended)
        for name, value in run.figures.items():
            writer.add_scalar(f"figures/{name}", value, 0, walltime=run.ended)
        for name, curve in run.curves.items():
            for point in curve:
                writer.add_scalar(name, point.value, point.step, walltime=point.time)
    return f"TensorBoard files in {place}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
