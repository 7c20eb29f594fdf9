"""Names and texts of a table appear as text wherever they stand, and never run."""

import html
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.hostile_run import KINDS, NAMES, write_hostile_run
from trainwell.recipe.evidence import Figure, Series
from trainwell.report.figures import plot
from trainwell.report.markdown import card_text
from trainwell.report.page import write_report
from trainwell.report.plotting import LONGEST_LABEL, label, names, plain
from trainwell.report.record import read_record
from trainwell.report.summaries import describe

texts = st.sampled_from(list(NAMES.values())) | st.text(max_size=80)


class Parts(HTMLParser):
    """Tags, identifiers and the data of figures of a page."""

    def __init__(self, source: str):
        super().__init__()
        self.tags, self.identifiers, self.figures, self.attributes, self.json = set(), [], [], set(), False
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        self.identifiers += [value for name, value in attributes if name == "id"]
        self.json = tag == "script" and ("type", "application/json") in attributes
        if self.json:
            self.figures.append("")

    def handle_data(self, data):
        if self.json:
            self.figures[-1] += data


@pytest.fixture(scope="module")
def tame(tmp_path_factory):
    return Parts(write_report(write_hostile_run(tmp_path_factory.mktemp("hostile") / "run", "tame")).read_text())


@pytest.mark.parametrize("kind", NAMES)
def test_a_page_of_hostile_names_has_the_elements_of_a_tame_one(tame, tmp_path, kind):
    page = Parts(write_report(write_hostile_run(tmp_path / "run", NAMES[kind])).read_text())
    folded = {"details", "summary", "div"}
    assert page.tags - folded == tame.tags - folded
    assert page.identifiers == tame.identifiers
    assert page.attributes == tame.attributes
    assert len(page.figures) == len(tame.figures)
    for figure in page.figures:
        assert set(json.loads(figure)) == {"data", "layout"}


@pytest.mark.parametrize("kind", NAMES)
def test_the_name_can_be_read_on_the_page_in_full(tmp_path, kind):
    source = write_report(write_hostile_run(tmp_path / "run", NAMES[kind])).read_text()
    whole = NAMES[kind].encode("utf-8", "replace").decode()
    assert whole.replace("\r\n", "\n") in html.unescape(source).replace("\r\n", "\n")


@settings(max_examples=50)
@given(texts)
def test_plotly_finds_no_markup_formula_template_or_colour_in_a_label(text):
    shown = plain(text)
    assert not re.search(r"[<>$]|%\{|var\(|&(?!(amp|lt|gt|#36|#37|#40);)", shown)
    assert html.unescape(shown.replace("\r", "")) == text.replace("\r", "")
    assert len(html.unescape(label(text))) <= LONGEST_LABEL


@settings(max_examples=50)
@given(st.lists(texts | st.text(alphabet="x", min_size=39, max_size=45), max_size=8))
def test_different_names_keep_different_places_on_an_axis(several):
    labels = names(several)
    assert len(set(labels.values())) == len(set(several))


@settings(max_examples=50)
@given(st.sampled_from(KINDS), texts, st.lists(texts, min_size=1, max_size=3, unique=True))
def test_every_figure_of_any_names_is_one_for_plotly_and_in_words(kind, name, places):
    from plotly.graph_objects import Figure as PlotlyFigure

    figure = Figure(kind, name, name, name, [Series(name, places, list(range(len(places))))], name)
    assert len(PlotlyFigure(plot(figure)).data) >= 1
    assert describe(figure).startswith(name)


def test_names_that_look_like_dates_or_numbers_stay_names():
    for kind in ("bars", "lines", "points"):
        drawn = plot(Figure(kind, "", "", "", [Series("a", ["2024-01-01", "1e5"], [1, 2])]))
        assert drawn["layout"]["xaxis"]["type"] == "category"


@pytest.mark.parametrize("kind", NAMES)
def test_the_model_card_has_no_markup_but_its_own(tmp_path, kind):
    text = card_text(read_record(write_hostile_run(tmp_path / "run", NAMES[kind])))
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    for line in front.splitlines():
        assert re.match(r"[a-z_-]+:|- name: |  results:|  - task: |    (dataset|metrics): ", line)
    prose = re.sub(r"```python\n.*?\n```", "", body, flags=re.S)
    assert not re.search(r"(?<!\\)[<>$`]", prose)
    assert len(re.findall(r"^# ", prose, re.M)) == 1
    assert len(re.findall(r"^## ", prose, re.M)) == 9
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    assert body.count("```") == 2
