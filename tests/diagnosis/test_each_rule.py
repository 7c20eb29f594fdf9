"""Each rule on hand-made signals: it speaks just beyond its limit and is silent just within, whoever measured them."""

import pytest

from trainwell.diagnosis import rules
from trainwell.diagnosis.diagnose import diagnose
from trainwell.diagnosis.findings import RULES
from trainwell.diagnosis.signals import Curves, LayerSignals, Signals, Trial

POOR = {"task": "binary", "score": 0.2, "train_score": 0.2, "simple_score": 0.9}
MENDED, FEW = 0.85, 0.3  # scores of a re-run that mends a poor run, and of one that does not


def signals(trials=None, layers=None, curves=None, **facts) -> Signals:
    made = Signals(facts={**POOR, **facts})
    made.trials = {name: Trial(0.5, 0.5, score, 100) for name, score in {"control": 0.2, **(trials or {})}.items()}
    made.layers = {name: LayerSignals(**series) for name, series in (layers or {}).items()}
    made.curves = Curves(**(curves or {}))
    return made


def rerun(name: str, **facts):
    """Beyond: the re-run mends the score. Within: it helps too little."""
    return {**facts, "trials": {name: MENDED}}, {**facts, "trials": {name: FEW}}


def fact(name: str, beyond, within, **facts):
    return {**facts, name: beyond}, {**facts, name: within}


def depth(first: float):
    return {"start_gradients": {"a": first, "b": 1.0, "c": 1.0}}


