"""Every figure of a run by its name, each as a figure of Plotly's own that can be shown, changed and written alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainwell.errors import InputError, listed, nearest
from trainwell.report.figures import is_empty, plot
from trainwell.report.headline import scores
from trainwell.report.plotting import Plot
from trainwell.report.record import Record, read_record
from trainwell.report.run_figures import curve_plots, score_plot, side_by_side, stage_seconds, time_plot
from trainwell.report.theme import Theme, with_colours

if TYPE_CHECKING:
    import plotly.graph_objects


class UnknownFigure(InputError, KeyError):
    """There is no figure of that name."""

    __str__ = Exception.__str__  # a KeyError would show its sentence in quotes


class Figures(Mapping[str, Any]):
    """Figures of a run folder, drawn when they are asked for.

    Those of the whole run are ``score``, ``loss_curves``, ``training_loss``, ``validation_loss`` and ``time``; those of a stage
    are named after it, such as ``squeeze.reliability``; the last part suffices where no other stage has a figure of that name.

    Parameters
    ----------
    folder : a run folder; the run may be unfinished.
    theme : ``"light"`` or ``"dark"``, the colours of the report.

    Raises
    ------
    UnknownFigure : for a name that no figure has.
    """

    def __init__(self, folder: Path | str, theme: Theme = "light"):
        self.theme: Theme = theme
        self._plots = plots(read_record(Path(folder)))

    def __getitem__(self, name: str) -> "plotly.graph_objects.Figure":
        import plotly.graph_objects

        drawn = with_colours(self._plots[self._full(name)], self.theme)
        paper = with_colours("var(--paper)", self.theme)
        drawn["layout"] |= {"paper_bgcolor": paper, "plot_bgcolor": paper}
        return plotly.graph_objects.Figure(drawn)

    def __iter__(self) -> Iterator[str]:
        return iter(self._plots)

    def __len__(self) -> int:
        return len(self._plots)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and len(self._matching(name)) == 1

    def __repr__(self) -> str:
        return f"Figures({', '.join(self._plots)})"

    def _matching(self, name: str) -> list[str]:
        return [name] if name in self._plots else [full for full in self._plots if full.partition(".")[2] == name]

    def _full(self, name: str) -> str:
        found = self._matching(str(name))
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownFigure(f"figure {str(name)!r} is in several stages: say {listed(found)}.")
        there = listed(self._plots, most=len(self._plots)) or "none yet"
        raise UnknownFigure(f"there is no figure {str(name)!r}{nearest(str(name), self._plots)}; there are {there}.")


def plots(record: Record) -> dict[str, Plot]:
    """What can be drawn of a run, by name, in the order of the report."""
    drawn: dict[str, Plot] = {}
    if found := scores(record):
        drawn["score"] = score_plot(found, record.metric)
    if record.members:
        curves = curve_plots(record.members, next(iter(record.ranked_members), None))
        drawn |= {"loss_curves": side_by_side(curves), **curves}
    if spent := stage_seconds(record.events):
        drawn["time"] = time_plot(spent)
    for stage, evidence in record.evidence.items():
        drawn |= {f"{stage}.{name}": plot(figure) for name, figure in evidence.figures.items() if not is_empty(figure)}
    return drawn
