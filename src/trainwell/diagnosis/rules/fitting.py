"""Rules over how well the network fits: held back, too small, by heart, or standing still."""

from collections.abc import Iterator

from trainwell.diagnosis import curves
from trainwell.diagnosis.families import AFTER_RATE
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import proven
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import below, broken, level, looks_wrong

DECAY = 1e-3  # chosen
SHRUNK = 0.1  # chosen: a layer's size over that at its start
DROPPED = 0.3  # chosen
DROPPED_FAR = 0.8  # chosen; in Srivastava et al. (2014), section 7.3, the error is flat up to 0.6 and rises beyond
OVERFIT_RISE = 0.25  # chosen: the last validation losses over the best
OVERFIT_GAP = 2.0  # chosen: validation over training loss


@rule(
    "weight-decay-too-high",
    order=27,
    reads="`weight_decay`, `weight_norm`, re-run `no_decay`",
    limits=f"a decay of {DECAY:g} or more, without which the score is mended; a warning where every hidden layer shrank to "
    f"{SHRUNK:.0%} of its first size and the score does not show it",
    source="Krogh & Hertz (1992), a simple weight decay can improve generalization",
    remedy="a hundredth of the decay",
)
def decay(signals: Signals) -> Iterator[Finding]:
    value, remedy = signals.number("weight_decay"), Remedy("weight_decay", times=0.01)
    if value >= DECAY:
        yield from proven(
            signals,
            "weight-decay-too-high",
            "no_decay",
            f"weight decay of {value:g} keeps the weights from fitting",
            value,
            DECAY,
            remedy,
            (*AFTER_RATE, "lr-too-high", "lr-too-low", "optimizer-wrong-for-problem", "dead-relu"),
            0.18,
        )
        sizes = [layer.weight_norm for layer in signals.layers.values() if layer.weight_norm][:-1]
        left = max((size[-1] / size[0] for size in sizes if size[0] > 0), default=float("nan"))
        if left < SHRUNK and "no_decay" not in signals.trials:
            says = f"under weight decay of {value:g} every hidden layer shrank to {left:.1%} of its first size or less"
            yield Finding("weight-decay-too-high", "warning", says, left, SHRUNK, remedies=(remedy,), certainty=0.4)


@rule(
    "dropout-too-high",
    order=28,
    reads="`dropout`, re-run `no_dropout`",
    limits=f"a probability of {DROPPED} or more, without which the score is mended; {DROPPED_FAR} or more, a warning, "
    "where the score does not show it",
    source="Srivastava et al. (2014), dropout, section 7.3",
    remedy="a probability of 0.1 to 0.3",
)
def dropped(signals: Signals) -> Iterator[Finding]:
    value = signals.number("dropout")
    if value >= DROPPED:
        yield from proven(
            signals,
            "dropout-too-high",
            "no_dropout",
            f"dropout of {value:.0%} keeps the network from fitting",
            value,
            DROPPED,
            Remedy("dropout", to=0.1),
            (*AFTER_RATE, "lr-too-high", "lr-too-low", "optimizer-wrong-for-problem"),
            0.15,
        )
        if value >= DROPPED_FAR and "no_dropout" not in signals.trials:
            says = f"dropout of {value:.0%} leaves {1 - value:.0%} of the units in a step"
            remedy = Remedy("dropout", to=0.1)
            yield Finding("dropout-too-high", "warning", says, value, DROPPED_FAR, remedies=(remedy,), certainty=0.4)