OVERFIT = {"final_train_loss": 0.1, "final_validation_loss": 1.5, "loss_constant": 1.0, "train_score": 0.99}
FALLING = [0.1] * 10 + [1e-5] * 90
LIMITS = {
    "data-has-nan-or-inf": fact("input_non_finite", 1e-3, 0.0),
    "labels-constant-or-single-class": fact("single_target", 1.0, 0.0),
    "missing-zero-grad": fact("share_accumulated", 0.51, 0.5),
    "optimizer-step-ineffective": fact("share_cleared", 0.51, 0.5),
    "detached-graph": fact("without_gradient", {"a": 1.0}, {}),
    "parameters-not-in-optimizer": fact("outside_optimizer", ["a"], []),
    "frozen-layer": fact("frozen_random", ["a"], [], frozen=["a"]),
    "broadcasting-loss": fact(
        "loss_pairs_rows", 0.03, 0.01, output_shape=[8, 1], target_shape=[8], outputs=1, target_numbers=1
    ),
    "batch-mixing": fact("row_dependence", 0.02, 0.005),
    "numerically-unstable-loss": fact("outputs_finite_then", 1.0, 0.0),
    "train-mode-missing": fact("share_train_mode_off", 0.31, 0.3, mode_parts=["dropout"]),
    "eval-mode-missing": fact("share_validation_mode_on", 0.31, 0.3, mode_parts=["dropout"]),
    "leak-train-validation": fact("leak_share", 0.11, 0.1),
    "wrong-output-size": fact("outputs", 9, 10, task="multiclass", classes=10),
    "augmentation-on-validation": fact("validation_changes", 0.06, 0.05),
    "loss-sign-flipped": fact("loss_right", 2.0, 0.0, loss_wrong=1.0),
    "train-validation-distribution-shift": fact("shift", 0.86, 0.85, train_score=0.9),
    "no-shuffle-sorted-classes": ({"order_excess": 0.4, "trials": {"shuffled": MENDED}}, {"order_excess": 0.4}),
    "labels-shuffled-or-misaligned": fact(
        "simple_scores", {"linear": 0.04}, {"linear": 0.06}, rows=300, score=0.0, simple_score=0.04, trials={"control": 0.0}
    ),
    "data-not-scaled": rerun("standardized", input_scale=6.0),
    "target-not-scaled": rerun("targets_standardized", task="regression", target_scale=6.0),
    "zero-or-constant-init": (
        {"layers": {"a": {"twin_share": [0.6]}, "b": {"twin_share": [0.0]}}},
        {"layers": {"a": {"twin_share": [0.5]}, "b": {"twin_share": [1.0]}}},
    ),
    "missing-nonlinearity": fact("affine_error", 1e-5, 1e-3, weight_layers=2),
    "dead-relu": ({"layers": {"a": {"silent_share": [0.0, 0.71]}}}, {"layers": {"a": {"silent_share": [0.9, 0.7]}}}),
    "saturated-activation": (
        {"layers": {"a": {"saturated_share": [0.0, 0.51]}}},
        {"layers": {"a": {"saturated_share": [0.9, 0.5]}}},
    ),
    "vanishing-gradient": (depth(9e-4), depth(1.1e-3)),
    "exploding-gradient": (depth(71.0), depth(69.0)),
    "init-too-large": rerun("fresh_weights", start_scales={"a": 3.1}),
    "init-too-small": rerun("fresh_weights", start_scales={"a": 0.29}),
    "batchnorm-tiny-batch": fact("norm_rows", 7, 8),
    "batchnorm-stats-stale": fact("restated_validation_loss", 0.7, 0.9, final_validation_loss=1.0, norm_rows=64),
    "dropout-before-batchnorm": fact("dropout_norm_shift", 1.3, 1.1, eval_mode_loss=1.5, train_mode_loss=1.0),
    "gradient-clip-too-tight": fact("kept_gradient", 0.09, 0.11),
    "weight-decay-too-high": rerun("no_decay", weight_decay=1e-3),
    "dropout-too-high": rerun("no_dropout", dropout=0.3),
    "lr-schedule-wrong": rerun("steady_rate", learning_rates=FALLING),
    "momentum-unstable": rerun("less_momentum", momentum=0.99, steps=1e6),
    "lr-too-high": rerun("rate_tenth"),
    "lr-too-low": rerun("rate_tenfold"),
    "batch-size-too-large": rerun("full_batches", batch_size=129, steps=499),
    "batch-size-too-small": rerun("full_batches", batch_size=8),
    "optimizer-wrong-for-problem": rerun("adam"),
    "too-few-epochs": rerun("longer"),
    "plateau-or-saddle": fact("plateau", "saddle", "minimum"),
    "overfitting": (
        {**OVERFIT, "curves": {"validation": [1.0, 0.8, 0.9, 1.1]}},
        {**OVERFIT, "curves": {"validation": [1.0, 0.8, 0.9, 0.9]}},
    ),
    "underfitting-capacity": fact("train_score", 0.2, 0.85),
    "class-imbalance-ignored": rerun("balanced", rare_share=0.05, rare_recall=0.49, classes=2),
}


def problems(given) -> list[str]:
    return [finding.cause for finding in diagnose(signals(**given)) if finding.severity == "problem"]


@pytest.mark.parametrize("cause", LIMITS)
def test_a_rule_speaks_beyond_its_limit_and_not_within(cause):
    beyond, within = LIMITS[cause]
    assert cause in problems(beyond)
    assert cause not in problems(within)


@pytest.mark.parametrize(
    "cause", [cause for cause, (beyond, _) in LIMITS.items() if set(beyond.get("trials", ())) - {"control"}]
)
def test_what_only_a_re_run_can_prove_is_no_problem_without_it(cause):
    beyond = {name: value for name, value in LIMITS[cause][0].items() if name != "trials"}
    assert cause not in problems(beyond)


def test_every_rule_that_names_a_root_cause_has_a_limit_here():
    rules.load()
    told_by_preflight = {"rows-not-learned-by-heart", "loss-at-start-too-high", "inputs-make-no-difference", "validation-noisy"}
    asked_as_functions = {"loss-on-probabilities", "wrong-output-activation", "wrong-loss-for-task"}  # see test_watch
    assert {rule.cause for rule in RULES} - set(LIMITS) == told_by_preflight | asked_as_functions
