"""The rules on hand-made signals: what they need, what they say, and which cause they take for the root."""

from pathlib import Path

import pytest

import trainwell
from trainwell.diagnosis import curves, page, rules, suspicion
from trainwell.diagnosis.diagnose import diagnose
from trainwell.diagnosis.findings import RULES
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


def layer(**series) -> Signals:
    """A run that does well, with something measured in its first layer."""
    signals = run(score=0.89)
    signals.layers = {"hidden 1": LayerSignals(**series), "output": LayerSignals(weight_norm=[1.0, 1.0], twin_share=[0.0])}
    return signals


@pytest.mark.parametrize(
    ("signals", "cause"),
    [
        (layer(silent_share=[0.1, 0.9]), "dead-relu"),
        (layer(saturated_share=[0.9, 0.9]), "saturated-activation"),
        (layer(twin_share=[1.0]), "zero-or-constant-init"),
        (run(score=0.89, kept_gradient=1e-3), "gradient-clip-too-tight"),
        (run(score=0.89, norm_rows=2), "batchnorm-tiny-batch"),
        (run(score=0.89, dropout=0.9), "dropout-too-high"),
        (run(score=0.89, momentum=0.999, steps=300), "momentum-unstable"),
    ],
)
def test_what_is_measured_beyond_its_limit_is_a_warning_where_the_score_does_not_show_it(signals, cause):
    assert causes(signals) == []
    assert causes(signals, "warning") == [cause]


def test_layers_that_a_decay_has_shrunk_are_a_warning():
    signals = layer(weight_norm=[10.0, 0.2])
    assert causes(signals, "warning") == []
    signals.facts["weight_decay"] = 1.0
    assert causes(signals, "warning") == ["weight-decay-too-high"]


@pytest.mark.parametrize(
    "signals",
    [
        layer(saturated_share=[0.0, 0.9]),  # what ends in a sigmoid learns to saturate
        layer(update_ratio=[1e-7]),  # at the end of a schedule
        run(score=0.89, momentum=0.99, steps=20_000),
        run(score=0.89, dropout=0.5),
        run(score=0.89, kept_gradient=0.3),
    ],
)
def test_what_is_usual_in_good_runs_is_no_warning(signals):
    assert causes(signals) == causes(signals, "warning") == []


def test_a_breakdown_that_clipping_mends_is_told_beside_the_rate():
    signals = run(score=-1.0, optimizer="SGD", learning_rates=[0.1])
    signals.curves = Curves(train=[float("nan")])
    signals.trials = {"control": Trial(1.0, 1.0, -1.0, 100), "clipped": Trial(0.2, 0.2, 0.85, 100)}
    found = diagnose(signals)[0]
    assert (found.cause, found.remedies[0].change, found.remedies[0].proven) == ("exploding-gradient", "clip by norm", True)


@pytest.mark.parametrize(
    ("score", "reachable", "is_below"),
    [
        (0.5, 0.7, True),
        (0.8, 0.91, True),
        (0.6, 0.69, False),
        (0.2, 0.35, False),
        (0.9, 0.8, False),
        (0.5, float("nan"), False),
    ],
)
def test_clearly_below_is_a_tenth_less_with_half_as_much_again_left_to_one(score, reachable, is_below):
    assert suspicion.below(score, reachable) is is_below


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


def test_a_surer_cause_comes_before_one_that_is_nearer_to_the_root():
    signals = run(input_scale=6.0, start_scales={"hidden 1": 20.0})
    signals.trials = {name: Trial(0.5, 0.5, 0.85, 100) for name in ("standardized", "fresh_weights")}
    signals.trials["control"] = Trial(1.0, 1.0, 0.2, 100)
    assert causes(signals)[:2] == ["init-too-large", "data-not-scaled"]


def test_a_rate_that_is_a_thousand_times_too_low_is_told_from_a_wrong_optimizer():
    signals = run(learning_rates=[1e-6], optimizer="SGD", loss_constant=0.7, final_train_loss=0.7)
    scores = {"control": 0.2, "rate_tenfold": 0.2, "adam": 0.8, "rate_hundredfold": 0.3}
    signals.trials = {name: Trial(1.0, 1.0, score, 100) for name, score in scores.items()}
    assert causes(signals)[0] == "optimizer-wrong-for-problem"
    assert "rate_thousandfold" in suspicion.wanted(signals)
    signals.trials["rate_thousandfold"] = Trial(0.2, 0.2, 0.85, 100)
    assert causes(signals)[0] == "lr-too-low"
    assert diagnose(signals)[0].remedies[0].times == 1000


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


def test_a_rate_that_is_too_low_does_not_explain_saturated_units_and_one_too_high_does():
    for trial, others in (("rate_tenfold", ["saturated-activation"]), ("rate_tenth", [])):
        signals = run()
        signals.layers["hidden 1"] = LayerSignals(saturated_share=[0.9])
        signals.trials = {"control": Trial(1.0, 1.0, 0.2, 100), trial: Trial(0.2, 0.2, 0.88, 100)}
        assert causes(signals)[1:2] == others


def test_large_first_weights_tell_that_units_were_saturated_from_the_start():
    signals = run(start_scales={"hidden 1": 80.0})
    signals.layers["hidden 1"] = LayerSignals(saturated_share=[0.9])
    assert diagnose(signals)[0].says == "90% of what hidden 1 puts out lies at the ends of its range, from the start"


def test_gates_make_a_gradient_that_vanishes_through_time_less_telling():
    signals = run(time_gradient_ratio=1e-6, gated=0.0)
    assert causes(signals) == ["vanishing-gradient"]
    signals.facts["gated"] = 1.0
    signals.trials = {"control": Trial(1.0, 1.0, 0.2, 100), "longer": Trial(0.2, 0.2, 0.88, 800)}
    assert causes(signals)[:2] == ["too-few-epochs", "vanishing-gradient"]


def test_frozen_weights_that_look_freshly_drawn_are_tried_free_also_where_no_simple_model_learns_anything():
    signals = run(score=0.4, simple=0.1, frozen=["read.weight"], frozen_random=["read.weight"])
    assert suspicion.wanted(signals) == ["control", "thawed"]
    signals.trials = {"control": Trial(1.0, 1.0, 0.4, 100), "thawed": Trial(0.2, 0.2, 0.9, 100)}
    assert causes(signals) == ["frozen-layer"]