@rule(
    "overfitting",
    order=60,
    reads="`curves.validation`, `final_train_loss`, `final_validation_loss`, `score`, `simple_score`, `best_kept`",
    limits=f"validation loss {OVERFIT_RISE:.0%} above its best and {OVERFIT_GAP:g} times the training loss, "
    "with a score below reach; a warning where the weights of the best epoch are kept",
    source='Godbole et al. (2023), "Deep learning tuning playbook"; Prechelt (1998), early stopping - but when?',
    remedy="stop at the best epoch; dropout, weight decay, more data, a smaller network",
)
def overfit(signals: Signals) -> Iterator[Finding]:
    rise = curves.rise(signals.curves.validation)
    train, validation = signals.number("final_train_loss"), signals.number("final_validation_loss")
    gap = validation / train if train > 0 else float("inf")
    if rise > OVERFIT_RISE and (gap > OVERFIT_GAP):
        score, simple = signals.number("score"), signals.number("simple_score")
        useless, kept = validation > signals.number("loss_constant"), signals.number("best_kept") == 1
        hurt = simple - score > 0.05 or (useless and not kept)
        yield Finding(
            "overfitting",
            "problem" if hurt else "warning" if useless else "note",
            f"the validation loss rose {rise:.0%} above its best, which came after "
            f"{curves.best_at(signals.curves.validation):.0%} of the "
            f"run, and is {gap:.1f} times the training loss",
            rise,
            OVERFIT_RISE,
            remedies=(
                Remedy("early stopping", to=True, says="keep the weights of the best epoch"),
                Remedy("dropout", to=0.3),
                Remedy("weight_decay", times=10.0),
            ),
            certainty=0.72 if gap > 3 else 0.6,
        )


@rule(
    "underfitting-capacity",
    order=61,
    reads="`train_score`, `simple_score`, trials",
    limits="training and validation both clearly below simple models, and no re-run mends it",
    source='Karpathy (2019), "A recipe for training neural networks", stage 3: overfit first',
    remedy="more or wider hidden layers",
)
def capacity(signals: Signals) -> Iterator[Finding]:
    train, reachable = signals.number("train_score"), level(signals)
    if looks_wrong(signals) and below(train, reachable) and not broken(signals):
        one = signals.number("affine_error") < 1e-4 and signals.number("weight_layers") == 1
        yield Finding(
            "underfitting-capacity",
            "problem",
            ("a single linear layer" if one else "the network")
            + f" scores {train:.2f} on its own training rows, where {reachable:.2f} is within reach of simple models",
            train,
            reachable,
            remedies=(
                Remedy(
                    "hidden layers", says="add a hidden layer with an activation" if one else "add layers or make them wider"
                ),
            ),
            explains=("plateau-or-saddle",),
            certainty=0.9 if one else 0.4,
        )


@rule(
    "plateau-or-saddle",
    order=50,
    reads="`start_gradients`, `plateau`, `loss_constant`, `final_train_loss`",
    limits="a loss no better than a constant answer's, with a curvature that is a saddle's or none",
    source='Dauphin et al. (2014), "Identifying and attacking the saddle point problem"',
    remedy="a larger start, momentum, noise",
)
def stuck(signals: Signals) -> Iterator[Finding]:
    verdict = signals.facts.get("plateau")
    if looks_wrong(signals) and verdict in ("saddle", "plateau"):
        yield Finding(
            "plateau-or-saddle",
            "problem",
            f"training stands still at a {verdict} with a loss no better than a constant answer's",
            verdict,
            "minimum",
            remedies=(Remedy("initializer", says="start with larger weights"), Remedy("momentum", to=0.9)),
            certainty=0.58,
        )


@rule(
    "validation-noisy",
    order=90,
    reads="`curves`",
    limits="the readings of the tuning playbook",
    source='Godbole et al. (2023), "Deep learning tuning playbook"',
    remedy="larger batches, a lower rate at the end, more validation rows",
)
def readings(signals: Signals) -> Iterator[Finding]:
    if curves.swing(signals.curves.validation) > curves.SPIKES:
        yield Finding(
            "validation-noisy",
            "note",
            "the validation loss swings from epoch to epoch",
            curves.swing(signals.curves.validation),
            curves.SPIKES,
            remedies=(Remedy("validation rows", says="validate on more rows"), Remedy("schedule", to="cosine")),
            certainty=0.2,
        )
