"""Stage 1, look: become one with the data before a network sees it.

What is inferred of each column, what is left out and why, what the rows look like, and what deserves a second look:
duplicates, features that give the target away by themselves, rare classes.
"""

import numpy as np

from trainwell.data.encode import Arrays
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.recipe.simple_models import some_rows

LEAK = 0.995  # chosen: a single column that orders the target this well is probably the target in disguise
RARE = 0.05  # chosen: a class with a smaller share of the rows is called rare
ROWS_LOOKED_AT = 20_000  # chosen: more rows change no figure of this stage


def look(context: Context) -> Evidence:
    """What a person should know of the table; warns where one input gives the target away (not looked for with more than two
    classes, nor in embedded categories)."""
    rows = context.train.take(some_rows(len(context.split.train), ROWS_LOOKED_AT, context.options.seed))
    alone = single_feature_scores(rows, context.encoder.numeric_names, context.task)
    leaks = [name for name, score in alone.items() if score >= LEAK]
    columns = {
        name: column.name for column in context.encoder.columns for name in (*column.continuous_names, *column.switch_names)
    }
    duplicates = duplicate_rows(context.arrays)
    actions = [
        f"Leave {columns[name]!r} out (--ignore {columns[name]!r}) if it is not known when you predict: it tells the target."
        for name in leaks
    ]
    if duplicates:
        actions.append(f"{duplicates:,} rows repeat another row in every feature and the target: check how the table was made.")
    rare = _rare_classes(context)
    actions += [
        f"Class {name!r} has only {share:.1%} of the rows: look at its own share found, not at accuracy."
        for name, share in rare
    ]
    return Evidence(
        "look",
        "warn" if leaks else "pass",
        _summary(context, leaks, duplicates),
        explanation=_explanation(context, leaks, duplicates),
        actions=actions,
        measures={
            "rows": len(context.arrays.numeric),
            "features": len(context.schema.features),
            "duplicate_rows": duplicates,
            "training_rows": len(context.split.train),
            "validation_rows": len(context.split.validation),
            "test_rows": len(context.split.test),
            "numbers_fed": context.arrays.numeric.shape[1],
            "categories_fed": context.arrays.categories.shape[1],
        },
        tables={
            "What the network is fed: three training rows": _fed(context),
        },
        figures={"target": _target_figure(context)} | ({"alone": _alone_figure(alone)} if alone else {}),
    )


def duplicate_rows(arrays: Arrays) -> int:
    """Rows that repeat an earlier one in every feature and the target."""
    both = np.column_stack([arrays.numeric, arrays.categories, arrays.target]).astype(np.float32)
    packed = np.ascontiguousarray(both).view(np.dtype((np.void, both.dtype.itemsize * both.shape[1])))
    return len(both) - len(np.unique(packed))


def single_feature_scores(rows: Arrays, names: tuple[str, ...], task: str) -> dict[str, float]:
    """How well each number alone orders the target: the area under the ROC curve for two classes (the better direction), the
    absolute rank correlation for a regression; nothing for more classes."""
    if task == "multiclass":
        return {}
    target = _ranks(rows.target.astype(np.float64)) if task == "regression" else rows.target == 1
    scores = {}
    for name, column in zip(names, rows.numeric.T, strict=True):
        ranks = _ranks(column)
        if task == "regression":
            spread = ranks.std() * target.std()
            scores[name] = float(abs(((ranks - ranks.mean()) * (target - target.mean())).mean()) / spread) if spread else 0.0
        else:
            positives = int(target.sum())
            area = (ranks[target].mean() - (positives + 1) / 2) / (len(target) - positives)
            scores[name] = float(max(area, 1 - area))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _rare_classes(context: Context) -> list[tuple[str, float]]:
    if context.task == "regression":
        return []
    shares = np.bincount(context.train.target, minlength=len(context.schema.classes)) / len(context.train.target)
    return [
        (name, float(s)) for name, s in zip(context.schema.classes, shares, strict=True) if s < RARE and s < 0.25 / len(shares)
    ]


