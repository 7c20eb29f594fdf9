"""What both estimators share: parameters, checks, the run, and what is kept of it."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from trainwell import words
from trainwell.data.tables import Table
from trainwell.errors import InputError
from trainwell.estimators.kept import files_of, next_folder, read_run, write_files
from trainwell.estimators.rows import counted, features, is_frame, own_name, with_column
from trainwell.inference.ensemble import BLOCK
from trainwell.recipe.run import fit as run_recipe

RESTORED = ("run_", "history_", "findings_")  # made from the run's files, and made anew by a copy


class NeuralNetwork(BaseEstimator):
    """The recipe behind ``fit`` and ``predict``; parameters are the command line's options."""

    def __init__(
        self,
        *,
        effort: str = "default",
        time_limit: float | str | None = None,
        trials: int | None = None,
        metric: str | Callable[..., Any] | None = None,
        smaller_is_better: bool = False,
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
        self.effort = effort
        self.time_limit = time_limit
        self.trials = trials
        self.metric = metric
        self.smaller_is_better = smaller_is_better
        self.search = search
        self.space = space
        self.settings = settings
        self.ignore = ignore
        self.categories = categories
        self.numbers = numbers
        self.group = group
        self.time = time
        self.out = out
        self.cores = cores
        self.device = device
        self.keep_going = keep_going
        self.random_state = random_state

    def save(self, folder: str | Path) -> Path:
        """Write the run folder, with the model and the report that explains every step; of several outputs one folder each."""
        check_is_fitted(self)
        folder = Path(folder)
        runs = {place: files for place, files in enumerate(self._files) if files is not None}
        if not runs:
            raise ValueError("There is no run to save: every output had a single value, and nothing was trained.")
        for place, files in runs.items():
            write_files(files, folder if len(self._files) == 1 else folder / f"output-{place}")
        return folder

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_files")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name not in RESTORED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_files" in state:
            self._restore()

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """X as scikit-learn checks it: a data frame as it is, anything else as an array."""
        if is_frame(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if not len(X):
                raise ValueError(f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")
            return X
        least = 2 if reset else 1
        return validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan", ensure_min_samples=least)

    def _weights(self, sample_weight: Any, X: Any) -> np.ndarray | None:
        if sample_weight is None:
            return None
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if (weights < 0).any():
            raise ValueError("Negative values in data passed to `sample_weight`.")
        if not weights.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return weights

    def _fit(self, X: Any, targets: Sequence[tuple[Any, np.ndarray | None] | None], name: str, task: str | None, weights: Any,
             groups: Any, class_weights: np.ndarray | None = None) -> None:  # fmt: skip
        """One run for each target, (values of the column, class numbers of the rows), or None where all values are the same."""
        plain = features(X)
        table, group = self._with_groups(plain, groups)
        out = None if self.out is None else next_folder(Path(self.out))
        options = {**self._options(X, plain), "task": task, "group": group, "seed": self._seed()}
        name = own_name(name, table)
        kept: list[tuple[dict[str, bytes] | None, str | None]] = []
        for place, target in enumerate(targets):
            if target is None:
                kept.append((None, None))
                continue
            values, classes = target
            rows = counted(with_column(table, name, values), weights, classes, class_weights)
            part = out if out is None or len(targets) == 1 else out / f"output-{place}"
            kept.append(self._one_run(rows, name, options, part))
        self._files = [files for files, _ in kept]
        self._folders = [folder for _, folder in kept]
        self._columns = plain.columns
        self._restore()

    def _one_run(self, rows: Table, name: str, options: dict[str, Any], out: Path | None) -> tuple[dict[str, bytes], str]:
        given = {key: value for key, value in options.items() if value is not None}
        with tempfile.TemporaryDirectory(prefix="trainwell-") as temporary:
            folder = Path(temporary) / "run" if out is None else out
            run = run_recipe(rows, name, out=folder, report=out is not None, **given)
            if run.model is None:
                raise KeyboardInterrupt if run.interrupted else InputError("the run ended before it had a model.")
            return files_of(run.folder), str(run.folder)

    def _options(self, X: Any, table: Table) -> dict[str, Any]:
        limit = self.time_limit
        return {
            "effort": self.effort,
            "time_limit": words.parse_duration(limit) if isinstance(limit, str) else limit,
            "trials": self.trials,
            "metric": self.metric,
            "smaller_is_better": self.smaller_is_better,
            "search": self.search,
            "space": self.space,
            "settings": None if self.settings is None else dict(self.settings),
            "ignore": _columns(self.ignore, table),
            "categories": _columns(self.categories, table),
            "numbers": self._numbers(X, table),
            "time": self.time,
            "cores": self.cores,
            "device": self.device,
            "keep_going": self.keep_going,
        }

    def _numbers(self, X: Any, table: Table) -> tuple[str, ...]:
        """Of an array of numbers every column is one: it has no name that could say identifier."""
        if is_frame(X) or X.dtype.kind not in "iuf":
            return _columns(self.numbers, table)
        other = {*_columns(self.ignore, table), *_columns(self.categories, table), self.group, self.time}
        return tuple(name for name in table.columns if name not in other)

    def _with_groups(self, table: Table, groups: Any) -> tuple[Table, str | None]:
        """(the table, with the groups as a column; the name of that column)."""
        if groups is None:
            return table, self.group
        if self.group is not None:
            raise ValueError("groups and the parameter group are both given; leave one out.")
        groups = np.asarray(groups)
        check_consistent_length(table.frame[table.columns[0]], groups)
        name = own_name("group", table)
        return with_column(table, name, [str(one) for one in groups]), name

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer) and not isinstance(self.random_state, bool):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _restore(self) -> None:
        found = [
            None if files is None or folder is None else read_run(files, Path(folder))
            for files, folder in zip(self._files, self._folders, strict=True)
        ]
        parts = [[None if one is None else one[place] for one in found] for place in range(len(RESTORED))]
        for name, values in zip(RESTORED, parts, strict=True):
            setattr(self, name, values[0] if len(values) == 1 else values)

    @property
    def _runs(self) -> list[Any]:
        return [self.run_] if len(self._files) == 1 else self.run_

    def _to_predict(self, X: Any) -> Table:
        check_is_fitted(self)
        unsigned = [run.model.encoder.unsigned for run in self._runs if run is not None]
        return features(self._checked(X, reset=False), self._columns, frozenset.intersection(*unsigned) if unsigned else None)

    def _outputs(self, place: int, table: Table) -> np.ndarray:
        """What the model of a target gives for the rows, filled up to whole blocks, since a product of fewer rows adds up in
        another order: so the prediction of a row is the same, to the last bit, alone and among others."""
        model = self._runs[place].model
        filled = np.minimum(np.arange(-(-table.rows // BLOCK) * BLOCK), table.rows - 1)
        arrays = model.encoded(table).take(filled)  # filled up once encoded, so that the warnings count the rows alone
        return model.calibration.applied(model.average(arrays.numeric, arrays.categories))[: table.rows]


def _columns(names: Sequence[Any] | None, table: Table) -> tuple[str, ...]:
    """Names of columns, of which some may be given by their place."""
    names = (names,) if isinstance(names, str) else names or ()
    return tuple(table.columns[one] if isinstance(one, int | np.integer) else str(one) for one in names)
