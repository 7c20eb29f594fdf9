"""The recipe from first stage to last: the order, the time each may take, the run folder, Ctrl-C and resume."""

import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainwell.data.encode import fit_encoder
from trainwell.data.profile import profile
from trainwell.data.roles import Note
from trainwell.data.schema import Schema, infer_schema, target_values, usable_rows
from trainwell.data.split import Split, split_table
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError, StageStopped, listed
from trainwell.model import Model, load
from trainwell.population import checkpoint
from trainwell.population.budget import Budget
from trainwell.population.cohort import Training
from trainwell.population.devices import pool
from trainwell.population.metrics import metric_for
from trainwell.recipe import fixed
from trainwell.recipe import folder as folders
from trainwell.recipe.baselines import baselines
from trainwell.recipe.context import Context
from trainwell.recipe.events import EventLog, Listener, read_events
from trainwell.recipe.evidence import STAGES, Evidence, read_evidence, write_evidence
from trainwell.recipe.look import look
from trainwell.recipe.options import Options
from trainwell.recipe.overfit import overfit
from trainwell.recipe.regularize import regularize
from trainwell.recipe.squeeze import build, squeeze
from trainwell.recipe.tune import last_resort, space, tune
from trainwell.report.page import write_report

ENDS = {"look": 0.06, "baselines": 0.2, "overfit": 0.35, "regularize": 0.5, "squeeze": 1.0}  # chosen: shares of the time
CLOSING = 8.0  # seconds, chosen: what the ensemble, the test score, the model and the report take on a table of 50,000 rows
CLOSING_COMPILES = 2.0  # measured: the closing compiles programs for about as long as two trainings' programs take
DEFAULT_SIZE = {"widths": "128-128", "learning_rate": None}  # where a stage that would have chosen them was stopped


