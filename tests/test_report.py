"""The report: what it says, that it needs nothing else, and that nothing in a table can speak in it."""

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser

import pytest

import made_up_run
from trainwell.errors import InputError
from trainwell.recipe.evidence import STAGES, Evidence, Figure, Series, write_evidence
from trainwell.report.figures import is_empty, log_ticks, plot
from trainwell.report.page import TEMPLATES, write_report
from trainwell.report.record import read_record
from trainwell.report.run_figures import MOST_POINTS, Score, curve_plots, score_plot, stage_seconds, time_plot
from trainwell.report.tables import common_settings, flush, varied

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """A page as a browser takes it apart: open and close must match; texts and scripts are kept."""

    def __init__(self, source: str):
        super().__init__()
        self.open, self.tags, self.scripts, self.words = [], [], [], []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_report(made_up_run.write_run(tmp_path_factory.mktemp("report") / "run")).read_text()


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_the_first_sentence_sets_the_score_beside_the_best_baseline(page):
    assert (
        "On rows that nothing had seen before, the model reaches 0.856 AUC (95% interval 0.852 to 0.860). "
        "The best baseline, linear, reaches 0.842 on the same rows." in page.text
    )
    assert "Churn: 0.856 AUC, 0.014 better than linear" in page.text


def test_every_stage_is_there_with_summary_explanation_actions_tables_and_figures(page):
    for evidence in made_up_run.evidence().values():
        for said in (evidence.summary, evidence.explanation, *evidence.actions, *evidence.tables):
            assert said in page.text
        for figure in evidence.figures.values():
            assert figure.title in page.text


def test_the_schema_says_role_and_why_of_every_column(page):
    for name, role, why in made_up_run.COLUMNS:
        assert f"{name} {role}" in page.text
        assert why in page.text


def test_notes_and_failed_networks_are_listed(page):
    for _, _, message in made_up_run.NOTES:
        assert message in page.text
    assert "network 5 in tune: loss not finite at epoch 3" in page.text


def test_the_page_needs_nothing_from_elsewhere(source, page):
    assert len(source.encode()) < 6_000_000
    for tag, attributes in page.tags:
        assert not {"src", "srcset", "data", "action"} & set(attributes), tag
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"@import|url\(", (TEMPLATES / "page.css").read_text())


def test_only_the_two_scripts_of_the_page_may_run(page):
    policy = next(one["content"] for one in page.attributes("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    kinds = page.attributes("script")
    running = [script for script, kind in zip(page.scripts, kinds, strict=True) if kind.get("type") != "application/json"]
    assert len(running) == 2
    for script in running:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy


def test_every_figure_has_words_for_those_who_cannot_see_it(page):
    plots = [one for one in page.attributes("div") if one.get("class") == "plot"]
    assert len(plots) == 10
    assert all(one["role"] == "img" and len(one["aria-label"]) > 20 for one in plots)


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(theme):
    """WCAG 2.1: 4.5 to 1 for text, 3 to 1 for the lines of figures."""
    light, dark, *_ = re.findall(r"\{([^{}]*--paper:[^{}]*)\}", (TEMPLATES / "page.css").read_text())
    colours = dict(re.findall(r"(--[\w-]+): (#\w{6})", light if theme == "light" else dark))
    for ink in ("--ink", "--ink-2", "--link"):
        for ground in ("--paper", "--card"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for verdict in ("good", "care", "bad"):
        assert contrast(colours[f"--{verdict}"], colours[f"--{verdict}-wash"]) >= 4.5, verdict
    assert contrast(colours["--ink"], colours["--care-wash"]) >= 4.5
    for line in ("--quiet", *(f"--series-{place}" for place in range(1, 7))):
        assert contrast(colours[line], colours["--paper"]) >= 3, line


def contrast(first: str, second: str) -> float:
    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7 * 7 }}"


def test_nothing_in_a_table_can_speak_in_the_page(tmp_path):
    columns = ((EVIL, "category", EVIL), ("ok", "numeric", ""), (f"{EVIL}!", "target", ""))
    folder = made_up_run.write_run(tmp_path / "run", columns=columns, target=f"{EVIL}!")
    figures = {
        kind: Figure(kind, EVIL, EVIL, EVIL, [Series(EVIL, [EVIL, "b"], [1, 2])], EVIL) for kind in ("bars", "lines", "heatmap")
    }
    rows = [{EVIL: EVIL, "number": 1.5}]
    write_evidence(Evidence("look", "warn", EVIL, EVIL, (EVIL,), {EVIL: EVIL}, {EVIL: rows}, figures), folder / "evidence")
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({"time": 1.0, "event": "note", "stage": "look", "message": EVIL, "column": EVIL}) + "\n")
    history = {
        "metric": "auc",
        "members": [{**made_up_run.members(1)[0], "member": EVIL, "structure": EVIL, "settings": {EVIL: 1.0}}],
    }
    (folder / "members" / "history.json").write_text(json.dumps(history))
    page = Page(write_report(folder).read_text())
    running = [one for one in page.attributes("script") if one.get("type") != "application/json"]
    assert len(running) == 2
    assert page.attributes("img") == []
    assert EVIL in page.text
    drawn = [json.loads(script) for script, kind in zip(page.scripts, page.attributes("script"), strict=True) if kind]
    names = {trace.get("name", "") for one in drawn for trace in one["data"]}
    assert any("&lt;/script&gt;" in name for name in names)
    assert not any("<script>" in name for name in names)


