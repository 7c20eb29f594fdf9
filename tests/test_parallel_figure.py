"""Parallel coordinates: where values lie on their axes, which lines are loud, and what is written on them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.recipe.evidence import Figure, Series
from trainwell.report.figures import is_empty, plot
from trainwell.report.parallel import positions, ranked


def axis(*values, name="a", loud=False) -> Series:
    return Series(name, list(range(len(values))), list(values), emphasis=loud)


def figure(*axes) -> Figure:
    return Figure("parallel", "Settings and score", "", "", axes)


def test_numbers_lie_evenly_between_their_ends_and_far_apart_ones_by_their_logarithm():
    assert positions(axis(1.0, 2.0, 3.0)) == ([0, 0.5, 1], "1", "3")
    places, low, high = positions(axis(0.001, 0.01, 0.1))
    assert places == pytest.approx([0, 0.5, 1])
    assert (low, high) == ("0.001", "0.1")


def test_names_lie_in_the_order_of_their_letters():
    assert positions(axis("b", "a", "c", "a")) == ([0.5, 0, 1, 0], "a", "c")


def test_a_line_without_a_setting_has_no_place_on_its_axis():
    assert positions(axis(1.0, None, 3.0))[0] == [0, None, 1]
    assert positions(axis(None, None)) == ([None, None], "", "")


def test_an_axis_of_one_value_has_it_in_the_middle():
    assert positions(axis(7.0, 7.0))[0] == [0.5, 0.5]


@settings(max_examples=50)
@given(st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_every_place_is_on_the_axis(values):
    places, _, _ = positions(axis(*values))
    assert all(place is None or 0 <= place <= 1 for place in places)
    assert [place is None for place in places] == [value is None for value in values]


@pytest.mark.parametrize(("name", "order"), [("validation AUC", [1, 2, 0, 3]), ("validation RMSE", [0, 2, 1, 3])])
def test_the_best_line_is_that_of_the_best_score_whichever_way_is_better(name, order):
    assert ranked(axis(0.1, 0.9, 0.5, None, name=name)) == order


def test_lines_are_grouped_the_best_one_last_so_that_it_lies_on_top():
    scores = [place / 20 for place in range(20)]
    drawn = plot(figure(axis(*scores, name="weight_decay.rate"), axis(*scores, name="validation AUC", loud=True)))
    assert [trace["name"] for trace in drawn["data"]] == ["the others", "the best tenth", "the best"]
    assert [trace["x"].count(None) for trace in drawn["data"]] == [18, 1, 1]
    assert drawn["data"][-1]["y"] == [1.0, 1.0, None]
    assert drawn["layout"]["xaxis"]["ticktext"] == ["weight decay", "validation AUC"]


def test_markup_in_a_name_is_shown_and_never_run():
    evil = "<img>"
    drawn = plot(figure(axis(evil, "b", name=evil), axis(0.1, 0.2, name="validation AUC", loud=True)))
    texts = [str(text) for trace in drawn["data"] for text in trace["text"]]
    texts += [one["text"] for one in drawn["layout"]["annotations"]] + list(drawn["layout"]["xaxis"]["ticktext"])
    assert any("&lt;img&gt;" in text for text in texts)
    assert not any("<img" in text for text in texts)


def test_a_figure_without_a_line_is_empty():
    assert is_empty(figure(axis()))
    assert not is_empty(figure(axis(1.0)))
