"""Tables of the stage look: what was found, and the rows and columns that it was found in."""

import shlex

import numpy as np

from trainwell.inspection.inspect import Inspection
from trainwell.inspection.remarks import short
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Cell, free_name

WEIGHTS = {"stop": "stop", "warn": "look", "note": "note"}
MOST_LINES = 20  # chosen: of a table, what a person reads
TELLING = 3  # chosen: features shown of a suspect row
Rows = list[dict[str, Cell]]


def tables(context: Context, found: Inspection) -> dict[str, Rows]:
    """Every table that has a line, by its title."""
    made = {
        "What was found": _remarks(found),
        "Random rows against groups or later rows": _compared(found),
        "Rows whose target deserves a second look": _suspects(context, found),
        "Missing cells": _missing(found),
        "Numbers with values far off or a long tail": _spreads(found),
        "Features that say nearly the same": _pairs(found),
        "Columns that tell the test rows from the training rows": _drift(found),
        "What the network is fed: some training rows": _fed(found),
    }
    return {title: rows for title, rows in made.items() if rows}


def _remarks(found: Inspection) -> Rows:
    return [
        {
            "weight": WEIGHTS[remark.weight],
            "finding": remark.kind,
            "what was found": remark.says,
            "what to do": remark.action,
        }
        for remark in found.remarks[:MOST_LINES]
    ]


def _compared(found: Inspection) -> Rows:
    return [
        {
            "column": short(one.column),
            "looks like a": "group" if one.kind == "group" else "clock",
            "because": one.why,
            f"{one.metric} on random rows": round(one.random, 3),
            f"{one.metric} on rows apart": round(one.apart, 3),
            "rows": one.rows,
            "a split that is right": f"--{one.kind} {shlex.quote(one.column)}" if one.alarm else "either",
        }
        for one in found.compared
    ]


def _suspects(context: Context, found: Inspection) -> Rows:
    if found.labels is None:
        return []
    features = list(found.alone.scores)[:TELLING]
    rows: Rows = []
    for one in found.labels.suspects:
        line: dict[str, Cell] = {"row": context.table.row_name(one.row)}
        if context.task == "regression":
            line |= {"given": one.given, "expected": one.expected, "times the usual error": round(one.strength, 1)}
        else:
            given, expected = (short(context.schema.classes[int(place)]) for place in (one.given, one.expected))
            line |= {"given": given, "expected": expected, "probability": round(one.strength, 3)}
        for name in features:
            line[free_name(line, short(name))] = _cell(context, name, one.row)
        rows.append(line)
    return rows


def _cell(context: Context, name: str, row: int) -> Cell:
    cell = context.table.column(name)[row].as_py()
    if cell is None or (isinstance(cell, float) and not np.isfinite(cell)):
        return None
    return cell if isinstance(cell, int | float) else short(cell)


def _missing(found: Inspection) -> Rows:
    group_of = {name: group for group in found.missing.together for name in group}
    return [
        {
            "column": short(name),
            "missing": f"{share:.1%}",
            "correlation with the target": round(found.missing.tells[name], 2) if name in found.missing.tells else None,
            "missing together with": ", ".join(short(other) for other in group_of.get(name, ()) if other != name)[:200],
        }
        for name, share in list(found.missing.shares.items())[:MOST_LINES]
    ]


def _spreads(found: Inspection) -> Rows:
    return [
        {
            "column": short(one.name),
            "far off": f"{one.far_off:.2%}",
            "farthest (quartile distances)": round(one.farthest, 1),
            "skewness": round(one.skewness, 2),
        }
        for one in found.spreads[:MOST_LINES]
    ]


def _pairs(found: Inspection) -> Rows:
    return [
        {"feature": short(one.first), "and": short(one.second), "rank correlation": round(one.correlation, 4)}
        for one in found.pairs[:MOST_LINES]
    ]


def _drift(found: Inspection) -> Rows:
    if found.drift is None:
        return []
    lines: Rows = [{"column": "all together", "AUC": round(found.drift.auc, 3)}]
    return lines + [{"column": short(name), "AUC": round(auc, 3)} for name, auc in list(found.drift.columns.items())[:10]]


def _fed(found: Inspection) -> Rows:
    """Each input with the cells that it was made of beside the numbers that they became."""
    rows: Rows = []
    for one in found.tensors.inputs:
        line: dict[str, Cell] = {"input": short(one.name), "column": short(one.column)}
        for name, raw, encoded in zip(found.tensors.row_names, one.raw, one.encoded, strict=True):
            line |= {f"row {name}": raw, f"row {name} encoded": round(encoded, 4)}
        rows.append(line)
    return rows
