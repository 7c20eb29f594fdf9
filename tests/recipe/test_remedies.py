"""What the search does about a finding, and how a run tells of both."""

import json
from dataclasses import replace

import numpy as np
import pytest

from small_networks import member, structure, train
from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.remedies import Remedy
from trainwell.population.budget import Budget
from trainwell.population.history import Curves
from trainwell.population.member import Training
from trainwell.population.step import start
from trainwell.recipe.findings import known_of
from trainwell.recipe.options import Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.remedies import Searched, remedied
from trainwell.recipe.run import fit
from trainwell.recipe.tune import spaces
from trainwell.recipe.tune.stage import space as space_of
from trainwell.report.findings import went_wrong
from trainwell.search.halving import Wave
from trainwell.search.space import Space
from trainwell.search.trials import distributions, told

NETWORK = structure()


@pytest.fixture
def scored():
    """A function that makes a training of a member with a score, which nobody has trained."""

    def make(member, score, ended=False, failed=False):
        state = start(np.uint32(0), member.structure, member.settings, np.zeros(1, np.float32))
        stopping = state.stopping._replace(best=np.float32(score), stopped=np.bool_(failed))
        curves = Curves(*((score,) * 9 for _ in range(3)), (1.0,) * 9)
        return Training(member, state._replace(stopping=stopping, failed=np.bool_(failed)), curves, ended).let_go()

    return make


RATE = "adam.learning_rate"
SPACE = Space((NETWORK,), (RATE,), ranges={RATE: (1e-4, 1.0)})


def fault(rate: float, times: float, number: int = 1):
    finding = Finding(
        "lr-too-high" if times < 1 else "lr-too-low", "problem", "it broke", remedies=(Remedy("learning_rate", times=times),)
    )
    return member(number, NETWORK, adam__learning_rate=rate), finding


def test_rates_that_did_harm_lower_the_upper_end_of_the_range():
    space, done = remedied(SPACE, [fault(0.3, 0.1), fault(0.6, 0.1)], [])
    assert space.ranges[RATE] == (1e-4, pytest.approx(0.1))
    assert done[0].says == "the upper end of adam.learning_rate was moved from 1 to 0.1 for the networks that followed"


def test_rates_at_which_networks_stand_still_raise_the_lower_end():
    space, done = remedied(SPACE, [fault(1e-3, 10.0)], [])
    assert space.ranges[RATE] == (pytest.approx(3e-3), 1.0)
    assert [one.cause for one in done] == ["lr-too-low"]


def test_the_range_stays_where_nothing_went_wrong_or_where_the_rate_is_held_fixed():
    assert remedied(SPACE, [], []) == (SPACE, [])
    fixed = Space((NETWORK,), ("dropout.rate",))
    assert remedied(fixed, [fault(0.3, 0.1)], []) == (fixed, [])


def test_the_rate_of_the_best_network_stays_in_the_range():
    (best,) = train([member(9, NETWORK, adam__learning_rate=0.2)], 1)
    space, _ = remedied(SPACE, [fault(0.3, 0.1)], [best])
    assert space.ranges[RATE] == (1e-4, pytest.approx(0.2))


def test_the_range_never_closes():
    space, _ = remedied(SPACE, [fault(1e-4, 0.1)], [])
    low, high = space.ranges[RATE]
    assert high == pytest.approx(2 * low)


def exploded(rate: float = 0.01, number: int = 1):
    finding = Finding("exploding-gradient", "problem", "it broke", remedies=(Remedy("clip by norm", to=1.0),))
    return member(number, NETWORK, adam__learning_rate=rate), finding


def test_gradients_are_clipped_where_that_is_the_remedy():
    space, done = remedied(SPACE, [exploded()], [])
    assert [one.clip for one in space.structures] == ["global_norm"]
    assert space.central(9, space.structures[0]).settings["clip_by_global_norm.limit"] == 1.0
    assert done[0] == ("exploding-gradient", "gradients were clipped to a norm of 1 for the networks that followed")
    assert space.ranges == SPACE.ranges


def both(rate: float):
    training, finding = fault(rate, 0.1)
    return training, replace(finding, remedies=(*finding.remedies, Remedy("clip by norm", to=1.0)))


def test_a_lower_rate_comes_before_clipping():
    space, _ = remedied(SPACE, [both(0.3)], [])
    assert space.structures == SPACE.structures
    assert space.ranges[RATE] == (1e-4, pytest.approx(0.1))


def test_where_the_rate_cannot_be_lowered_gradients_are_clipped():
    fixed = Space((NETWORK,), ("dropout.rate",))
    assert remedied(fixed, [both(0.3)], [])[0].structures[0].clip == "global_norm"
    space, done = remedied(SPACE, [both(1e-4)], [])
    assert space.structures[0].clip == "global_norm"
    assert [one.says.split()[0] for one in done] == ["the", "gradients"]


def test_clipping_that_was_chosen_stays_as_it_is():
    assert remedied(SPACE, [exploded()], [], held={"clip": "none"}) == (SPACE, [])
    own = Space((structure(clip="value"),), (RATE,))
    assert remedied(own, [exploded()], []) == (own, [])


