"""A model of every kind of column, with networks that were hardly trained, and its application behind a real HTTP client."""

from dataclasses import replace

import numpy as np
import pytest
from starlette.testclient import TestClient

from small_networks import train
from trainwell.calibration.intervals import fit_intervals
from trainwell.data.encode import fit_encoder
from trainwell.data.schema import infer_schema
from trainwell.data.tables import read_table
from trainwell.model import Model, ensemble_members
from trainwell.network.structure import Structure, resolve
from trainwell.population.cohort import Population
from trainwell.population.devices import pool
from trainwell.population.epoch import Data
from trainwell.population.member import Member, Training
from trainwell.population.step import Rows
from trainwell.serving.app import application
from trainwell.serving.limits import Limits

ROWS = 80
ADDRESS = "http://127.0.0.1"


def columns(task: str = "binary") -> dict[str, list]:
    """A number, one with missing cells, one of two values, few levels, many levels, a date, an identifier, the target."""
    chance = np.random.default_rng(0)
    age, pay = chance.normal(40, 10, ROWS).round(1), chance.normal(3000, 500, ROWS).round()
    signal = age > 40
    return {
        "customer id": [f"c{number}" for number in range(ROWS)],
        "age": age.tolist(),
        "pay": [None if number % 9 == 0 else value for number, value in enumerate(pay.tolist())],
        "phone": chance.integers(0, 2, ROWS).tolist(),
        "plan": chance.choice(["basic", "plus", "max"], ROWS).tolist(),
        "town": chance.choice(list("abcdefghijkl"), ROWS).tolist(),
        "since": [f"20{10 + number % 10}-0{1 + number % 9}-15" for number in range(ROWS)],
        "left": np.where(signal, "yes", "no").tolist() if task == "binary" else (age * 2 + signal).tolist(),
    }


def made(task: str) -> Model:
    table = read_table(columns(task))
    schema, _ = infer_schema(table, "left", task=task)
    encoder = fit_encoder(table, schema, np.arange(ROWS))
    arrays = encoder.transform(table)
    rows = Rows(arrays.numeric, arrays.categories, arrays.target)
    own = Structure(
        numeric=len(encoder.numeric_names), continuous=encoder.continuous, cardinalities=encoder.cardinalities, outputs=1,
        loss={"binary": "binary_cross_entropy", "regression": "squared_error"}[task], widths=(6,), batch_size=32,
    )  # fmt: skip
    population = Population(Data(rows, rows), task, {"binary": "auc", "regression": "r2"}[task], np.zeros(1), 0, pool(1))
    trained = train([Training(Member(1, own, resolve(own)))], 2, of=population)
    return Model(encoder, ensemble_members({0: 1.0}, trained), "auc", 0.5)


@pytest.fixture(scope="session")
def model() -> Model:
    return made("binary")


@pytest.fixture(scope="session")
def numbers_model() -> Model:
    made_model = made("regression")
    truth = np.array(columns("regression")["left"])
    intervals = fit_intervals(made_model.predict(columns("regression")), truth)
    return replace(made_model, calibration=replace(made_model.calibration, intervals=intervals))


@pytest.fixture(scope="session")
def limits() -> Limits:
    return Limits(bytes=20_000, rows=50)


@pytest.fixture(scope="session")
def app(model, limits):
    return application(model, limits)


@pytest.fixture(scope="session")
def client(app):
    with TestClient(app, base_url=ADDRESS) as client:
        yield client


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """Rows as a client has them: those of the table without the target."""
    table = columns()
    return [dict(zip(table, row, strict=True)) | {"left": None} for row in zip(*table.values(), strict=True)]
