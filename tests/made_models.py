"""Models with every kind of column and whatever networks, their weights drawn at random: nothing is trained."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from small_networks import TASKS
from trainwell.calibration.calibrate import Calibration
from trainwell.calibration.intervals import fit_intervals
from trainwell.data.dates import STYLES
from trainwell.data.encode import Encoder, fit_encoder
from trainwell.data.encoders import Measurement, TwoNumbers
from trainwell.data.schema import infer_schema
from trainwell.data.tables import read_table
from trainwell.inference.architecture import Architecture
from trainwell.model import EnsembleMember, Model
from trainwell.network.embeddings import EDGES, FACTORS, QUANTILES
from trainwell.network.structure import Structure, resolve

TARGETS = {"binary": ["no", "yes"], "multiclass": ["high", "low", "middle"]}


def columns(task: str, rows: int = 400, seed: int = 0, styles: tuple[str, ...] = ("year-month-day", "day.month.year")) -> dict:
    """Numbers, plain, with commas, of two values; categories of few and of many levels; dates; most with missing cells."""
    chance = np.random.default_rng(seed)

    def holes(cells: list, share: float = 0.1) -> list:
        return [None if chance.random() < share else cell for cell in cells]

    days = [datetime(2019, 11, 3) + timedelta(hours=int(hour)) for hour in chance.integers(0, 40_000, rows)]
    found = {
        "amount": holes(chance.normal(50, 20, rows).round(3).tolist()),
        "price": [f"{price:,.2f}" for price in chance.lognormal(8, 1, rows)],
        "size": chance.exponential(2.0, rows).round(4).tolist(),
        "rate": holes(chance.choice([1.5, 4.0], rows).tolist()),
        "plan": holes(chance.choice(["basic", "plus", "max"], rows).tolist()),
        "flag": chance.choice(["on", "off"], rows).tolist(),
        "sign": chance.choice(["+", "-", "0"], rows).tolist(),
        "town": holes(chance.choice([f"town {i}" for i in range(20)], rows).tolist()),
        "code": chance.choice([str(i) for i in range(100, 130)], rows).tolist(),
        **{style: holes([day.strftime(STYLES[style][1] + " %H:%M") for day in days]) for style in styles},
    }
    signal = chance.normal(size=rows)
    target = (1000 + 300 * signal).tolist() if task == "regression" else chance.choice(TARGETS[task], rows).tolist()
    return {**found, "y": target}


def fitted(task: str, table: dict) -> Encoder:
    read = read_table(table)
    named = [name for name in ("code",) if name in table]
    schema, _ = infer_schema(read, "y", task=task, categories=named, numbers=["amount"])
    encoder = fit_encoder(read, schema, np.arange(read.rows))
    columns = (  # of both kinds one, whatever chance has made of these few rows
        replace(column, marked=column.name != "rate") if isinstance(column, Measurement | TwoNumbers) else column
        for column in encoder.columns
    )
    return replace(encoder, columns=tuple(columns))


def structure(encoder: Encoder, **chosen) -> Structure:
    task, classes = encoder.schema.task, len(encoder.schema.classes)
    own = Structure(
        numeric=len(encoder.numeric_names),
        continuous=encoder.continuous,
        cardinalities=encoder.cardinalities,
        outputs=classes if classes > 2 else 1,
        loss=TASKS[task],
        widths=(16, 8),
        dropout="none",
    )
    return replace(own, **chosen)


def weights_of(own: Structure, seed: int = 0):
    """(settings, weights, statistics) as if of a trained network: nothing in them is 0 or 1 by design."""
    chance = np.random.default_rng(seed)
    settings = resolve(own, {"dropout.rate": 0.3} if own.dropout != "none" else {})

    def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
        values = chance.normal(size=shape)
        if name in (QUANTILES, EDGES):
            return np.sort(3 * np.tanh(values), axis=1)
        if name == FACTORS:  # what is learned, from 0, and then taken six times
            return values / 10
        if name.endswith((".scale", ".gain", ".variance")):
            return 0.5 + np.abs(values)
        return 1.5 * values / np.sqrt(shape[-1]) if name.endswith(".weight") else values / 2

    weights, statistics = (
        {name: drawn(name, shape).astype(np.float32) for name, shape in part.items()}
        for part in Architecture.of(own.to_json(), settings).shapes()
    )
    return settings, weights, statistics


def calibration(task: str) -> Calibration:
    if task != "regression":
        return Calibration(temperature=1.6, threshold=0.35 if task == "binary" else 0.5)
    chance = np.random.default_rng(3)
    predicted = chance.normal(1000, 300, 400)
    return Calibration(intervals=fit_intervals(predicted, predicted + predicted / 10 * chance.normal(size=400)))


def model(task: str = "binary", *chosen: dict, table: dict | None = None) -> Model:
    """An ensemble of one network for each description of a structure; of two usual ones when left out."""
    encoder = fitted(task, columns(task) if table is None else table)
    chosen = chosen or ({}, {"activation": "relu", "numeric_embedding": "none"})
    shares = np.arange(1, len(chosen) + 1) / sum(range(1, len(chosen) + 1))
    members = []
    for number, (own, share) in enumerate(zip(chosen, shares.tolist(), strict=True)):
        network = structure(encoder, **own)
        settings, weights, statistics = weights_of(network, number)
        members.append(EnsembleMember(number, share, network.to_json(), settings, weights, statistics))
    return Model(encoder, tuple(members), "r2" if task == "regression" else "accuracy", 0.5, calibration(task))