def test_clipping_that_the_users_space_is_about_stays_as_it_is(table, tmp_path):
    own = {"clip": {"values": ["none", "value"]}, RATE: {"low": 0.05, "high": 0.5}}
    options = Options.checked(target="left", out=tmp_path / "run", trials=2, space=spaces.read(own, {}))
    context = prepare(table, options, Budget(), None, ())[0]
    searched = space_of(context, "8", None, {})
    changing = Searched(context, searched, known_of(context, {}))
    changing._problems = {(1, 0, False): [exploded()]}
    assert changing.after([], [exploded()[0]]) == searched


def test_what_was_learned_before_gradients_were_clipped_is_not_forgotten(scored):
    space, _ = remedied(SPACE, [exploded()], [])
    before = scored(SPACE.central(3, NETWORK), 0.7, ended=True)
    assert space.holds(before.member)
    known = told(space, before)
    assert known is not None
    assert known.value == pytest.approx(0.7)
    assert told(space, scored(SPACE.central(3, NETWORK), 0.7, failed=True)) is None, "it broke by what has been remedied"
    stranger = replace(before.member, structure=structure(widths=(31,)))
    assert not space.holds(stranger)


def test_a_choice_that_is_none_of_the_space_any_more_has_its_place_in_the_journal():
    wide, other = structure(widths=(16,)), structure(widths=(24,))
    space, found = Space((NETWORK, wide), (RATE,)), member(3, other, adam__learning_rate=0.01).member
    assert space.point(found)["widths"] == "24"
    assert distributions(space, found)["widths"].choices == ("8", "16", "24")


def test_after_the_waves_that_are_known_only_the_new_one_is_looked_at(table, tmp_path, scored, monkeypatch):
    """The space after wave upon wave is that of all at once; what each wave costs does not grow with those before it."""
    options = Options.checked(target="left", out=tmp_path / "run", trials=2)
    context = prepare(table, options, Budget(), None, ())[0]
    searched = space_of(context, "8", 1e-3, {})
    high = searched.ranges[RATE][1]
    waves = []
    for number in range(6):
        members = [searched.member(3 * number + place, searched.structures[0], {RATE: high}) for place in range(3)]
        waves.append(Wave(tuple(scored(one, 0.5 + number / 10, ended=True) for one in members), (9,), 1))
    known = known_of(context, {})
    changing, asked = Searched(context, searched, known), []
    steps = [changing.after(waves[:count]) for count in range(len(waves) + 1)]
    assert steps[-1].ranges[RATE][1] > high
    assert Searched(context, searched, known).after(waves) == steps[-1]
    next_of = changing._next
    monkeypatch.setattr(changing, "_next", lambda some: asked.append(len(some)) or next_of(some))
    changing.after(waves)
    changing.after([*waves, waves[0]])
    assert asked == [len(waves) + 1]


@pytest.fixture(scope="module")
def broken_run(make_table, tmp_path_factory):
    """Plain gradient descent on one layer, at rates of which the highest break the network."""
    fixed = {
        "optimizer": "gradient_descent",
        "decay": "none",
        "activation": "relu",
        "numeric_embedding": "none",
        "widths": "16-16-16",
    }
    table = make_table()
    return fit(
        table,
        "left",
        out=tmp_path_factory.mktemp("broken") / "run",
        trials=2,
        cores=2,
        settings=fixed | {"gradient_descent.learning_rate": 10.0},
        keep_going=True,
    )


def test_a_finding_in_a_network_is_an_event_and_in_the_report(broken_run):
    events = [json.loads(line) for line in (broken_run.folder / "events.jsonl").read_text().splitlines()]
    found = [event for event in events if event["event"] == "finding"]
    assert found
    assert {"member", "stage", "cause", "severity", "layer", "measured", "limit", "says", "remedies"} <= set(found[0])
    page = broken_run.report.read_text()
    assert "What went wrong in training, and what was done" in page
    assert found[0]["cause"].replace("-", " ") in page


def test_a_fixed_rate_that_breaks_networks_leads_to_clipped_gradients_in_those_that_follow(broken_run):
    events = [json.loads(line) for line in (broken_run.folder / "events.jsonl").read_text().splitlines()]
    done = [event for event in events if event["event"] == "remedied"]
    assert [event["says"] for event in done] == ["gradients were clipped to a norm of 1 for the networks that followed"]
    assert done[0]["says"] in broken_run.report.read_text()


def test_a_run_in_which_nothing_went_wrong_says_so(run):
    events = [json.loads(line) for line in (run.folder / "events.jsonl").read_text().splitlines()]
    assert not [event for event in events if event["event"] == "remedied"]
    assert not [event for event in events if event["event"] == "finding" and event["severity"] == "problem"]


def test_findings_are_grouped_by_cause_with_what_was_done():
    events = [
        {"event": "finding", "cause": "overfitting", "severity": "warning", "member": 4, "stage": "tune", "says": "it rose"},
        {
            "event": "finding",
            "cause": "lr-too-high",
            "severity": "problem",
            "member": 3,
            "stage": "overfit",
            "says": "it broke",
        },
        {"event": "finding", "cause": "lr-too-high", "severity": "problem", "member": 9, "stage": "tune", "says": "so did it"},
        {"event": "remedied", "cause": "lr-too-high", "stage": "tune", "says": "the range was moved"},
    ]
    first, second = went_wrong(events)
    assert (first.cause, first.members, first.stages, first.done) == (
        "lr-too-high",
        ("3", "9"),
        ("overfit", "tune"),
        ("the range was moved",),
    )
    assert (second.cause, second.severity, second.done) == ("overfitting", "warning", ())