def _describe_target(context: Context) -> str:
    target = context.schema.target
    if context.task == "regression":
        return f"{target} is a number, {context.encoder.target_mean:,.4g} ± {context.encoder.target_scale:,.4g}"
    if context.task == "binary":
        share = float((context.train.target == 1).mean())
        return f"{target} is {context.schema.classes[1]!r} in {share:.1%} of them"
    return f"{target} has {len(context.schema.classes)} classes"


def _rows(context: Context) -> str:
    rows = f"{len(context.arrays.numeric):,}"
    return rows if context.sample is None else f"{rows} of {context.sample.file.rows:,}"


def _how_many(context: Context) -> str:
    if context.sample is None:
        return f"The table has {_rows(context)} usable rows."
    return f"The table is larger than memory: what follows is of {_rows(context)} rows, drawn at random."


def _summary(context: Context, leaks: list[str], duplicates: int) -> str:
    parts = [f"{_rows(context)} rows, {len(context.schema.features)} features, {_describe_target(context)}"]
    if leaks:
        parts.append(f"{leaks[0]!r} alone gives the target away")
    if duplicates:
        parts.append(f"{duplicates:,} duplicate rows")
    return ". ".join(parts)


def _explanation(context: Context, leaks: list[str], duplicates: int) -> str:
    left_out = [
        column.name for column in context.schema.columns if column.role in ("identifier", "text", "constant", "ignored")
    ]
    sentences = [
        f"{_how_many(context)} {_describe_target(context)}.",
        f"{len(context.split.train):,} rows train the networks, {len(context.split.validation):,} say when to stop and which "
        f"to choose, and {len(context.split.test):,} are kept for one final score ({context.split.kind} split).",
        f"Of the columns, {len(context.schema.features)} reach the network as {context.arrays.numeric.shape[1]} numbers"
        + (f" and {context.arrays.categories.shape[1]} embedded categories." if context.arrays.categories.shape[1] else "."),
    ]
    if left_out:
        sentences.append(f"Left out: {', '.join(left_out)}.")
    if leaks:
        sentences.append(f"Suspicious: {', '.join(leaks)} alone tells the target almost perfectly, as a copy of it would.")
    if duplicates:
        sentences.append(
            f"{duplicates:,} rows are exact repetitions; some may lie on both sides of the split and flatter the score."
        )
    return " ".join(sentences)


def _fed(context: Context) -> list[dict]:
    names = [*context.encoder.numeric_names, *context.encoder.category_names]
    rows = np.column_stack([context.train.numeric[:3], context.train.categories[:3]])
    return [
        {"input": name, **{f"row {i + 1}": round(float(row[j]), 4) for i, row in enumerate(rows)}}
        for j, name in enumerate(names)
    ]


def _target_figure(context: Context) -> Figure:
    if context.task == "regression":
        values = context.train.target.astype(np.float64) * context.encoder.target_scale + context.encoder.target_mean
        counts, edges = np.histogram(values, bins=40)
        bars = Series("training rows", [float(f"{edge:.4g}") for edge in edges[:-1]], counts.tolist())
        caption = "Long tails and piles at the ends are worth a thought."
    else:
        counts = np.bincount(context.train.target, minlength=len(context.schema.classes))
        bars = Series("training rows", list(context.schema.classes), counts.tolist())
        caption = "Rare classes are learned last and scored least."
    return Figure("bars", f"The target, {context.schema.target}", context.schema.target, "rows", (bars,), caption)


def _alone_figure(alone: dict[str, float]) -> Figure:
    best = list(alone.items())[:20]
    bars = Series("alone", [name for name, _ in best], [round(score, 4) for _, score in best])
    caption = "How well each input alone orders the target; 1 would be the target in disguise."
    return Figure("bars", "What each input tells alone", "input", "order found", (bars,), caption)
