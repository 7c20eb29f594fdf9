"""The rules on hand-made signals: what they need, what they say, and which cause they take for the root."""

from pathlib import Path

import pytest

import trainwell
from trainwell.diagnosis import curves, page, rules
from trainwell.diagnosis.findings import RULES, diagnose
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import MEASURES, Curves, LayerSignals, Signals, Trial

ROOT = Path(trainwell.__file__).parents[2]


def run(score: float = 0.2, simple: float = 0.9, **facts) -> Signals:
    """A run that scores below what is reachable."""
    return Signals(facts={"task": "binary", "score": score, "simple_score": simple, "train_score": score, **facts})


def causes(signals: Signals, severity: str = "problem") -> list[str]:
    return [finding.cause for finding in diagnose(signals) if finding.severity == severity]


def test_without_measurements_every_rule_is_silent():
    assert diagnose(Signals()) == []


def test_signals_of_any_engine_are_enough():
    signals = run()
    signals.layers["hidden 1"] = LayerSignals(silent_share=[0.1, 0.9])
    assert "dead-relu" in causes(signals)
    assert diagnose(signals)[0].layer == "hidden 1"


def test_dead_units_in_a_run_that_learns_are_no_problem():
    signals = run(score=0.89)
    signals.layers["hidden 1"] = LayerSignals(silent_share=[0.1, 0.9])
    assert causes(signals) == []


def test_what_the_root_explains_is_not_reported_beside_it():
    signals = run(share_accumulated=1.0)
    signals.layers["hidden 1"] = LayerSignals(silent_share=[0.1, 0.9])
    assert causes(signals) == ["missing-zero-grad"]


def test_of_two_causes_the_one_that_mends_more_comes_first():
    signals = run(learning_rates=[0.1], optimizer="SGD")
    signals.trials = {
        "control": Trial(1.0, 1.0, 0.2, 100),
        "rate_tenth": Trial(0.2, 0.3, 0.88, 100),
        "adam": Trial(0.4, 0.5, 0.65, 100),
    }
    assert causes(signals)[0] == "lr-too-high"


def test_a_change_that_helps_a_little_proves_nothing():
    signals = run(learning_rates=[0.1])
    signals.trials = {"control": Trial(1.0, 1.0, 0.2, 100), "rate_tenth": Trial(0.9, 0.9, 0.25, 100)}
    assert "lr-too-high" not in causes(signals)


def test_a_remedy_says_what_its_re_run_reached():
    remedy = Remedy("learning_rate", times=0.1, trial="rate_tenth", before=0.2, after=0.88)
    assert remedy.proven
    assert str(remedy) == "learning_rate times 0.1 (in a short re-run the score went from 0.20 to 0.88)"
    assert not Remedy("dropout", to=0.1).proven


def test_the_curves_are_read_as_a_person_would():
    falling = [2.0 - 0.01 * step for step in range(100)]
    rising = Curves(train=[1.0, 0.5, 0.2, 0.1], validation=[1.0, 0.6, 0.9, 1.4], steps=falling)
    said = " ".join(curves.read(rising))
    assert "the validation loss rose 133% above its best, which came after 50% of the run" in said
    assert "still fell by" in said
    assert curves.read(Curves(train=[1.0, 0.5], validation=[1.0, 0.5], steps=[0.5] * 100)) == []
    assert curves.read(Curves(train=[1.0, float("nan")])) == ["the training loss became infinite or not a number"]
    assert curves.periodic([1.0, 2.0, 1.0, 0.0] * 6) > 0.5


def test_every_measure_that_a_rule_reads_is_listed():
    rules.load()
    named = {part for known in RULES for part in known.reads.split("`")[1::2]}
    from trainwell.diagnosis.suspicion import TRIALS

    known = {*MEASURES, *TRIALS, "curves", "curves.steps", "curves.validation"}
    known |= set(vars(LayerSignals()))
    assert named <= known


@pytest.mark.parametrize("known", RULES or (rules.load() or RULES), ids=lambda known: known.cause)
def test_a_rule_says_all_that_must_be_said(known):
    for said in (known.cause, known.reads, known.limits, known.source, known.remedy):
        assert said


def test_the_page_of_findings_is_up_to_date():
    assert (ROOT / "docs" / "diagnosis.md").read_text() == page.markdown()
