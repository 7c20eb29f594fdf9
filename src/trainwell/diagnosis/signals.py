"""What the rules read: plain numbers, whoever measured them.

A rule never sees a network. It sees, per layer and observation, the series of `LayerSignals`; the loss curves; named `facts`
(`MEASURES` says what each means); and `trials`, the short re-runs with one thing changed. What was not measured is absent, and
a rule that needs it is silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MEASURES = {
    "task": "binary, multiclass or regression",
    "steps": "updates made",
    "epochs": "passes over the training rows",
    "rows": "training rows kept for the checks",
    "batch_rows": "rows of a training batch",
    "input_non_finite": "share of the input's numbers that are missing or infinite",
    "target_non_finite": "share of the targets that are missing or infinite",
    "single_target": "1 where every training target is the same",
    "output_shape": "shape of the outputs of one batch",
    "target_shape": "shape of the targets of one batch",
    "classes": "classes among the targets",
    "outputs": "numbers put out for a row",
    "outputs_alike": "1 where a regression has more outputs than targets, and the loss is the same when they change places",
    "loss_pairs_rows": "share by which a row's loss gradient changes when only other rows' targets change",
    "row_dependence": "change of a row's output when only other rows change, as a share of the outputs' spread",
    "eval_noise": "change of the output between two calls in evaluation mode, as a share of the outputs' spread",
    "mode_effect": "change of the output between training and evaluation mode, as a share of the outputs' spread",
    "affine_error": "distance of the network from an affine map, as a share of the outputs' spread",
    "weight_layers": "layers with a weight matrix in the order of the forward pass",
    "reach_low": "lowest output that the last layer can produce whatever its weights",
    "reach_high": "highest output that the last layer can produce whatever its weights",
    "reach_sums_to_one": "1 where the outputs of a row always add to 1",
    "loss_right": "loss of exactly right outputs within reach",
    "loss_best": "loss of exactly right outputs of any size",
    "loss_wrong": "loss of exactly wrong outputs within reach",
    "loss_far": "loss of right outputs ten times as large as the best",
    "loss_by_row": "largest over median loss gradient of rows that are wrong by the same amount",
    "sudden_breakdown": "1 where the outputs of the update before the breakdown were ordinary numbers",
    "loss_by_class": "largest ratio between classes of the loss gradient of rows that are equally wrong",
    "loss_constant": "loss of the best answer that ignores the inputs",
    "loss_start": "loss of the first batch before training",
    "zeroed_input_loss": "loss of the first batch with all inputs set to 0, after training",
    "input_scale": "root mean square of the inputs",
    "input_scale_ratio": "largest over smallest root mean square of the columns that vary",
    "input_normalized": "1 where the first layer with weights is preceded by a normalization",
    "target_scale": "root mean square of the targets of a regression",
    "equal_weights": "by layer, the share of units whose first weights, biases aside, equal another unit's",
    "start_scales": "by layer, the spread of the first weights over 1/sqrt(fan_in)",
    "start_gradients": "by layer, the root mean square of the weight gradient of the first batch, in the "
    "order of the forward pass",
    "time_gradient_ratio": "gradient of the loss by the first step of the sequence over that by its strongest step",
    "gated": "1 where the first recurrent layer has gates",
    "share_accumulated": "share of observed updates whose gradient still held that of the update before",
    "share_cleared": "share of observed updates whose gradient was gone when the optimizer stepped",
    "kept_gradient": "median of the gradient's norm at the optimizer over its norm after the backward pass, of observed "
    "updates",
    "unmoved": "trainable weights that got a gradient and never moved, by layer",
    "outside_optimizer": "trainable weights that no group of the optimizer holds, by layer",
    "without_gradient": "weights that change the loss and get no gradient, by layer",
    "frozen": "weights with requires_grad off, by layer",
    "frozen_random": "frozen weights that look freshly drawn, by layer",
    "share_train_mode_off": "share of training batches run in evaluation mode",
    "share_validation_mode_on": "share of validation batches run in training mode",
    "mode_parts": "parts that act differently in training mode",
    "learning_rates": "learning rate of every update, the highest of all groups",
    "optimizer": "class, learning rate, momentum and weight decay",
    "loss_non_finite_step": "first update whose loss was not finite",
    "outputs_finite_then": "1 where the outputs were finite and of ordinary size at that update",
    "gradient_non_finite_then": "1 where the loss was finite and its gradient by the outputs was not",
    "order_excess": "share of neighbouring rows of one class beyond what chance gives, or of variance between batches",
    "leak_share": "share of validation rows that are copies of training rows, beyond what training rows are of each other",
    "validation_changes": "share of validation rows that came back changed in a later epoch",
    "shift": "how well training and validation inputs can be told apart, as area under the curve",
    "new_classes": "share of validation targets whose class no training row has",
    "score": "validation score: mean of 2 AUC - 1 and Youden's index, accuracy beyond the majority's share, or R2",
    "train_score": "the same on training rows, in evaluation mode",
    "simple_score": "the same of the best of three simple models on validation rows",
    "linear_score": "the same of a linear model",
    "final_train_loss": "loss on training rows after training, in evaluation mode",
    "final_validation_loss": "loss on validation rows after training, in evaluation mode",
    "restated_validation_loss": "the same after batch norm's statistics were taken again in evaluation mode",
    "rare_share": "share of the rarest class",
    "rare_recall": "share of the rarest class that is recognized",
    "norm_rows": "fewest numbers that a batch norm averages over in a training batch",
    "dropout_norm_shift": "variance before a batch norm that follows dropout: training over evaluation mode",
    "dropout": "largest dropout probability",
    "momentum": "momentum of the optimizer",
    "validation_non_finite": "the same of the validation inputs",
    "batch_size": "rows of the run's first training batch",
    "target_numbers": "targets of a row",
    "target_low": "lowest target, of a regression the 2% quantile",
    "target_high": "highest target, of a regression the 98% quantile",
    "target_spread": "standard deviation of a regression's targets",
    "target_shift": "distance of the validation targets' mean from the training targets', in standard deviations",
    "input_largest": "largest root mean square of a column",
    "output_spread": "standard deviation of the outputs over rows",
    "late_row_dependence": "row_dependence of the trained network",
    "late_eval_noise": "eval_noise of the trained network",
    "late_output_spread": "output_spread of the trained network on a batch",
    "late_spread": "output_spread of the trained network on more rows",
    "evaluation_dropouts": "calls of a dropout function that drop in evaluation mode",
    "reach_logarithms": "1 where the outputs of a row are always logarithms of probabilities",
    "loss_wrong_below": "of a regression, loss of outputs as wrong to the other side",
    "loss_has_graph": "1 where the loss given to the doctor is connected to the weights",
    "heart_before": "loss of a few rows before learning them by heart",
    "heart_after": "loss of the same rows after 200 updates on them alone",
    "given_loss": "loss of the batch as it is, in evaluation mode",
    "share_without_step": "share of the batches after which the optimizer made no step",
    "any_gradient": "1 where any weight ever got a gradient",
    "unmoved_share": "share of the trainable numbers that are unmoved",
    "unmoved_random": "unmoved weights that look freshly drawn, by layer",
    "never_reached": "trainable weights that never got a gradient in the observed updates, by layer",
    "weight_decay": "largest weight decay of a group",
    "simple_scores": "scores of the three simple models, by name",
    "train_mode_loss": "loss of training batches in training mode, after training, of a network with batch norm",
    "eval_mode_loss": "loss of the same batches in evaluation mode",
    "rare_guessed": "share of validation rows taken for the rarest class",
    "curvature": "gradient norm, lowest and highest curvature at the end",
    "plateau_says": "the verdict as a sentence",
    "failed_epoch": "epoch in which the loss of a run on finite rows left the finite numbers",
    "best_kept": "1 where the weights of the best epoch are kept, and the score is theirs",
    "plateau": "verdict on the curvature at the end: saddle, minimum, plateau, furrow or slope",
}


@dataclass
class LayerSignals:
    """One layer over the observations of a run, oldest first; an empty list was not measured."""

    gradient_norm: list[float] = field(default_factory=list)
    weight_norm: list[float] = field(default_factory=list)
    update_ratio: list[float] = field(default_factory=list)
    silent_share: list[float] = field(default_factory=list)
    saturated_share: list[float] = field(default_factory=list)
    twin_share: list[float] = field(default_factory=list)
    activation_mean: list[float] = field(default_factory=list)
    activation_spread: list[float] = field(default_factory=list)
    non_finite: list[float] = field(default_factory=list)


@dataclass
class Curves:
    """Losses: one number an epoch, and of training also one a step."""

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)


@dataclass
class Trial:
    """A short re-run from the start, judged on the same rows as the run itself."""

    train_loss: float
    validation_loss: float
    score: float
    steps: int


@dataclass
class Signals:
    """Everything that was measured of one run."""

    layers: dict[str, LayerSignals] = field(default_factory=dict)
    curves: Curves = field(default_factory=Curves)
    facts: dict[str, Any] = field(default_factory=dict)
    trials: dict[str, Trial] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: float = float("nan")) -> float:
        """A fact as a number; NaN, which no comparison holds for, where it was not measured."""
        value = self.facts.get(name)
        return default if value is None else float(value)

    def score_of(self, name: str) -> float:
        trial = self.trials.get(name)
        return float("nan") if trial is None else trial.score


def last(series: Sequence[float]) -> float:
    return series[-1] if series else float("nan")


def finite(series: Sequence[float]) -> np.ndarray:
    values = np.asarray(series, float)
    return values[np.isfinite(values)]
