"""Options: what a user can decide about a run. The command line, Python and ``config.json`` all mean these."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer

from trainwell.errors import InputError, listed, nearest

FUNCTION = "function"  # in ``config.json`` the name of a function that was given lies under this word

MINIMAL = "minimal"


class Effort(NamedTuple):
    """How long a run may take and how much it may try, where the user says neither."""

    seconds: float | None
    trials: int
    finalists: int


# Chosen: one small network, to try code out; a first look; long enough for good scores on tables of tens of thousands of rows;
# as good as it gets.
EFFORTS = {
    "minimal": Effort(seconds=None, trials=1, finalists=1),
    "fast": Effort(seconds=15.0, trials=18, finalists=4),
    "default": Effort(seconds=60.0, trials=72, finalists=8),
    "best": Effort(seconds=300.0, trials=360, finalists=16),
}


class Options(BaseModel):
    """Everything that can be chosen; only ``target`` must be.

    Parameters
    ----------
    target : the column to predict.
    task : ``"binary"``, ``"multiclass"`` or ``"regression"``; inferred from the target when left out.
    ignore : columns that must not reach the network.
    categories : columns of numbers that are names of categories.
    numbers : columns that stay numbers, though they look like identifiers.
    group : rows with the same value here stay together in training, validation or test.
    time : the latest rows by this column are the test rows, those before them validate.
    test : a file of rows to test on; a fifth of the table when left out.
    out : the run folder; ``runs/<file>-<date>-<n>`` when left out.
    seed : of everything random, from 0 to 2^31 - 1; 0 when left out.
    effort : how long to try where neither ``time_limit`` nor ``trials`` is given, whichever is reached first: ``"fast"`` (15 s
        or 18 networks), ``"default"`` (60 s or 72 networks) or ``"best"`` (300 s or 360 networks). ``"minimal"`` trains one
        small network of usual settings and compares nothing: to try code out.
    time_limit : seconds for the whole run, above 0; None is no limit, and then ``trials`` ends it.
    trials : networks to try in the tuning stage, from 1 to 100,000; with no time limit the result is the same every time.
    search : how the networks of the tuning stage are drawn: ``"tpe"``, ``"random"`` or ``"grid"``.
    space : what the tuning stage searches, ``{"adam.learning_rate": {"low": 1e-4, "high": 1e-2}}``; see ``docs/search.md``.
        `trainwell.fit` takes the path of a TOML file as well.
    metric : what to maximize; AUC for two classes, accuracy for more, R2 for numbers when left out. A name, or a function of
        (truth, prediction) that gives a number, see `trainwell.population.own_metric`.
    smaller_is_better : whether that function's number is a loss.
    cost : of two classes what a mistake costs, ``{"fp": 1, "fn": 20}``; the decision threshold is then the cheapest.
    keep_going : go on where a stage says that it is no use.
    cores : how many cores to use, from 1 to 1024; all that there are when left out.
    device : ``"cpu"`` trains on the cores, ``"gpu"`` on GPUs; ``"auto"`` on GPUs, if there are any and the run has three
        minutes or more, or no time limit and more than one network.
    stream_above : bytes of memory that the table may take; the rows of a larger file are streamed from disk. A quarter of the
        memory that is free when left out.
    settings : choices and settings of the network held fixed, ``{"adam.beta2": "0.95", "activation": "relu"}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    task: Literal["binary", "multiclass", "regression"] | None = None
    ignore: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    test: Path | None = None
    out: Path | None = None
    seed: int = Field(0, ge=0, lt=2**31)
    effort: Literal["minimal", "fast", "default", "best"] = "default"
    time_limit: float | None = Field(None, gt=0, allow_inf_nan=False)
    trials: int | None = Field(None, ge=1, le=100_000)
    search: Literal["tpe", "random", "grid"] = "tpe"
    space: dict[str, dict[str, Any]] | None = None
    metric: str | Callable[..., Any] | None = None
    smaller_is_better: bool = False
    cost: dict[str, float] | None = None
    keep_going: bool = False
    cores: int | None = Field(None, ge=1, le=1024)
    device: Literal["auto", "cpu", "gpu"] = "auto"
    stream_above: int | None = Field(None, ge=0)
    settings: dict[str, str | float | int] = {}

    @field_serializer("metric")
    def _named(self, metric: str | Callable[..., Any] | None) -> str | dict[str, str] | None:
        """A function cannot be written down, only what it is called."""
        return {FUNCTION: getattr(metric, "__name__", type(metric).__name__)} if callable(metric) else metric

    @classmethod
    def checked(cls, **options: object) -> "Options":
        """The options, with the effort's limits where neither a time limit nor trials are given; `InputError` for a bad one."""
        effort = EFFORTS.get(str(options.get("effort", "default")))
        if effort and options.get("time_limit") is None and options.get("trials") is None:
            options |= {"time_limit": effort.seconds, "trials": effort.trials}
        for name in options:
            if name not in cls.model_fields:
                hint = nearest(name, cls.model_fields) or ","
                raise InputError(f"{name!r} is no option{hint} the options are {listed(cls.model_fields, 30)}.")
        try:
            chosen = cls.model_validate(options)
        except ValidationError as error:
            first = error.errors()[0]
            place = first["loc"][:2] if first["loc"][:1] == ("cost",) else first["loc"][:1]
            name = " ".join(map(str, place)) or "an option"
            problem = first["msg"].removeprefix("Input ")
            raise InputError(f"{name} is {first['input']!r}, which {problem}.") from None
        searching = {"trials": chosen.trials not in (None, 1), "space": chosen.space, "search": chosen.search != "tpe"}
        if chosen.effort == MINIMAL and (without := [name for name, given in searching.items() if given]):
            raise InputError(f"effort 'minimal' trains one network and searches nothing: leave out {listed(without)}.")
        return chosen