@pytest.mark.parametrize("reached", range(len(STAGES)))
def test_an_unfinished_run_gives_a_page_that_says_what_is_missing(tmp_path, reached):
    folder = made_up_run.write_run(tmp_path / "run", stages=STAGES[:reached], finished=False)
    page = Page(write_report(folder).read_text())
    assert "This run is not finished." in page.text
    said = "These stages are" if len(STAGES[reached:]) > 1 else "This stage is"
    assert f"{said} missing: {', '.join(STAGES[reached:])}." in page.text
    assert f"trainwell fit --resume {folder}" in page.text
    assert "This run has no final score yet." in page.text
    assert page.text.count("The run has not reached this stage.") == len(STAGES) - reached


def test_a_run_that_ended_before_its_first_stage_gives_a_page(tmp_path):
    (tmp_path / "events.jsonl").write_text("")
    page = Page(write_report(tmp_path).read_text())
    assert "The run ended before the table was understood." in page.text
    assert "No network was trained yet." in page.text


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is not a run folder: it holds no events.jsonl, which every run writes first\.$"):
        write_report(tmp_path)
    with pytest.raises(InputError, match=r"^There is no run folder '.*nothing'\.$"):
        write_report(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []


def curves(members=None):
    members = made_up_run.members() if members is None else members
    scored = [member for member in members if member["score"] is not None]
    return curve_plots(members, max(scored, key=lambda member: member["score"]))


def every_plot():
    figures = [figure for evidence in made_up_run.evidence().values() for figure in evidence.figures.values()]
    yield from (plot(figure) for figure in figures)
    yield plot(Figure("bars", "", "", "", [Series("a", ["a long name for a bar", "b"], [1, 2]), Series("b", ["b"], [3])]))
    yield plot(Figure("heatmap", "", "", "", []))
    yield plot(Figure("lines", "", "", "", [Series("a", [0, 1], [None, 0.0])], log_x=True, log_y=True))
    yield score_plot([Score("this model", 0.9, 0.8, 0.95, True), Score("majority", 0.5)], "auc")
    yield from curves().values()
    yield time_plot(stage_seconds(made_up_run.events()))


@pytest.mark.parametrize("drawn", list(every_plot()))
def test_plotly_accepts_every_figure(drawn):
    from plotly.graph_objects import Figure as PlotlyFigure

    assert PlotlyFigure(drawn).to_plotly_json()["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"


def test_hundreds_of_curves_are_three_traces_of_thinned_lines():
    members = [{**one, "training_loss": [1.0] * 1000, "validation_loss": [1.0] * 1000} for one in made_up_run.members(256)]
    for drawn in curves(members).values():
        assert [trace["name"] for trace in drawn["data"]] == ["given up on the way", "trained", "best"]
        assert sum(len(trace["x"]) for trace in drawn["data"]) <= 256 * (MOST_POINTS + 1)


def test_the_page_of_many_long_networks_stays_small(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    curve = [0.3 + 0.1234567 / (epoch + 1) for epoch in range(1000)]
    members = [{**one, "training_loss": curve, "validation_loss": curve} for one in made_up_run.members(256)]
    (folder / "members" / "history.json").write_text(json.dumps({"metric": "auc", "members": members}))
    assert write_report(folder).stat().st_size < 6_000_000


def test_the_best_member_is_drawn_last_and_boldest():
    members = made_up_run.members()
    best = max((member for member in members if member["score"] is not None), key=lambda member: member["score"])
    last = curves(members)["validation_loss"]["data"][-1]
    assert last["line"]["width"] > 2
    assert set(last["customdata"]) == {best["member"]}


def test_one_wild_member_does_not_flatten_the_others():
    members = made_up_run.members()
    members[0] = {**members[0], "training_loss": [1e6], "validation_loss": [1e6]}
    _, high = curves(members)["training_loss"]["layout"]["yaxis"]["range"]
    assert high < 3


def test_both_loss_figures_have_one_scale():
    training, validation = curves().values()
    assert training["layout"]["yaxis"]["range"] == validation["layout"]["yaxis"]["range"]


def test_compiling_counts_towards_the_stage_it_happened_in():
    assert stage_seconds(made_up_run.events())["tune"] == (27.4, 1.3)
    assert stage_seconds(made_up_run.events())["squeeze"] == (3.9, 0.0)


def test_bars_with_long_names_lie():
    upright = plot(Figure("bars", "", "", "", [Series("a", ["no", "yes"], [1, 2])]))
    lying = plot(Figure("bars", "", "", "", [Series("a", ["no", "a name that is long"], [1, 2])]))
    assert [drawn["data"][0]["orientation"] for drawn in (upright, lying)] == ["v", "h"]
    assert lying["data"][0]["x"] == [1, 2]


def test_fractions_in_a_column_have_equally_many_digits():
    assert flush([{"a": 0.5}, {"a": 0.842}, {"a": None}], "a") == ["0.500", "0.842", "–"]
    assert flush([{"a": 1e-7}, {"a": 0.842}], "a") == ["1e-07", "0.842"]
    assert flush([{"a": 3}, {"a": "x"}], "a") == ["3", "x"]


def test_where_less_is_better_the_best_has_the_least(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    losses = [{**member, "score": 1.0 + place} for place, member in enumerate(made_up_run.members(5))]
    (folder / "members" / "history.json").write_text(json.dumps({"metric": "RMSE", "members": losses}))
    (folder / "events.jsonl").write_text("")
    assert [member["member"] for member in read_record(folder).ranked_members] == [0, 1, 2, 3, 4]


def test_labels_of_a_logarithmic_axis_say_where_they_stand():
    ticks = log_ticks([2e-4, 3e-3])
    said = dict(zip(ticks["ticktext"], ticks["tickvals"], strict=True))
    assert said["0.0005"] == pytest.approx(5e-4)
    assert said["0.001"] == pytest.approx(1e-3)
    assert log_ticks([1e-9, 1e9])["ticktext"][-1] == "10<sup>10</sup>"


def test_a_figure_of_nothing_says_so(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    nothing = {"nothing": Figure("lines", "A figure of nothing", "epoch", "loss", [Series("loss", [1, 2], [None, None])])}
    write_evidence(Evidence("look", "pass", "", figures=nothing), folder / "evidence")
    assert "A figure of nothing Nothing was measured." in Page(write_report(folder).read_text()).text


def test_settings_that_all_networks_share_are_said_once():
    members = [{"settings": {"dropout.rate": rate, "adam.beta1": 0.9}} for rate in (0.1, 0.2)]
    assert varied(members) == ["dropout.rate"]
    assert common_settings(members) == {"adam.beta1": 0.9}


def test_names_may_stand_on_either_axis():
    drawn = plot(Figure("points", "", "loss", "", [Series("network", [0.2, 0.1], ["tenure", "a very long name " * 9])]))
    assert drawn["layout"]["yaxis"]["type"] == "category"
    assert drawn["layout"]["yaxis"]["autorange"] == "reversed"
    assert not is_empty(Figure("points", "", "", "", [Series("network", [0.2], ["tenure"])]))
    assert is_empty(Figure("points", "", "", "", [Series("network", [None], ["tenure"])]))


def test_a_logarithmic_axis_of_one_value_has_few_labels():
    assert set(log_ticks([1e-3])["ticktext"]) == {"0.0001", "0.001", "0.01"}
