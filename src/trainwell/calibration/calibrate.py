"""What is fitted after the networks, from the ensemble's predictions of held-out rows: temperature, threshold, intervals."""

from dataclasses import dataclass

import numpy as np

from trainwell.calibration.intervals import Intervals, fit_intervals
from trainwell.calibration.temperature import fit_temperature, scaled
from trainwell.calibration.thresholds import HALF, Costs, choose


@dataclass(frozen=True)
class Calibration:
    """What is done to the average of the networks before a person sees it; as it is by default.

    Parameters
    ----------
    temperature : of the probabilities.
    threshold : above which probability the second of two classes is predicted.
    intervals : around predicted numbers, in the target's own unit; None for classes, or where none were fitted.
    """

    temperature: float = 1.0
    threshold: float = HALF
    intervals: Intervals | None = None

    def applied(self, average: np.ndarray) -> np.ndarray:
        """Predictions (rows, outputs) from the average of the networks: probabilities at the temperature; numbers stay."""
        return scaled(average, self.temperature)


def calibrate(
    predictions: np.ndarray,
    target: np.ndarray,
    task: str,
    *,
    metric: str = "",
    costs: Costs | None = None,
    mean: float = 0.0,
    scale: float = 1.0,
    weights: np.ndarray | None = None,
) -> Calibration:
    """Fit it all.

    Parameters
    ----------
    predictions : (rows, outputs) the ensemble's average for rows that its networks were not trained on.
    target : (rows,) class numbers, or scaled values.
    task : ``"binary"``, ``"multiclass"`` or ``"regression"``.
    metric : the name of what was maximized; one of `THRESHOLDED` decides the threshold, where costs do not.
    costs : what mistakes cost.
    mean, scale : of the target, for regression: the intervals are in its own unit.
    weights : how much each row counts (rows,); None where all count the same.
    """
    if task == "regression":
        predicted, truth = (np.asarray(one, np.float64) * scale + mean for one in (predictions[:, 0], target))
        return Calibration(intervals=fit_intervals(predicted, truth, weights))
    temperature = fit_temperature(predictions, target, weights)
    if task == "multiclass":
        return Calibration(temperature)
    probability = scaled(predictions, temperature)[:, 0]
    return Calibration(temperature, choose(probability, np.asarray(target) == 1, metric, costs, weights))
