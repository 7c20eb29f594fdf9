"""A run in a notebook, and each of its figures alone."""

import re

import pytest

import made_up_run
import trainwell
from trainwell.errors import InputError
from trainwell.report.gallery import Figures, UnknownFigure
from trainwell.report.notebook import summary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_up_run.write_run(tmp_path_factory.mktemp("notebook") / "run")


@pytest.fixture(scope="module")
def run(folder):
    return trainwell.open_run(folder)


def test_the_figures_have_the_names_of_the_report(run):
    assert list(run.figures) == [
        "score", "loss_curves", "training_loss", "validation_loss", "time", "look.classes", "baselines.one_batch",
        "overfit.capacity", "regularize.rows", "tune.learning_rate", "tune.confusion",
    ]  # fmt: skip
    assert len(run.figures) == 11
    assert repr(run.figures).startswith("Figures(score, loss_curves, ")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_figure_is_one_of_plotlys_with_real_colours(folder, theme):
    import plotly.graph_objects

    for name, figure in Figures(folder, theme).items():
        assert isinstance(figure, plotly.graph_objects.Figure), name
        assert "var(" not in figure.to_json(), name
    paper = {"light": "#fdfcfa", "dark": "#15181b"}[theme]
    assert Figures(folder, theme)["score"].layout.paper_bgcolor == paper


def test_a_figure_alone_is_written_as_a_page(run, tmp_path):
    run.figures["loss_curves"].write_html(tmp_path / "curves.html", include_plotlyjs=False)
    assert "validation loss" in (tmp_path / "curves.html").read_text()


def test_the_loss_curves_are_two_figures_on_one_scale(run):
    both = run.figures["loss_curves"]
    assert {trace.xaxis for trace in both.data} == {None, "x2"}
    assert both.layout.yaxis2.matches == "y"
    assert len(both.data) == len(run.figures["training_loss"].data) + len(run.figures["validation_loss"].data)


def test_the_last_part_of_a_name_suffices_where_it_is_the_only_one(run):
    assert run.figures["confusion"] == run.figures["tune.confusion"]
    assert "confusion" in run.figures
    assert "nonsense" not in run.figures
    assert run.figures.get("nonsense") is None


def test_an_unknown_name_gets_one_sentence_with_the_names_there_are(run):
    with pytest.raises(UnknownFigure) as caught:
        run.figures["loss_curve"]
    assert isinstance(caught.value, InputError)
    assert re.fullmatch(
        r"there is no figure 'loss_curve', did you mean 'loss_curves'\?; there are 'score', .*'tune\.confusion'\.",
        str(caught.value),
    )


def test_a_run_without_figures_says_so(tmp_path):
    (tmp_path / "events.jsonl").write_text("")
    run = trainwell.open_run(tmp_path)
    assert list(run.figures) == []
    with pytest.raises(InputError, match=r"^there is no figure 'score'; there are none yet\.$"):
        run.figures["score"]
    with pytest.raises(InputError, match="was stopped before it had a model"):
        run.predict({"a": [1]})


def test_what_is_no_run_folder_is_not_opened(tmp_path):
    with pytest.raises(InputError, match="is not a run folder"):
        trainwell.open_run(tmp_path)


def test_the_summary_says_what_the_report_says_first(folder):
    said = summary(folder)
    assert "Churn: 0.856 AUC, 0.014 better than linear" in said
    assert '<th scope="row">squeeze</th><td>ok</td>' in said
    assert "<script" not in said


def test_a_notebook_shows_the_run_and_its_figures(folder):
    """A real kernel runs the cells of a real notebook."""
    import nbformat
    from nbclient import NotebookClient

    cells = [
        f"import trainwell\nrun = trainwell.open_run({str(folder)!r})\nrun",
        'run.figures["loss_curves"]',
        'run.figures["nothing"]',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=600, allow_errors=True, kernel_name="python3")
    shown = [cell.outputs for cell in client.execute().cells]
    plotly = "application/vnd.plotly.v1+json"
    kinds = [[kind for kind in ("text/html", plotly) if kind in one.get("data", {})][-1:] for one in shown[0]]
    assert kinds == [["text/html"], [plotly], [plotly], [plotly]]
    assert "0.856 AUC" in shown[0][0].data["text/html"]
    assert shown[1][0].data[plotly]["layout"]["xaxis2"]["anchor"] == "y2"
    assert shown[2][0].ename == "UnknownFigure"
