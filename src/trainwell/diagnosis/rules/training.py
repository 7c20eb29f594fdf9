"""Rules over the dynamics: rates, momentum, schedules, clipping, decay, dropout, batches, the length of the run."""

import math
from collections.abc import Iterator

from trainwell.diagnosis import curves
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import control, repair, reruns
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals
from trainwell.diagnosis.suspicion import below, broken, level, looks_wrong

CLIPPED = 0.1  # chosen: a tenth of the gradient left; the tuning playbook cuts in when half of the gradients are clipped at all
FALLEN = 100.0  # chosen: highest over the rate of most updates
NEAR_ONE = 0.98  # Sutskever et al. (2013) use up to 0.99 with care; beyond 0.98 is a memory of more than 50 gradients
DECAY = 1e-3  # chosen
DROPPED = 0.3  # chosen
FEW_UPDATES = 500  # chosen
OVERFIT_RISE = 0.25  # chosen: the last validation losses over the best
OVERFIT_GAP = 2.0  # chosen: validation over training loss
AFTER_RATE = ("underfitting-capacity", "too-few-epochs", "plateau-or-saddle", "batch-size-too-small", "batch-size-too-large")


def _proven(
    signals: Signals,
    cause: str,
    trial: str,
    says: str,
    measured,
    limit,
    remedy: Remedy,
    explains=AFTER_RATE,
    bonus: float = 0.0,
):
    proof = repair(signals, trial)
    if proof > 0:
        yield Finding(
            cause,
            "problem",
            f"{says}; a re-run with this alone changed takes the score from {control(signals):.2f} to {signals.score_of(trial):.2f}",
            measured,
            limit,
            remedies=(reruns(signals, trial, remedy),),
            explains=explains,
            certainty=0.6 + 0.15 * proof + bonus,
        )


@rule(
    "gradient-clip-too-tight",
    order=26,
    reads="`kept_gradient`, `score`, re-run `control`",
    limits=f"less than {CLIPPED:.0%} of the gradient reaches the optimizer, in a run below what is reachable",
    source='Godbole et al. (2023), "Deep learning tuning playbook": clip at the 90th percentile of the gradient norm',
    remedy="clip at the 90th percentile of the gradients' norms",
)
def tight(signals: Signals) -> Iterator[Finding]:
    kept = signals.number("kept_gradient")
    if 0 < kept < CLIPPED and not _is_power_of_two(kept):
        bad = looks_wrong(signals) or signals.score_of("control") - signals.number("score") > 0.1
        yield Finding(
            "gradient-clip-too-tight",
            "problem" if bad else "note",
            f"clipping leaves {kept:.1%} of the gradient in half of the updates",
            kept,
            CLIPPED,
            remedies=(
                Remedy("clip by norm", to="90th percentile", says="clip at the 90th percentile of the gradients' norms"),
            ),
            explains=("lr-too-low", *AFTER_RATE, "optimizer-wrong-for-problem", "vanishing-gradient"),
            certainty=0.92,
        )


def _is_power_of_two(value: float) -> bool:
    """The factor of a gradient scaler of mixed precision."""
    return abs(math.log2(value) - round(math.log2(value))) < 1e-4