@dataclass
class Run:
    """A run as far as it came: its folder, what each stage found, and the model once there is one."""

    folder: Path
    evidence: dict[str, Evidence] = field(default_factory=dict)
    model: Model | None = None
    interrupted: bool = False
    trainings: list[Training] = field(default_factory=list, repr=False)

    @property
    def report(self) -> Path:
        """The page that explains every step."""
        return self.folder / "report.html"

    def predict(self, rows: Any) -> np.ndarray:
        """Labels or numbers for a table of any kind that `trainwell.fit` takes."""
        return self._model().predict(rows)

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Probabilities (rows, classes)."""
        return self._model().predict_proba(rows)

    def _model(self) -> Model:
        if self.model is None:
            raise InputError(f"The run in {self.folder} was stopped before it had a model.")
        return self.model


def fit(
    source: Any = None,
    target: str | None = None,
    *,
    listeners: Iterable[Listener] = (),
    resume: Path | str | None = None,
    started: float | None = None,
    **options: Any,
) -> Run:
    """Run the recipe on a table.

    Parameters
    ----------
    source : path of a CSV or Parquet file; a pandas, Polars or Arrow frame; a dict of columns; a 2-D array.
    target : the column to predict.
    listeners : called with every event of the run, see `trainwell.recipe.events`.
    resume : folder of a run to continue; its options hold, and its table where ``source`` is left out.
    started : ``time.monotonic()`` from which the time limit counts; now when left out.
    options : see `trainwell.recipe.options.Options`.

    Returns
    -------
    The run, with ``model``, ``predict``, ``report``. After Ctrl-C it has the best model so far and ``interrupted`` is true.

    Raises
    ------
    InputError : something given cannot be used.
    StageStopped : a stage found that training on is no use (``keep_going=True`` goes on).
    """
    started = time.monotonic() if started is None else started
    if resume is not None:
        if finished := _finished(Path(resume), tuple(listeners)):
            return finished
        source, chosen = _options_of(Path(resume), source, options)
        _forget_the_closing(Path(resume))
    else:
        if target is None:
            raise InputError("There is no target: name the column to predict.")
        chosen = Options.checked(target=target, **options)
    budget = Budget(chosen.time_limit)
    budget.start = started
    prepared = _prepare(source, chosen, budget, None if resume is None else Path(resume), tuple(listeners))
    with _ctrl_c_ends(budget):
        return _Recipe(*prepared).run()


def _finished(folder: Path, listeners: tuple[Listener, ...]) -> Run | None:
    """The run of a folder in which nothing is left to do; a stage that Ctrl-C cut short has left no evidence."""
    evidence = read_evidence(folder / "evidence")
    if set(evidence) != set(STAGES) or not (folder / "model" / "model.json").is_file():
        return None
    run = Run(folder, evidence, load(folder))
    if not run.report.exists():
        write_report(folder)
    EventLog(None, listeners).add("run_finished", **_closing(run))
    return run


def _forget_the_closing(folder: Path) -> None:
    """The last stage of an unfinished run is done anew: what an earlier one left must not pass for the end of this one."""
    for path in (folder / "evidence" / "squeeze.json", folder / "model" / "model.json"):
        path.unlink(missing_ok=True)


def _closing(run: Run) -> dict[str, Any]:
    """What the last event of a run says of it, but for its seconds."""
    measures = run.evidence["squeeze"].measures if "squeeze" in run.evidence else {}
    found = {name: measures.get(name) for name in ("test_score", "low", "high", "metric")}
    return {**found, "model": run.folder / "model" if run.model is not None else None, "report": run.report}


def _options_of(folder: Path, source: Any, changed: dict[str, Any]) -> tuple[Any, Options]:
    """The (table, options) that a run was started with; only ``keep_going`` may be changed."""
    if set(changed) - {"keep_going"}:
        raise InputError(f"a resumed run has the options it was started with: leave out {listed(sorted(changed))}.")
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} cannot be resumed: it is not the folder of a run (there is no config.json in it).")
    config = folders.read_json(folder / "config.json")
    kept = config.pop("source", None)
    if source is None and kept is None:
        raise InputError(f"{folder} cannot be resumed without its table: that was no file, so give it again.")
    config = {name: value for name, value in config.items() if value is not None}
    return (kept if source is None else source), Options.checked(**{**config, **changed, "out": folder})


def _prepare(source: Any, options: Options, budget: Budget, resumed: Path | None, listeners: tuple[Listener, ...]):
    """(context, notes of what was inferred). Everything that can be refused is refused before the folder is made."""
    table = read_table(source)
    names = {name: getattr(options, name) for name in ("task", "ignore", "categories", "group", "time")}
    schema, notes = infer_schema(table, options.target, **names)
    metric = metric_for(schema.task, options.metric)
    read = table.notes
    table = table.take(usable_rows(table, schema))
    split = split_table(table, schema, seed=options.seed)
    _check_measurable(table, schema, split)
    encoder = fit_encoder(table, schema, split.train)
    arrays = encoder.transform(table)
    notes = (*(Note(None, text) for text in read), *notes, *arrays.notes)
    log = EventLog(None, listeners)
    context = Context(options, log, budget, Path(), table, schema, split, encoder, arrays, metric, pool(options.cores))
    fixed.check(options.settings, context.structure())
    folder = _check_same(resumed, schema) if resumed else folders.create(options.out, table.name)
    context = dataclasses.replace(context, folder=folder, log=EventLog(folder / "events.jsonl", listeners))
    _write_givens(context, source, resumed)
    return context, notes


def _check_measurable(table: Table, schema: Schema, split: Split) -> None:
    """Rows of one class only measure nothing; a split by group or time can come to that."""
    target = target_values(table, schema)
    for part in ("validation", "test"):
        if schema.classes and len(np.unique(target[getattr(split, part)])) < 2:
            raise InputError(
                f"a split by {split.kind} leaves {part} rows of one class only, which measure nothing; "
                f"leave {split.kind} out or take another column."
            )


def _check_same(folder: Path, schema: Schema) -> Path:
    kept = folders.read_json(folder / "schema.json")
    if Schema.from_json(kept) != schema:
        raise InputError(
            f"{folder} cannot be resumed with this table: its columns or their contents are not those the run began with."
        )
    return folder


def _write_givens(context: Context, source: Any, resumed: Path | None) -> None:
    folder, options = context.folder, context.options
    if not resumed:
        path = str(Path(source).resolve()) if isinstance(source, str | Path) else None
        folders.write_json(folder / "config.json", {"source": path, **options.model_dump(mode="json", exclude={"out"})})
        folders.write_json(folder / "schema.json", context.schema.to_json())
        folders.write_json(folder / "profile.json", profile(context.table, context.schema))
        context.split.save(folder / "split.parquet")
        folders.write_environment(folder, context.pool.devices)
    context.log.add(
        "run_started", file=context.table.source, target=context.schema.target, task=context.task, rows=context.table.rows,
        features=len(context.schema.features), folder=folder, seed=options.seed, time_limit=options.time_limit,
        trials=options.trials, metric=context.metric.label,
    )  # fmt: skip


class _Recipe:
    """One pass through the stages. A stage that left its evidence in a folder that is resumed is not done again."""

    def __init__(self, context: Context, notes: tuple[Note, ...]):
        self.context, self.notes = context, notes
        self.done = read_evidence(context.folder / "evidence")
        self.result = Run(context.folder)
        self.simple: dict[str, np.ndarray] = {}
        events = read_events(context.folder / "events.jsonl")
        self.told = {event.get("member") for event in events if event["event"] in ("member_finished", "member_failed")}

    def run(self) -> Run:
        stages: dict[str, Callable[[Context], Evidence]] = {name: getattr(self, f"_{name}") for name in STAGES}
        reason = None
        for number, (name, stage) in enumerate(stages.items(), start=1):
            if self.context.budget.interrupted and name != "squeeze":
                continue
            if name == "squeeze" and not self._trained:
                break
            evidence = self._one(number, name, stage)
            if evidence.verdict == "stop" and not self.context.options.keep_going:
                reason = f"Stage {name} stopped the run: {evidence.summary}."
                reason += "".join(f" {action}" for action in list(evidence.actions)[:1]) + " --keep-going goes on all the same."
                break
        return self._finish(reason)

    def _one(self, number: int, name: str, stage: Callable[[Context], Evidence]) -> Evidence:
        log, began = self.context.log, time.monotonic()
        log.add("stage_started", stage=name, number=number)
        if name == "look":
            for note in self.notes:
                log.note("look", note.message, note.column)
        compiled = len(self.context.pool.compilations)
        evidence = stage(self.context.until(self._end(name)))
        for program, seconds in self.context.pool.compilations[compiled:]:
            spread = seconds / len(self.context.pool.devices)  # what it cost of the run's time: devices compile side by side
            log.add("compiled", program=program.describe(), seconds=round(spread, 3))
        if name not in self.done:
            evidence = dataclasses.replace(evidence, seconds=round(time.monotonic() - began, 3))
            if not self.context.budget.interrupted or name == "squeeze":
                write_evidence(evidence, self.context.folder / "evidence")
        self.result.evidence[name] = evidence
        log.add("stage_finished", stage=name, verdict=evidence.verdict, summary=evidence.summary, seconds=evidence.seconds)
        if self.context.budget.interrupted and not self.result.interrupted:
            self.result.interrupted = True
            log.add("interrupted", stage=name)
        return evidence

    def _end(self, stage: str) -> float:
        """The share of the time at which a stage has to end; tuning takes all that the closing does not need."""
        if stage == "tune":
            closing = max(CLOSING, CLOSING_COMPILES * self.context.pool.slowest_compile)
            return 1 - min(0.5, max(0.04, closing / (self.context.budget.seconds or 1.0)))
        return ENDS[stage]

    def _look(self, context: Context) -> Evidence:
        return self.done.get("look") or look(context)

    def _baselines(self, context: Context) -> Evidence:
        kept = context.folder / "members" / "simple_models.npz"
        if "baselines" in self.done and kept.exists():
            with np.load(kept, allow_pickle=False) as arrays:
                self.simple = dict(arrays)
            return self.done["baselines"]
        self.done.pop("baselines", None)
        evidence, self.simple = baselines(context)
        kept.parent.mkdir(exist_ok=True)
        np.savez_compressed(kept, **self.simple)  # type: ignore[arg-type]
        return evidence

    def _overfit(self, context: Context) -> Evidence:
        return self._kept("overfit", lambda: overfit(context, self._next_number))

    def _regularize(self, context: Context) -> Evidence:
        measures = self._size()
        return self._kept(
            "regularize", lambda: regularize(context, self._next_number, measures["widths"], measures["learning_rate"])
        )

    def _tune(self, context: Context) -> Evidence:
        first, path = self._next_number, context.folder / "members" / "tune.safetensors"
        begun = checkpoint.load(path) if path.exists() else []
        if "tune" in self.done and begun:
            self._take(begun)
            return self.done["tune"]
        self.done.pop("tune", None)
        size = self._size()
        found = self.result.evidence["regularize"].measures if "regularize" in self.result.evidence else {}
        regularized = {
            name.removeprefix("best."): float(value or 0) for name, value in found.items() if name.startswith("best.")
        }
        searched = space(context, size["widths"], size["learning_rate"], regularized)

        def save(trainings: list[Training]) -> None:
            checkpoint.save(trainings, path)

        evidence, trainings = tune(context, first, searched, begun, save)
        self._take(trainings)
        if not self._trained and not self.context.budget.interrupted:
            context.log.note(
                "tune", "The time limit was too short to search: one network was trained a little, to have a model."
            )
            self._take([last_resort(context, self._next_number, searched)])
        return evidence

    def _squeeze(self, context: Context) -> Evidence:
        self.done.pop("squeeze", None)
        model = build(context, self.result.trainings)
        evidence, test_score = squeeze(context, model, self.result.trainings, self.simple)
        self.result.model = dataclasses.replace(model, test_score=test_score)
        self.result.model.save(context.folder / "model")
        return evidence

    def _kept(self, stage: str, make: Callable[[], tuple[Evidence, list[Training]]]) -> Evidence:
        """What a stage with trainings comes to: read back where the folder has it, else made and written."""
        path = self.context.folder / "members" / f"{stage}.safetensors"
        if stage in self.done and path.exists():
            self._take(checkpoint.load(path))
            return self.done[stage]
        self.done.pop(stage, None)
        evidence, trainings = make()
        checkpoint.save(trainings, path)
        self._take(trainings)
        return evidence

    def _take(self, trainings: list[Training]) -> None:
        """Keep what a stage has trained, and tell of each network that no event told of yet."""
        self.result.trainings += trainings
        for training in trainings:
            if training.member.number in self.told:
                continue
            told: dict[str, Any] = {"member": training.member.number, "stage": training.member.stage}
            if training.failed:
                cause = f"its loss was no longer a finite number in epoch {training.epochs}"
                self.context.log.add("member_failed", **told, cause=cause)
            elif training.curves:
                told |= {"epochs": training.epochs, "score": self.context.shown(training.score)}
                self.context.log.add("member_finished", **told, settings=training.member.settings)
        folders.write_history(self.context, self.result.trainings)

    def _size(self) -> dict[str, Any]:
        found = self.result.evidence["overfit"].measures if "overfit" in self.result.evidence else {}
        return DEFAULT_SIZE | {name: found[name] for name in DEFAULT_SIZE if name in found}

    @property
    def _next_number(self) -> int:
        return 1 + max((t.member.number for t in self.result.trainings), default=0)

    @property
    def _trained(self) -> bool:
        return any(t.sound for t in self.result.trainings)

    def _finish(self, reason: str | None) -> Run:
        run, folder = self.result, self.context.folder
        closing = _closing(run) | {"metric": self.context.metric.label}
        self.context.log.add("run_finished", **closing, seconds=round(self.context.budget.used, 3))
        write_report(folder)
        if reason is not None:
            raise StageStopped(reason)
        if run.model is not None and not run.interrupted:
            for kept in (folder / "members").iterdir():  # only an unfinished run needs more than the history
                if kept.suffix in (".safetensors", ".npz"):
                    kept.unlink()
        return run


@contextmanager
def _ctrl_c_ends(budget: Budget) -> Iterator[None]:
    """The first Ctrl-C ends the training in order, with the best model so far; the second ends the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        budget.interrupt()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
