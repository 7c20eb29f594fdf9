"""`NeuralRegressor`: a number, or several."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from trainwell.calibration.intervals import LEVEL
from trainwell.estimators.shared import NeuralNetwork


class NeuralRegressor(RegressorMixin, NeuralNetwork):
    """Neural networks for numbers, trained by the recipe.

    Parameters
    ----------
    effort : ``"minimal"`` (one small network, to try code out), ``"fast"``, ``"default"`` or ``"best"``.
    time_limit : seconds for a fit, or text such as ``"5m"``; overrules the effort.
    trials : how many networks to try; without a time limit the same data then give the same model.
    metric : what to maximize: ``"r2"``, ``"rmse"``, ``"mae"``, ``"pinball:0.9"`` for a quantile, or a function of
        (truth, prediction).
    smaller_is_better : whether that function's number is a loss.
    search, space : how and among what networks are searched, see the docs on the search.
    settings : settings of the networks held fixed, ``{"dropout.rate": 0.2}``.
    ignore, categories, numbers : columns that must not be used, columns of numbers that are names, and columns that stay
        numbers though they look like identifiers; by name or place.
    group, time : column to split by, so that equal values stay together, or that the latest rows validate and test.
    out : a folder for the run, with a number behind its name where an earlier fit has written; a temporary one when left out,
        of which the estimator carries what it needs.
    cores, device : how many cores to use, all when left out; ``"cpu"`` or ``"gpu"``, which ``"auto"`` takes for long fits.
    keep_going : whether a fit goes on where a stage says that it is no use; a stage's verdict is in ``run_.evidence``.
    random_state : the seed, or what scikit-learn takes in its place; chance decides when left out.

    Attributes
    ----------
    n_features_in_, feature_names_in_ : as scikit-learn has them.
    run_ : the run: ``evidence`` of each stage, ``model``. A list where y has several columns.
    history_ : the loss curves of every network.
    findings_ : what went wrong in training, by cause, with the remedy.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from trainwell import NeuralRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> regressor = NeuralRegressor(effort="minimal", random_state=0).fit(X, y)
    >>> regressor.predict_interval(X, level=0.8).shape
    (442, 2)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> "NeuralRegressor":
        """Run the recipe.

        Parameters
        ----------
        X : data frame (pandas, Polars, Arrow) or array (rows, columns); cells may be missing, text is taken as categories.
        y : numbers (rows,) or (rows, outputs).
        sample_weight : how much each row counts (rows,).
        groups : rows of a group (rows,) stay together in training, validation or test.
        """
        X = self._checked(X, reset=True)
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        y = check_array(y, input_name="y", ensure_2d=False, dtype=np.float64)
        self._several = y.ndim == 2 and y.shape[1] > 1
        y = y if self._several else column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        targets = [(column, None) for column in (y.T if self._several else [y])]
        self._fit(X, targets, "target", "regression", self._weights(sample_weight, X), groups)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers (rows,), or (rows, outputs)."""
        table = self._to_predict(X)
        found = [run.model.labels(self._outputs(place, table)) for place, run in enumerate(self._runs)]
        return np.column_stack(found) if self._several else found[0]

    def predict_interval(self, X: Any, level: float = LEVEL) -> np.ndarray:
        """Intervals (rows, 2), low and high, that hold the truth of a share ``level`` of rows like those of training; of
        several outputs (rows, outputs, 2)."""
        table = self._to_predict(X)
        found = []
        for place, run in enumerate(self._runs):
            run.model.interval(np.zeros(0), level)  # or nothing needs to be predicted
            found.append(run.model.interval(run.model.labels(self._outputs(place, table)), level))
        return np.stack(found, axis=1) if self._several else found[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
