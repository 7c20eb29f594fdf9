"""The model card: what it says of data, use, scores, subgroups and limits, and that it is what model hubs read."""

import dataclasses
import json

import pytest
import yaml

import made_up_run
from trainwell.data.profile import profile
from trainwell.data.schema import infer_schema
from trainwell.data.tables import read_table
from trainwell.recipe.evidence import write_evidence
from trainwell.report.card_limits import limits
from trainwell.report.markdown import card_text
from trainwell.report.model_card import model_card
from trainwell.report.page import write_report
from trainwell.report.record import read_record

TITLES = [
    "What it is", "Intended use", "Data", "Scores", "Scores by subgroup", "Calibration", "Limits that were measured",
    "How to load and use it", "Versions",
]  # fmt: skip
GROUPS = [
    {"subgroup": "Contract = Two year", "test rows": 340, "AUC": 0.71, "beyond chance": "worse"},
    {"subgroup": "Contract = One year", "test rows": 300, "AUC": 0.85, "beyond chance": ""},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_up_run.write_run(tmp_path_factory.mktemp("card") / "run")


def changed(folder, stage: str, **parts):
    """The record of a run in which a stage's evidence is another."""
    write_evidence(dataclasses.replace(made_up_run.evidence()[stage], **parts), folder / "evidence")
    return read_record(folder)


def section(record, title: str) -> str:
    one = next(section for section in model_card(record) if section.title == title)
    return " ".join([*one.paragraphs, *one.items, one.code, *(str(cell) for row in one.rows for cell in row.values())]).strip()


def test_the_card_has_the_sections_of_a_model_card(folder):
    assert [one.title for one in model_card(read_record(folder))] == TITLES


def test_data_names_file_rows_target_and_what_became_of_the_columns(folder):
    said = section(read_record(folder), "Data")
    for part in ("churn.csv", "7,043", "Churn", "3 category", "3 numeric", "1 identifier"):
        assert part in said


def test_data_say_from_when_to_when_the_dates_go(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    table = read_table({"day": ["2023-12-31", "2024-01-05"] * 10, "hour": ["2024-01-05 10:30", "2024-02-01 00:15"] * 10,
                        "y": ["a", "b"] * 10})  # fmt: skip
    (folder / "profile.json").write_text(json.dumps(profile(table, infer_schema(table, "y")[0])))
    said = section(read_record(folder), "Data")
    assert "period by day 2023-12-31 to 2024-01-05" in said
    assert "period by hour 2024-01-05T10:30:00 to 2024-02-01T00:15:00" in said


def test_use_names_the_columns_that_the_model_reads_and_no_others(folder):
    said = section(read_record(folder), "Intended use")
    assert "6 columns: gender, SeniorCitizen, tenure, Contract, MonthlyCharges, TotalCharges" in said
    assert "customerID" not in said
    assert "It predicts Churn (No, Yes) for new rows" in said


def test_use_names_those_columns_alone_that_networks_were_given(tmp_path):
    kept = json.dumps(["tenure", "Contract"])
    record = changed(made_up_run.write_run(tmp_path / "run"), "overfit", measures={"columns": kept})
    assert "It reads 2 columns of the table's 6: tenure, Contract." in section(record, "Intended use")


def test_scores_have_their_interval(folder):
    assert "0.852 to 0.860" in section(read_record(folder), "Scores")


def test_subgroups_that_are_worse_are_a_limit(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    assert "measured no scores by subgroup" in section(read_record(folder), "Scores by subgroup")
    record = changed(folder, "squeeze", tables={"Scores by subgroup": GROUPS})
    assert "Contract = One year" in section(record, "Scores by subgroup")
    worse = [one for one in limits(record) if one.startswith("Subgroup")]
    assert worse == ["Subgroup Contract = Two year: worse by more than chance (340 test rows)."]


def test_a_warning_a_better_baseline_few_rows_and_missing_stages_are_limits(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    assert limits(read_record(folder))[0].startswith("Stage look: 7,043 rows")
    record = changed(folder, "squeeze", measures={"test_score": 0.8, "low": 0.7, "high": 0.9, "linear.test_score": 0.85})
    assert "The simple model linear scores better on the same test rows: 0.850." in limits(record)
    record = changed(folder, "look", verdict="pass", measures={"test_rows": 60})
    assert "Only 60 rows tested it: its score is known no better than 0.700 to 0.900." in limits(record)
    (folder / "evidence" / "tune.json").unlink()
    assert limits(read_record(folder))[-1] == "The run is not finished, stages are missing: tune."


def test_the_front_matter_is_what_model_hubs_read(folder):
    text = card_text(read_record(folder))
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["library_name"] == "trainwell"
    assert front["pipeline_tag"] == "tabular-classification"
    (model,) = front["model-index"]
    assert model["results"][0]["metrics"][0]["value"] == 0.856
    assert model["results"][0]["dataset"]["name"] == "churn.csv"


def test_the_card_is_written_beside_the_page_with_the_same_sections(folder):
    page = write_report(folder).read_text()
    card = (folder / "model_card.md").read_text()
    for title in TITLES:
        assert f"\n## {title}\n" in card
        assert f"<h3>{title}</h3>" in page


def test_the_commands_of_the_card_name_the_folder(folder):
    code = section(read_record(folder), "How to load and use it")
    assert f"trainwell.load({str(folder)!r})" in code
    assert "predict_proba" in code


def test_a_run_without_a_model_has_a_card_that_says_so(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run", stages=("look",), finished=False)
    assert section(read_record(folder), "What it is") == "The run has left no model yet."
    assert "model-index" not in card_text(read_record(folder))


def test_a_file_of_test_rows_is_named_and_makes_no_claim_about_other_rows(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    assert "nothing was measured there" in section(read_record(folder), "Intended use")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "test": "/data/later.csv"}))
    use, data = section(read_record(folder), "Intended use"), section(read_record(folder), "Data")
    assert "than those of churn.csv and later.csv" in use
    assert "nothing was measured there" not in use
    assert "the test rows are not later" not in use
    assert "The file churn.csv and the rows of later.csv to test on, together with 7,043 rows" in data


def test_rows_are_counted_once_and_a_sample_is_called_one(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    (folder / "profile.json").write_text(json.dumps({"rows": 7043, "usable_rows": 7043}))
    assert [row["what"] for row in rows_of(folder)][:2] == ["rows with a target", "columns"]
    (folder / "profile.json").write_text(json.dumps({"rows": 1000, "usable_rows": 1000}))
    assert rows_of(folder)[:2] == [
        {"what": "rows", "value": "7,043"}, {"what": "of these looked at before tuning", "value": "1,000"},
    ]  # fmt: skip


def test_a_frame_is_no_file(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "source": None}))
    assert section(read_record(folder), "Data").startswith("The table churn.csv with 7,043 rows;")


def rows_of(folder):
    return next(one for one in model_card(read_record(folder)) if one.title == "Data").rows
