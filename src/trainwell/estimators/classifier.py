"""`NeuralClassifier`: two classes, several, or several labels of which any may be true."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import assert_all_finite, check_array, check_consistent_length, column_or_1d

from trainwell.calibration.temperature import ENDS
from trainwell.data.tables import Table
from trainwell.estimators.rows import class_names
from trainwell.estimators.shared import NeuralNetwork


class NeuralClassifier(ClassifierMixin, NeuralNetwork):
    """Neural networks for classes, trained by the recipe.

    Parameters
    ----------
    effort : ``"minimal"`` (one small network, to try code out), ``"fast"``, ``"default"`` or ``"best"``.
    time_limit : seconds for a fit, or text such as ``"5m"``; overrules the effort.
    trials : how many networks to try; without a time limit the same data then give the same model.
    metric : what to maximize: ``"auc"``, ``"average_precision"``, ``"accuracy"``, ``"balanced_accuracy"``, ``"f1"``,
        ``"log_loss"``, or a function of (truth, prediction).
    smaller_is_better : whether that function's number is a loss.
    cost : of two classes what a mistake costs, ``{"fp": 1, "fn": 20}``: `predict` then decides at the cheapest threshold.
    class_weight : ``"balanced"``, or a weight for each class; multiplies the rows' own weights.
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
    classes_ : the labels; of several true at once the numbers of the columns of y.
    n_features_in_, feature_names_in_ : as scikit-learn has them.
    run_ : the run: ``evidence`` of each stage, ``model``. A list where y has several columns.
    history_ : the loss curves of every network.
    findings_ : what went wrong in training, by cause, with the remedy.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from trainwell import NeuralClassifier
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> classifier = NeuralClassifier(effort="minimal", random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        *,
        effort: str = "default",
        time_limit: float | str | None = None,
        trials: int | None = None,
        metric: str | Callable[..., Any] | None = None,
        smaller_is_better: bool = False,
        cost: Mapping[str, float] | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        search: str = "tpe",
        space: Any = None,
        settings: Mapping[str, Any] | None = None,
        ignore: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        numbers: Sequence[str] | None = None,
        group: str | None = None,
        time: str | None = None,
        out: str | Path | None = None,
        cores: int | None = None,
        device: str = "auto",
        keep_going: bool = True,
        random_state: Any = None,
    ):
        super().__init__(
            effort=effort, time_limit=time_limit, trials=trials, metric=metric, smaller_is_better=smaller_is_better,
            search=search, space=space, settings=settings, ignore=ignore, categories=categories, numbers=numbers, group=group,
            time=time, out=out, cores=cores, device=device, keep_going=keep_going, random_state=random_state,
        )  # fmt: skip
        self.cost = cost
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> "NeuralClassifier":
        """Run the recipe.

        Parameters
        ----------
        X : data frame (pandas, Polars, Arrow) or array (rows, columns); cells may be missing, text is taken as categories.
        y : labels (rows,), or 0 and 1 (rows, labels).
        sample_weight : how much each row counts (rows,).
        groups : rows of a group (rows,) stay together in training, validation or test.
        """
        X = self._checked(X, reset=True)
        y, several = self._labels(y, X)
        weights = self._weights(sample_weight, X)
        own = None if self.class_weight is None else compute_sample_weight(self.class_weight, y)
        counts = _positive(weights, len(y)) & _positive(own, len(y))
        if several:
            return self._fit_labels(X, y, counts, weights, groups, own)
        self.classes_, codes = np.unique(y, return_inverse=True)
        present = np.unique(codes[counts])
        if len(present) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes in the data, but the data contains only one "
                f"class: {self.classes_.tolist()[present[0]]!r}"
            )
        self._several, names = False, class_names(self.classes_)
        self._names = names
        task = "binary" if len(present) == 2 else "multiclass"
        self._fit(X, [(np.array(names, dtype=object)[codes], codes)], "target", task, weights, groups, own)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row, of two the one that the threshold says; of several labels 0 and 1 (rows, labels)."""
        table = self._to_predict(X)
        if self._several:
            return np.column_stack([self._label(place, table) for place in range(len(self.classes_))])
        place = {name: number for number, name in enumerate(self._names)}
        return self.classes_[[place[name] for name in self.run_.model.labels(self._outputs(0, table))]]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Calibrated probabilities (rows, classes), or of each label (rows, labels)."""
        table = self._to_predict(X)
        if self._several:
            return np.column_stack([self._probability(place, table) for place in range(len(self.classes_))])
        probabilities = np.zeros((table.rows, len(self.classes_)))
        model = self.run_.model
        probabilities[:, [self._names.index(name) for name in model.classes]] = model.probabilities(self._outputs(0, table))
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def _options(self, X: Any, table: Table) -> dict[str, Any]:
        return {**super()._options(X, table), "cost": None if self.cost is None else dict(self.cost)}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _labels(self, y: Any, X: Any) -> tuple[np.ndarray, bool]:
        """(y, whether several labels may be true at once)."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        if np.asarray(y).dtype.kind == "f":  # which scikit-learn's look at the kind of target does not check
            assert_all_finite(np.asarray(y), input_name="y")
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            y = check_array(y, input_name="y", accept_sparse=True, dtype=None)
            y = (y.toarray() if hasattr(y, "toarray") else y).astype(int)
        else:
            y = column_or_1d(y, warn=True)
            if y.dtype == object and any(_is_missing(one) for one in y):
                raise ValueError("Input y contains NaN.")
        check_consistent_length(X, y)
        check_classification_targets(y)
        return y, kind == "multilabel-indicator"

    def _fit_labels(self, X: Any, y: np.ndarray, counts: np.ndarray, weights: np.ndarray | None, groups: Any,
                    own: np.ndarray | None) -> "NeuralClassifier":  # fmt: skip
        """A run for each label; one that all rows that count agree in is predicted as it is."""
        self._several, self.classes_ = True, np.arange(y.shape[1])
        self._always = [int(column[0]) if (column == column[0]).all() else None for column in y[counts].T]
        varied = [always is None for always in self._always]
        targets = [(column.astype(str), column) if one else None for column, one in zip(y.T, varied, strict=True)]
        self._fit(X, targets, "label", "binary", weights, groups, own)
        return self

    def _label(self, place: int, table: Table) -> np.ndarray:
        always = self._always[place]
        if always is not None:
            return np.full(table.rows, always)
        return self.run_[place].model.labels(self._outputs(place, table)).astype(int)

    def _probability(self, place: int, table: Table) -> np.ndarray:
        always = self._always[place]
        if always is not None:
            return np.full(table.rows, float(always))
        return np.clip(self._outputs(place, table)[:, 0].astype(float), *ENDS)


def _positive(weights: np.ndarray | None, rows: int) -> np.ndarray:
    """Which rows have any weight."""
    return np.ones(rows, bool) if weights is None else weights > 0


def _is_missing(label: Any) -> bool:
    """None, not a number, or what pandas has for either."""
    return label is None or str(label) == "<NA>" or (isinstance(label, float) and label != label)
