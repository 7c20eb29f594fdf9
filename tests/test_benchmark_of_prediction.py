"""The benchmark of prediction measures what it says: a model that is loaded from disk, and a limit from its own products."""

import numpy as np
from benchmarks import prediction

from trainwell.model import load


def test_the_model_has_the_members_and_widths_that_the_figures_are_of(tmp_path):
    model = load(prediction.made_model("periodic", members=2, columns=3).save(tmp_path / "model"))
    assert [member.architecture.widths for member in model.members] == [prediction.WIDTHS] * 2
    rows = {f"x{i}": [0.1, -0.4] for i in range(3)}
    assert np.ptp(model.predict_proba(rows)[:, 1]) > 0


def test_a_row_costs_the_products_of_its_layers():
    assert prediction.floating_operations("none") == 2 * 9 * (20 * 256 + 2 * 256 * 256 + 256)


def test_the_rows_are_the_same_as_text_and_as_parquet(tmp_path):
    from trainwell.data.tables import read_table

    for name in ("rows.csv", "rows.parquet"):
        prediction.write_rows(tmp_path / name, 5, 2)
    text, parquet = (read_table(tmp_path / name) for name in ("rows.csv", "rows.parquet"))
    for name in text.columns:
        values = [float(cell) for cell in text.column(name).to_pylist()]
        np.testing.assert_allclose(values, parquet.column(name).to_pylist(), rtol=1e-6)
