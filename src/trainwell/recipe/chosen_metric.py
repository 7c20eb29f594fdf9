"""The metric that a user chose: by its name, or a function, which a resumed run has to be given again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from trainwell.data.encode import Arrays, Encoder
from trainwell.data.schema import Schema
from trainwell.errors import InputError
from trainwell.population.metrics import Metric, metric_for
from trainwell.population.own_metric import name_of, own_metric
from trainwell.recipe.options import FUNCTION, Options


def named_metric(options: Options, schema: Schema) -> Metric | None:
    """The metric by its name; None where it is a function, which is tried once there are encoded rows."""
    if callable(options.metric):
        return None
    if options.smaller_is_better:
        raise InputError("smaller_is_better is for a metric of your own, given as a function; the named ones know.")
    return metric_for(schema.task, options.metric)


def function_metric(options: Options, encoder: Encoder, rows: Arrays) -> Metric:
    """The metric of a user's function, tried on some rows."""
    task, classes = encoder.schema.task, len(encoder.schema.classes)
    return own_metric(
        cast(Callable[..., Any], options.metric),
        task,
        rows.target,
        classes if task == "multiclass" else 1,
        mean=encoder.target_mean,
        scale=encoder.target_scale,
        smaller_is_better=options.smaller_is_better,
    )


def check_function(folder: Path, metric: Any, given: Any) -> None:
    """`InputError` where a resumed run's metric was a function that is not given again, or where another is given."""
    name = metric.get(FUNCTION) if isinstance(metric, dict) else None
    if name is None and given is not None:
        raise InputError("a resumed run has the options it was started with: leave out 'metric'.")
    if name is not None and (given is None or name_of(given) != name):
        other = "" if given is None else f", not {name_of(given)!r}"
        raise InputError(
            f"{folder} cannot be resumed without its metric: that was the function {name!r}{other}; give it again in Python "
            "with metric=."
        )
