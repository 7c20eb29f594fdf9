"""From a table and options to all that the stages work on, and to the folder of the run: refused first, made after."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainwell.calibration.thresholds import costs_of
from trainwell.data.encode import fit_encoder
from trainwell.data.large import Sample, draw_sample, too_large
from trainwell.data.profile import profile
from trainwell.data.roles import Note
from trainwell.data.schema import Schema, infer_schema, target_values, usable_rows
from trainwell.data.split import Split, split_table
from trainwell.data.tables import Table, read_table
from trainwell.data.test_table import check_test_rows, joined, notes_of_test
from trainwell.errors import InputError
from trainwell.files import remove_unfinished
from trainwell.population.allocator import give_back
from trainwell.population.budget import Budget
from trainwell.population.devices import AUTO, CPU, bound_to_cores, device_for, pool
from trainwell.population.metrics import Metric
from trainwell.recipe import fixed
from trainwell.recipe import folder as folders
from trainwell.recipe.chosen_metric import function_metric, named_metric
from trainwell.recipe.chosen_stages import check_needs, check_nothing_hangs_on, forget
from trainwell.recipe.context import Context
from trainwell.recipe.curves import CurveTeller
from trainwell.recipe.events import EventLog, Listener
from trainwell.recipe.options import Options
from trainwell.recipe.tune import spaces
from trainwell.recipe.tune import stage as tune


def prepare(
    source: Any,
    options: Options,
    budget: Budget,
    resumed: Path | None,
    listeners: tuple[Listener, ...],
    label: str = spaces.THE_SPACE,
    stages: Sequence[str] = (),
    only: bool = False,
):
    """(context, notes of what was inferred). Everything that can be refused is refused before the folder is made, or before
    anything in a resumed one is removed."""
    file = too_large(source, options.stream_above)
    sample = None if file is None else draw_sample(file, options.seed)
    table = read_table(source) if sample is None else sample.table
    table, for_test = _with_test(table, options, sample)
    names = {name: getattr(options, name) for name in ("task", "ignore", "categories", "numbers", "group", "time")}
    schema, notes = infer_schema(table, options.target, **names)
    metric = named_metric(options, schema)
    costs_of(options.cost, schema.task)
    read = table.notes
    usable = usable_rows(table, schema)
    table, for_test = table.take(usable), for_test[usable]
    if options.test is not None:
        check_test_rows(table, for_test, schema)
        notes = (*notes_of_test(table, for_test, schema), *notes)
    split = split_table(table, schema, seed=options.seed, test_rows=for_test)
    _check_measurable(table, schema, split, metric)
    encoder = fit_encoder(table, schema, split.train)
    arrays = encoder.transform(table)
    give_back()
    if metric is None:
        metric = function_metric(options, encoder, arrays.take(split.validation))
    flat = _notes_of_flat(target_values(table, schema), split, metric)
    notes = (*_sample_notes(sample), *flat, *(Note(None, text) for text in read), *notes, *arrays.notes)
    log = EventLog(None, listeners)
    wanted = device_for(options.device, options.time_limit, options.trials)
    devices = pool(options.cores, wanted)
    notes = (*notes, *_notes_of_devices(wanted, devices.platform))
    context = Context(options, log, budget, Path(), table, schema, split, encoder, arrays, metric, devices, sample)
    with spaces.named(label):
        by_hand = tune.searched_by_hand(context)
    fixed.check(options.settings, context.structure(), *by_hand)
    notes = (*notes, *(Note(None, text) for text in fixed.remarks(options.settings, context.structure(), schema.task)))
    with spaces.named(label):
        tune.check(context)
        notes = (*notes, *(Note(None, text) for text in spaces.remarks(context, options.space or {})))
    folder = _check_same(resumed, schema) if resumed else folders.create(options.out, table.name)
    if resumed and stages:
        _check_contents(folder, table, schema)
        _begin_anew(folder, stages, only, _config(source, options))
    log = EventLog(folder / "events.jsonl", listeners)
    if resumed and not stages:
        _forget_the_closing(folder)
    context = dataclasses.replace(context, folder=folder, log=log, on_advanced=CurveTeller(log))
    _write_givens(context, source, resumed, stages)
    return context, notes


def _with_test(table: Table, options: Options, sample: Sample | None) -> tuple[Table, np.ndarray]:
    """The table with the rows of a given test table below its own, and which rows these are."""
    if options.test is None:
        return table, np.zeros(table.rows, bool)
    if sample is not None:
        raise InputError(f"{table.source} is streamed from disk, which takes its test rows from itself: leave --test out.")
    return joined(table, read_table(options.test), options.ignore)


def _notes_of_devices(wanted: str, platform: str) -> list[Note]:
    """Where this process has begun with other devices than this run would have: JAX cannot change them."""
    if wanted == CPU and platform != CPU:
        return [Note(None, "This run trains on the GPU, for the process has begun with it: JAX_PLATFORMS=cpu keeps off it.")]
    if wanted == AUTO and platform == CPU and bound_to_cores():
        said = "This run trains on the cores, for a short one before it did: a GPU would need a process of its own."
        return [Note(None, said)]
    return []


def _sample_notes(sample: Sample | None) -> list[Note]:
    if sample is None:
        return []
    return [
        Note(
            None,
            f"The table has {sample.file.rows:,} rows, too many for the memory that it may take: the stages before tuning look "
            f"at {sample.table.rows:,} of them, drawn at random, and tuning trains on all but those that validate and test.",
        )
    ]


def _check_measurable(table: Table, schema: Schema, split: Split, metric: Metric | None) -> None:
    """Rows of one class measure nothing, nor does the R2 of rows with one value; a split by group or time can come to that."""
    target = target_values(table, schema)
    for part in ("validation", "test"):
        if schema.classes and len(np.unique(target[getattr(split, part)])) < 2:
            raise InputError(
                f"a split by {split.kind} leaves {part} rows of one class only, which measure nothing; "
                f"leave {split.kind} out or take another column."
            )
        if split.kind in ("group", "time") and _is_flat(target, split, part, metric):
            raise InputError(
                f"a split by {split.kind} leaves {part} rows that all have the same target, of which R2 means nothing; "
                f"leave {split.kind} out or take another column, or another metric such as rmse."
            )


def _is_flat(target: np.ndarray, split: Split, part: str, metric: Metric | None) -> bool:
    """Whether the metric is R2 and a part of the rows has one value."""
    own = target[getattr(split, part)]
    return metric is not None and metric.kind == "r2" and bool(own.min() == own.max())


def _notes_of_flat(target: np.ndarray, split: Split, metric: Metric) -> list[Note]:
    """What chance has left nothing to be explained in."""
    return [
        Note(None, f"All {part} rows have the same target, of which R2 means nothing: take --metric rmse, or bring more rows.")
        for part in ("validation", "test")
        if split.kind == "random" and _is_flat(target, split, part, metric)
    ]


def _check_same(folder: Path, schema: Schema) -> Path:
    path = folder / "schema.json"  # a run that was killed as it began may lack it
    if path.exists() and Schema.from_json(folders.read_json(path)) != schema:
        raise InputError(
            f"{folder} cannot be resumed with this table: its columns or their contents are not those the run began with."
        )
    return folder


def _check_contents(folder: Path, table: Table, schema: Schema) -> None:
    """`InputError` where a table has the columns that a run was made from, but holds something else."""
    path = folder / "profile.json"
    if path.exists() and folders.read_json(path).get("columns") != json.loads(json.dumps(profile(table, schema)["columns"])):
        raise InputError(
            f"what {folder} holds was made from another table: {table.source} has its columns, but not its contents; "
            "begin a new run."
        )


def _begin_anew(folder: Path, stages: Sequence[str], only: bool, config: Mapping[str, Any]) -> None:
    """Forget what the chosen stages left in a folder, once all that can be refused is refused."""
    check_needs(folder, stages, config["effort"])
    if only:
        check_nothing_hangs_on(folder, stages)
    try:
        folders.write_json(folder / "config.json", config)
        remove_unfinished(folder)
        forget(folder, stages)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}; copy it to where it can, and take the copy.") from None


def _forget_the_closing(folder: Path) -> None:
    """The last stage of an unfinished run is done anew: what an earlier one left must not pass for the end of this one."""
    remove_unfinished(folder)
    for path in (folder / "evidence" / "squeeze.json", folder / "model" / "model.json", folder / "report.html"):
        path.unlink(missing_ok=True)


def _config(source: Any, options: Options) -> dict[str, Any]:
    """What ``config.json`` holds."""
    path = str(Path(source).resolve()) if isinstance(source, str | Path) else None
    kept = options.model_dump(mode="json", exclude={"out"})
    return {"source": path, **kept, "test": None if options.test is None else str(options.test.resolve())}


def _write_givens(context: Context, source: Any, resumed: Path | None, stages: Sequence[str]) -> None:
    folder, options = context.folder, context.options
    if not resumed:
        folders.write_json(folder / "config.json", _config(source, options))
    begun = (folder / "environment.json").exists()  # the last of them: else the run was killed as it began
    if not begun:
        folders.write_json(folder / "schema.json", context.schema.to_json())
        folders.write_json(folder / "profile.json", profile(context.table, context.schema))
        context.split.save(folder / "split.parquet")
    if stages or not begun:  # parts made anew may have other devices
        folders.write_environment(folder, context.pool.devices)
    context.log.add(
        "run_started", file=context.table.source, target=context.schema.target, task=context.task,
        rows=context.table.rows if context.sample is None else context.sample.file.rows,
        features=len(context.schema.features), folder=folder, seed=options.seed, time_limit=options.time_limit,
        trials=options.trials, metric=context.metric.label, effort=options.effort, stages=list(stages),
    )  # fmt: skip
