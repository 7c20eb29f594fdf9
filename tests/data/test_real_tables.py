"""Real tables are read, understood, split and encoded with nothing named but the target."""

import numpy as np
import pytest

from trainwell.data.encode import Encoder, fit_encoder
from trainwell.data.profile import profile
from trainwell.data.schema import Schema, infer_schema, usable_rows
from trainwell.data.split import split_table
from trainwell.errors import InputError

ALL = [
    ("adult_train.csv.gz", "column_15", "binary"),
    ("ai4i2020.csv.gz", "Machine failure", "binary"),
    ("bike_sharing_hour.csv.gz", "cnt", "regression"),
    ("california_housing.csv.gz", "median_house_value", "regression"),
    ("cmapss_train_FD001.txt.gz", "column_2", "regression"),
    ("diamonds.csv.gz", "price", "regression"),
    ("german_credit.csv", "default", "binary"),
    ("horse_colic.csv", "column_24", "binary"),
    ("insurance_charges.csv", "charges", "regression"),
    ("letter_recognition.csv.gz", "lettr", "multiclass"),
    ("mice_protein.csv.gz", "class", "multiclass"),
    ("mushrooms.csv.gz", "type", "binary"),
    ("parkinsons_telemonitoring.csv.gz", "total_UPDRS", "regression"),
    ("taxis.csv.gz", "fare", "regression"),
    ("telco_churn.csv.gz", "Churn", "binary"),
    ("titanic.csv", "survived", "binary"),
]


def roles(schema: Schema, *left_out: str) -> dict[str, str]:
    return {column.name: column.role for column in schema.columns if column.role not in ("target", *left_out)}


@pytest.mark.parametrize(("name", "target", "task"), ALL)
def test_every_table_goes_all_the_way(real, name, target, task):
    table = real(name)
    schema, _ = infer_schema(table, target)
    assert schema.task == task
    table = table.take(usable_rows(table, schema))
    split = split_table(table, schema, seed=0)
    encoder = fit_encoder(table, schema, split.train)
    assert Encoder.from_json(encoder.to_json()) == encoder
    arrays = encoder.transform(table)
    assert np.isfinite(arrays.numeric).all()
    assert np.abs(arrays.numeric[:, : encoder.continuous]).max(initial=0) <= 3
    assert np.isin(arrays.numeric[:, encoder.continuous :], (0, 0.5, 1)).all()
    assert (arrays.categories >= 0).all()
    assert (arrays.categories < np.array(encoder.cardinalities)).all()
    assert len(arrays.target) == table.rows
    assert len(profile(table, schema)["columns"]) == len(table.columns)


def test_telco_has_an_identifier_and_blanks_hidden_in_numbers(real):
    table = real("telco_churn.csv.gz")
    assert table.notes == ("missing cells: blanks (11 in TotalCharges)",)
    schema, notes = infer_schema(table, "Churn")
    assert roles(schema, "category") == {
        "customerID": "identifier",
        "SeniorCitizen": "numeric",
        "tenure": "numeric",
        "MonthlyCharges": "numeric",
        "TotalCharges": "numeric",
    }
    assert schema.column("TotalCharges").missing == 11
    assert schema.classes == ("No", "Yes")
    assert [note.message for note in notes] == [
        "Churn: the positive class is 'Yes' (the class that sorts last).",
        "customerID looks like an identifier (7,043 different values in 7,043 rows): ignored.",
    ]


def test_adult_has_no_column_names(real):
    table = real("adult_train.csv.gz")
    assert (table.rows, len(table.columns)) == (32561, 15)
    assert table.notes == (
        "no column names in the first line: the columns are called column_1 to column_15",
        "missing cells: '?' (1,836 in column_2, 1,843 in column_7, 583 in column_14)",
    )
    assert table.row_number(0) == 1
    schema, _ = infer_schema(table, "column_15")
    assert schema.classes == ("<=50K", ">50K")
    assert [name for name, role in roles(schema).items() if role == "numeric"] == [f"column_{i}" for i in (1, 3, 5, 11, 12, 13)]
    assert schema.column("column_14").distinct == 41


def test_cmapss_is_separated_by_blanks(real):
    table = real("cmapss_train_FD001.txt.gz")
    assert (table.rows, len(table.columns)) == (20631, 26)
    schema, _ = infer_schema(table, "column_2", group="column_1")
    assert [column.name for column in schema.columns if column.role == "constant"] == [
        f"column_{i}" for i in (5, 6, 10, 15, 21, 23, 24)
    ]
    assert split_table(table, schema, seed=0).kind == "group"


def test_titanic(real):
    schema, notes = infer_schema(real("titanic.csv"), "survived")
    assert roles(schema, "category") == dict.fromkeys(("pclass", "age", "sibsp", "parch", "fare"), "numeric")
    assert {column.name: column.missing for column in schema.columns if column.missing} == {
        "age": 177,
        "embarked": 2,
        "deck": 688,
        "embark_town": 2,
    }
    assert schema.column("alive").levels == ("no", "yes")
    assert len(notes) == 1


def test_german_credit_has_none_as_a_category(real):
    schema, _ = infer_schema(real("german_credit.csv"), "default")
    assert not any(column.missing for column in schema.columns)
    assert "none" in schema.column("other_debtors").levels
    assert len(roles(schema, "numeric")) == 13


def test_mushrooms_are_all_categories_but_one_constant(real):
    schema, _ = infer_schema(real("mushrooms.csv.gz"), "type")
    assert roles(schema, "category") == {"veil_type": "constant"}
    assert schema.column("stalk_root").missing == 2480


def test_diamonds(real):
    schema, notes = infer_schema(real("diamonds.csv.gz"), "price")
    assert roles(schema, "numeric") == dict.fromkeys(("cut", "color", "clarity"), "category")
    assert notes == ()


def test_taxis_have_dates_and_zones(real):
    table = real("taxis.csv.gz")
    schema, _ = infer_schema(table, "fare")
    assert [name for name, role in roles(schema).items() if role == "date"] == ["pickup", "dropoff"]
    encoder = fit_encoder(table, schema, np.arange(table.rows))
    assert encoder.category_names == ("pickup_zone", "dropoff_zone")
    assert "pickup hour sine" in encoder.numeric_names
    schema, _ = infer_schema(table, "fare", time="pickup")
    split = split_table(table, schema, seed=0)
    pickup = np.array(table.column("pickup").to_pylist(), "datetime64[s]")
    assert pickup[split.train].max() < pickup[split.validation].min()
    assert pickup[split.validation].max() < pickup[split.test].min()


def test_text_is_ignored_and_alone_it_is_not_enough(real):
    with pytest.raises(InputError) as caught:
        infer_schema(real("sms_spam.csv.gz"), "type")
    assert str(caught.value).endswith("has no column to learn 'type' from; left out are 'text (text)'.")


def test_mice_have_names_with_a_byte_order_mark_and_a_column_twice(real):
    table = real("mice_protein.csv.gz")
    assert table.columns[0] == "MouseID"
    schema, notes = infer_schema(table, "class")
    assert schema.column("MouseID").role == "identifier"
    assert ("pS6_N", "pS6_N repeats ARC_N in every row: ignored.") in notes


def test_bike_sharing_and_ai4i_have_numbered_rows(real):
    schema, _ = infer_schema(real("bike_sharing_hour.csv.gz"), "cnt")
    assert roles(schema, "numeric") == {"instant": "identifier", "dteday": "date"}
    schema, _ = infer_schema(real("ai4i2020.csv.gz"), "Machine failure")
    assert roles(schema, "numeric") == {"UID": "identifier", "Product ID": "identifier", "Type": "category"}
