"""Stage 1, look: become one with the data before a network sees it.

What is inferred of each column, what is left out and why, what the rows look like, and what deserves a second look. All of it
is found by `trainwell.inspection`; here it becomes a verdict, sentences, tables and figures.
"""

import math
from collections.abc import Callable

from trainwell import words
from trainwell.inspection.inspect import Inspection, Subject, inspect
from trainwell.inspection.remarks import Remark, short
from trainwell.population.budget import Budget
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence
from trainwell.recipe.look.figures import figures
from trainwell.recipe.look.tables import tables

LEAST_SECONDS, LEAST_SHARE = 2.0, 0.15  # chosen: of a short run, what the looks that fit models may take all the same
MOST_ACTIONS = 12  # chosen: what a person reads to the end; all of them are in the table of findings


def look(context: Context) -> Evidence:
    """What a person should know of the table; stops where features hold the target, warns where a score would flatter."""
    found = inspect(_subject(context), _seconds_left(context))
    serious = [remark for remark in found.remarks if remark.weight != "note"]
    for remark in serious[1:]:  # the first is in the summary
        context.log.note("look", remark.says, remark.columns[0] if len(remark.columns) == 1 else None)
    if found.left_out and context.options.effort != "minimal":
        context.log.note("look", f"The time was too short to look for {_and(found.left_out)}; a longer run does.")
    return Evidence(
        "look",
        "stop" if any(remark.weight == "stop" for remark in serious) else "warn" if serious else "pass",
        _summary(context, found, serious),
        explanation=_explanation(context, found, serious),
        actions=list(dict.fromkeys(remark.action for remark in found.remarks if remark.action))[:MOST_ACTIONS],
        measures=_measures(context, found),
        tables=tables(context, found),
        figures=figures(context, found),
    )


def _subject(context: Context) -> Subject:
    return Subject(
        context.table,
        context.schema,
        context.split,
        context.encoder,
        context.arrays,
        context.options.seed,
        context.options.test is not None,
    )


def _seconds_left(context: Context) -> Callable[[], float]:
    """The stage's share of the time, or in a short run a little more; the least effort fits no model but its one network."""
    limit = context.options.time_limit
    if context.options.effort == "minimal":
        return lambda: 0.0
    if limit is None:
        return lambda: 0.0 if context.budget.interrupted else math.inf
    own = Budget(max(context.budget.left, min(LEAST_SECONDS, LEAST_SHARE * limit)))
    return lambda: 0.0 if context.budget.interrupted else own.left


def _measures(context: Context, found: Inspection) -> dict[str, float | int | str | None]:
    weights = [remark.weight for remark in found.remarks]
    return {
        "rows": len(context.arrays.numeric),
        "features": len(context.schema.features),
        "duplicate_rows": found.duplicates.whole,
        "test_rows_seen_in_training": found.duplicates.test,
        "training_rows": len(context.split.train),
        "validation_rows": len(context.split.validation),
        "test_rows": len(context.split.test),
        "numbers_fed": context.arrays.numeric.shape[1],
        "categories_fed": context.arrays.categories.shape[1],
        "rows_inspected": found.rows,
        "suspected_labels": None if found.labels is None else found.labels.count,
        "drift_auc": None if found.drift is None else found.drift.auc,
        "stops": weights.count("stop"),
        "warnings": weights.count("warn"),
        "notes": weights.count("note"),
    }


def _describe_target(context: Context) -> str:
    target = short(context.schema.target)
    if context.task == "regression":
        mean, spread = (words.number(float(value)) for value in (context.encoder.target_mean, context.encoder.target_scale))
        return f"{target} is a number, {mean} ± {spread}"
    if context.task == "binary":
        share = float((context.train.target == 1).mean())
        return f"{target} is {short(context.schema.classes[1])!r} in {share:.1%} of them"
    return f"{target} has {len(context.schema.classes)} classes"


def _rows(context: Context) -> str:
    rows = f"{len(context.arrays.numeric):,}"
    return rows if context.sample is None else f"{rows} of {context.sample.file.rows:,}"


def _how_many(context: Context) -> str:
    if context.sample is None:
        return f"The table has {_rows(context)} usable rows."
    return f"The table is larger than memory: what follows is of {_rows(context)} rows, drawn at random."


def _summary(context: Context, found: Inspection, serious: list[Remark]) -> str:
    parts = [f"{_rows(context)} rows, {words.counted(len(context.schema.features), 'feature')}, {_describe_target(context)}"]
    if serious:
        parts.append(serious[0].says.removesuffix("."))
    elif found.duplicates.whole:
        parts.append(f"{found.duplicates.whole:,} duplicate rows")
    return ". ".join(parts)


def _explanation(context: Context, found: Inspection, serious: list[Remark]) -> str:
    left_out = [
        short(column.name) for column in context.schema.columns if column.role in ("identifier", "text", "constant", "ignored")
    ]
    sentences = [
        f"{_how_many(context)} {_describe_target(context)}.",
        f"{len(context.split.train):,} rows train the networks, {len(context.split.validation):,} say when to stop and which "
        f"to choose, and {len(context.split.test):,} are kept for one final score ({context.split.kind} split).",
        f"Of the columns, {len(context.schema.features)} reach the network as {context.arrays.numeric.shape[1]} numbers"
        + (f" and {context.arrays.categories.shape[1]} embedded categories." if context.arrays.categories.shape[1] else "."),
    ]
    if left_out:
        sentences.append(f"Left out: {_and(tuple(left_out), 12)}.")
    sentences += [remark.says for remark in serious]
    if not serious:
        sentences.append("Nothing was found that would make a score lie.")
    if found.rows < found.of_rows:
        sentences.append(f"All this was looked for in {found.rows:,} of {found.of_rows:,} rows, drawn at random.")
    if found.left_out:
        sentences.append(f"It was not looked for {_and(found.left_out)}: a longer run does.")
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def _and(names: tuple[str, ...], most: int = 8) -> str:
    """Names in a sentence: a, b and c."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
