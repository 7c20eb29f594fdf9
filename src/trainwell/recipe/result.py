"""A run as its user holds it: what each stage found, the model, the report and its figures."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainwell.calibration.intervals import LEVEL
from trainwell.errors import InputError
from trainwell.model import Model
from trainwell.population.member import Training
from trainwell.recipe.evidence import Evidence
from trainwell.report.gallery import Figures
from trainwell.report.notebook import show, summary


@dataclass
class Run:
    """A run as far as it came.

    Parameters
    ----------
    folder : the run folder.
    evidence : what each stage that finished found, by the stage's name.
    model : the saved model; None where the run was stopped before it had one.
    interrupted : whether Ctrl-C ended it.
    trainings : every network that this call trained, with its curves.
    """

    folder: Path
    evidence: dict[str, Evidence] = field(default_factory=dict)
    model: Model | None = None
    interrupted: bool = False
    trainings: list[Training] = field(default_factory=list, repr=False)

    @property
    def report(self) -> Path:
        """The page that explains every step."""
        return self.folder / "report.html"

    @property
    def figures(self) -> Figures:
        """Every figure of the report by its name: ``run.figures["loss_curves"]`` is one of Plotly's that can be shown alone."""
        return Figures(self.folder)

    def _repr_html_(self) -> str:
        return summary(self.folder)

    def _ipython_display_(self) -> None:
        show(self.folder)

    def predict(self, rows: Any) -> np.ndarray:
        """As `trainwell.model.Model.predict`; `InputError` where the run has no model."""
        return self._model().predict(rows)

    def predict_proba(self, rows: Any) -> np.ndarray:
        """As `trainwell.model.Model.predict_proba`; `InputError` where the run has no model."""
        return self._model().predict_proba(rows)

    def predict_interval(self, rows: Any, level: float = LEVEL) -> np.ndarray:
        """As `trainwell.model.Model.predict_interval`; `InputError` where the run has no model."""
        return self._model().predict_interval(rows, level)

    def _model(self) -> Model:
        if self.model is None:
            raise InputError(f"The run in {self.folder} was stopped before it had a model.")
        return self.model


def closing(run: Run) -> dict[str, Any]:
    """What the last event of a run says of it, but for its seconds."""
    measures = run.evidence["squeeze"].measures if "squeeze" in run.evidence else {}
    found = {name: measures.get(name) for name in ("test_score", "low", "high", "metric")}
    return {**found, "model": run.folder / "model" if run.model is not None else None, "report": run.report}