@rule(
    "lr-schedule-wrong",
    order=40,
    reads="`learning_rates`, re-run `steady_rate`",
    limits=f"most updates at less than 1/{FALLEN:.0f} of the highest rate, and a steady rate mends the score",
    source="chosen; Goyal et al. (2017) for warm-up, Loshchilov & Hutter (2017) for decay over the whole run",
    remedy="step the schedule once an epoch, or scale it to the number of updates",
)
def schedule(signals: Signals) -> Iterator[Finding]:
    rates = sorted(signals.facts.get("learning_rates") or [0.0])
    highest, middle = rates[-1], rates[len(rates) // 2]
    off = highest > FALLEN * middle
    says = f"half of the updates were made at a rate of {middle:.2g} or less, and the highest was {highest:.2g}"
    remedy = Remedy("schedule", says="step the schedule once an epoch, or scale it to the number of updates")
    if off:
        yield from _proven(
            signals,
            "lr-schedule-wrong",
            "steady_rate",
            says,
            middle,
            highest / FALLEN,
            remedy,
            ("lr-too-low", *AFTER_RATE),
            0.15,
        )


@rule(
    "lr-too-high",
    order=42,
    reads="re-runs `rate_tenth`, `rate_hundredth`",
    limits="a tenth or a hundredth of the rate mends the score",
    source="Goodfellow, Bengio & Courville (2016), section 11.4.1",
    remedy="a lower learning rate, or warm-up",
)
def high(signals: Signals) -> Iterator[Finding]:
    yield from _rate(signals, "lr-too-high", ("rate_tenth", 0.1), ("rate_hundredth", 0.01))


@rule(
    "lr-too-low",
    order=43,
    reads="re-runs `rate_tenfold`, `rate_hundredfold`",
    limits="ten or a hundred times the rate mends the score",
    source="Goodfellow, Bengio & Courville (2016), section 11.4.1",
    remedy="a higher learning rate",
)
def low(signals: Signals) -> Iterator[Finding]:
    yield from _rate(signals, "lr-too-low", ("rate_tenfold", 10.0), ("rate_hundredfold", 100.0))


def _rate(signals: Signals, cause: str, *options: tuple[str, float]) -> Iterator[Finding]:
    trial, times = max(options, key=lambda option: signals.trials[option[0]].score if option[0] in signals.trials else -9)
    rate = max(signals.facts.get("learning_rates") or [float("nan")])
    explains = (
        *AFTER_RATE,
        "dead-relu",
        "saturated-activation",
        "exploding-gradient",
        "optimizer-wrong-for-problem",
        "overfitting",
    )
    says = f"the learning rate of {rate:.2g} is too {'high' if times < 1 else 'low'}"
    yield from _proven(signals, cause, trial, says, rate, rate * times, Remedy("learning_rate", times=times), explains, 0.05)


@rule(
    "momentum-unstable",
    order=41,
    reads="`momentum`, re-run `less_momentum`",
    limits=f"momentum of {NEAR_ONE} or more, and 0.9 mends the score",
    source="Sutskever et al. (2013), on the importance of initialization and momentum",
    remedy="momentum 0.9",
)
def momentum(signals: Signals) -> Iterator[Finding]:
    value = signals.number("momentum")
    if value > 0.95:
        yield from _proven(
            signals,
            "momentum-unstable",
            "less_momentum",
            f"momentum of {value:g} adds up about {1 / max(1 - value, 1e-9):.0f} gradients",
            value,
            NEAR_ONE,
            Remedy("momentum", to=0.9),
            ("lr-too-high", *AFTER_RATE, "dead-relu", "saturated-activation"),
            0.15,
        )


@rule(
    "weight-decay-too-high",
    order=27,
    reads="`weight_decay`, re-run `no_decay`",
    limits=f"a decay of {DECAY:g} or more, without which the score is mended",
    source="Krogh & Hertz (1992), a simple weight decay can improve generalization",
    remedy="a hundredth of the decay",
)
def decay(signals: Signals) -> Iterator[Finding]:
    value = signals.number("weight_decay")
    if value >= DECAY:
        remedy = Remedy("weight_decay", times=0.01)
        yield from _proven(
            signals, "weight-decay-too-high", "no_decay", f"weight decay of {value:g} keeps the weights from fitting", value, DECAY, remedy,
            (*AFTER_RATE, "lr-too-high", "lr-too-low", "optimizer-wrong-for-problem", "dead-relu"), 0.18,
        )  # fmt: skip


@rule(
    "dropout-too-high",
    order=28,
    reads="`dropout`, re-run `no_dropout`",
    limits=f"a probability of {DROPPED} or more, without which the score is mended",
    source="Srivastava et al. (2014), dropout, section 7.4",
    remedy="a probability of 0.1 to 0.3",
)
def dropped(signals: Signals) -> Iterator[Finding]:
    value = signals.number("dropout")
    if value >= DROPPED:
        yield from _proven(
            signals, "dropout-too-high", "no_dropout", f"dropout of {value:.0%} keeps the network from fitting", value, DROPPED,
            Remedy("dropout", to=0.1), (*AFTER_RATE, "lr-too-high", "lr-too-low", "optimizer-wrong-for-problem"), 0.15,
        )  # fmt: skip


@rule(
    "batch-size-too-large",
    order=44,
    reads="`batch_size`, `steps`, re-run `full_batches`",
    limits=f"fewer than {FEW_UPDATES} updates with batches above 64 rows, and batches of 64 mend the score",
    source="Shallue et al. (2019), measuring the effects of data parallelism; Masters & Luschi (2018)",
    remedy="batches of 32 to 256 rows",
)
def large_batches(signals: Signals) -> Iterator[Finding]:
    rows, steps = signals.number("batch_size"), signals.number("steps")
    if rows > 128 and steps < FEW_UPDATES:
        yield from _proven(
            signals, "batch-size-too-large", "full_batches", f"batches of {rows:.0f} rows leave only {steps:.0f} updates", rows, 128.0,
            Remedy("batch_size", to=64), ("too-few-epochs", "lr-too-low", "underfitting-capacity", "plateau-or-saddle"), 0.17,
        )  # fmt: skip


@rule(
    "batch-size-too-small",
    order=45,
    reads="`batch_size`, re-run `full_batches`",
    limits="batches of 8 rows or fewer, and batches of 64 mend the score",
    source="Smith et al. (2018), don't decay the learning rate, increase the batch size",
    remedy="batches of 32 to 256 rows, or a lower rate",
)
def small_batches(signals: Signals) -> Iterator[Finding]:
    rows = signals.number("batch_size")
    if rows <= 8:
        yield from _proven(
            signals, "batch-size-too-small", "full_batches", f"gradients of {rows:.0f} rows are mostly noise", rows, 8.0,
            Remedy("batch_size", to=64), ("lr-too-high", "underfitting-capacity", "plateau-or-saddle"), 0.1,
        )  # fmt: skip


@rule(
    "optimizer-wrong-for-problem",
    order=46,
    reads="`optimizer`, re-runs `adam`, `rate_tenth`, `rate_tenfold`, `rate_hundredfold`",
    limits="Adam mends the score, and no other rate of the same optimizer comes near",
    source="Zhang et al. (2020), why are adaptive methods good for attention models; documentation of torch.optim.Rprop",
    remedy="Adam at 0.001",
)
def optimizer(signals: Signals) -> Iterator[Finding]:
    name = signals.facts.get("optimizer", "")
    yield from _proven(
        signals,
        "optimizer-wrong-for-problem",
        "adam",
        f"{name} does not get anywhere here",
        name,
        None,
        Remedy("optimizer", to="adam"),
    )


@rule(
    "too-few-epochs",
    order=47,
    reads="`curves.steps`, re-run `longer`",
    limits="eight times the updates, at least 1500 and at most 3000, mend the score",
    source='Godbole et al. (2023), "Deep learning tuning playbook": best checkpoint in the last steps',
    remedy="more epochs",
)
def short(signals: Signals) -> Iterator[Finding]:
    epochs = signals.number("epochs")
    falling = curves.still_falling(signals.curves.steps)
    yield from _proven(
        signals, "too-few-epochs", "longer", f"{epochs:.0f} epochs are too few, the loss still fell by {falling:.0%} at the end", epochs,
        None, Remedy("epochs", times=8.0), ("underfitting-capacity",), 0.02,
    )  # fmt: skip


@rule(
    "overfitting",
    order=60,
    reads="`curves.validation`, `final_train_loss`, `final_validation_loss`, `score`, `simple_score`",
    limits=f"validation loss {OVERFIT_RISE:.0%} above its best and {OVERFIT_GAP:g} times the training loss, with a score below reach",
    source='Godbole et al. (2023), "Deep learning tuning playbook"; Prechelt (1998), early stopping - but when?',
    remedy="stop at the best epoch; dropout, weight decay, more data, a smaller network",
)
def overfit(signals: Signals) -> Iterator[Finding]:
    rise = curves.rise(signals.curves.validation)
    train, validation = signals.number("final_train_loss"), signals.number("final_validation_loss")
    gap = validation / train if train > 0 else float("inf")
    if rise > OVERFIT_RISE and (gap > OVERFIT_GAP):
        score, simple = signals.number("score"), signals.number("simple_score")
        hurt = simple - score > 0.05 or validation > signals.number("loss_constant")
        yield Finding(
            "overfitting",
            "problem" if hurt else "note",
            f"the validation loss rose {rise:.0%} above its best, which came after {curves.best_at(signals.curves.validation):.0%} of the "
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
            "validation-noisy", "note", "the validation loss swings from epoch to epoch", curves.swing(signals.curves.validation), curves.SPIKES,
            remedies=(Remedy("validation rows", says="validate on more rows"), Remedy("schedule", to="cosine")), certainty=0.2,
        )  # fmt: skip
