"""Tables of rows to look at: cells of the table beside what was found, whatever its columns are called."""

import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from trainwell.explain.worst_rows import Mistake
from trainwell.inspection.groups_and_time import Compared
from trainwell.population.budget import Budget
from trainwell.recipe.look.stage import look
from trainwell.recipe.look.tables import _compared
from trainwell.recipe.options import Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.squeeze.where_it_errs import _row

NAMES = ("row", "expected", "probability")


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """Features that are called as the headings of such tables, and some wrong labels."""
    random = np.random.default_rng(0)
    values = random.normal(size=(400, 3)).round(3)
    target = (values.sum(axis=1) > 0) ^ (np.arange(400) % 40 == 0)
    table = {
        **{name: values[:, place].tolist() for place, name in enumerate(NAMES)},
        "true": np.where(target, "b", "a").tolist(),
    }
    options = Options.checked(target="true", trials=1, out=tmp_path_factory.mktemp("rows") / "run")
    return prepare(table, options, Budget(), None, ())[0]


def test_a_feature_that_is_called_as_a_heading_leaves_that_cell_of_a_suspect_row_alone(context):
    lines = look(context).tables["Rows whose target deserves a second look"]
    headings = ["row", "given", "expected", "probability", *(f"{name} (feature)" for name in NAMES)]
    for line in lines:
        assert sorted(line) == sorted(headings)
        assert line["given"] != line["expected"]
        assert {line["given"], line["expected"]} == {"a", "b"}
        assert line["row (feature)"] == context.table.column("row")[int(line["row"]) - 1].as_py()


def test_nor_does_it_in_the_worst_mistakes(context):
    place, position = 3, int(context.split.test[3])
    predicted, truth = np.full((len(context.split.test), 1), 0.9), context.test.target
    line = _row(context, Mistake(place, 0.9, 0.1), predicted, truth, NAMES)
    assert line["row"] == context.table.row_name(position)
    assert line["row (feature)"] == pytest.approx(context.table.column("row")[position].as_py())
    assert line["true"] == "ab"[truth[place]]
    assert line["expected"] == pytest.approx(context.table.column("expected")[position].as_py())


def test_the_option_for_a_split_that_is_right_can_be_pasted():
    name = "the owner's " + "long " * 20 + "name"
    (line,) = _compared(SimpleNamespace(compared=[Compared(name, "group", "", "AUC", 0.9, 0.5, 100, True)]))
    assert shlex.split(line["a split that is right"]) == ["--group", name]
