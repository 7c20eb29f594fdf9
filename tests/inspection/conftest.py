"""Tables become subjects of inspection; and the numbers of rows as the inspections take them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainwell.data.encode import fit_encoder
from trainwell.data.schema import infer_schema, usable_rows
from trainwell.data.split import split_table
from trainwell.data.tables import read_table
from trainwell.data.test_table import joined
from trainwell.inspection.inspect import Subject
from trainwell.inspection.inspected import Inspected


def made_subject(source: Any, target: str, test: Any = None, **options: Any) -> Subject:
    table = read_table(source)
    table, for_test = joined(table, read_table(test)) if test is not None else (table, np.zeros(table.rows, bool))
    schema, _ = infer_schema(table, target, **options)
    usable = usable_rows(table, schema)
    table, for_test = table.take(usable), for_test[usable]
    split = split_table(table, schema, seed=0, test_rows=for_test)
    encoder = fit_encoder(table, schema, split.train)
    return Subject(table, schema, split, encoder, encoder.transform(table), 0, test is not None)


@pytest.fixture(scope="session")
def subject() -> Callable[..., Subject]:
    return made_subject


@pytest.fixture(scope="session")
def inspected() -> Callable[..., Inspected]:
    def make(target, task="binary", categorical=(), **columns) -> Inspected:
        values = np.column_stack([np.asarray(column, float) for column in columns.values()])
        kinds = np.array([name in categorical for name in columns])
        target = np.asarray(target, float if task == "regression" else np.int32)
        return Inspected(tuple(columns), values, kinds, target, task, np.arange(len(target)))

    return make
