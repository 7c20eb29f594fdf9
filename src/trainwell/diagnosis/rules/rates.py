"""Rules over the learning rate, its schedule, momentum and the optimizer."""

from collections.abc import Iterator

from trainwell.diagnosis.families import AFTER_RATE
from trainwell.diagnosis.findings import Finding, rule
from trainwell.diagnosis.proofs import proven, repair
from trainwell.diagnosis.remedies import Remedy
from trainwell.diagnosis.signals import Signals, finite
from trainwell.diagnosis.suspicion import looks_wrong, unlearned

FALLEN = 100.0  # chosen: highest over the rate of most updates
RISING = 1.5  # chosen
NO_MOVE = 1e-5  # chosen: a hundredth of the change of a weight a step that practice takes for healthy, about 1e-3
NEAR = 0.95  # chosen: a memory of 20 gradients
NEAR_ONE = 0.98  # Sutskever et al. (2013) use more with care, in long runs; it is a memory of 50 gradients
LONG_MEMORY = 0.1  # chosen


@rule(
    "lr-schedule-wrong",
    order=40,
    reads="`learning_rates`, re-run `steady_rate`",
    limits=f"most updates at less than 1/{FALLEN:.0f} of the highest rate, a rate of 0, or one that only rises; and another "
    "mends the score",
    source="chosen; Goyal et al. (2017) for warm-up, Loshchilov & Hutter (2017) for decay over the whole run",
    remedy="step the schedule once an epoch, or scale it to the number of updates",
)
def schedule(signals: Signals) -> Iterator[Finding]:
    rates = signals.facts.get("learning_rates") or [1.0]
    highest, middle = max(rates), sorted(rates)[len(rates) // 2]
    explains = ("lr-too-low", "optimizer-step-ineffective", *AFTER_RATE)
    remedy = Remedy("schedule", says="step the schedule once an epoch, or scale it to the number of updates")
    if highest == 0:
        says = "the learning rate is 0 from the first update to the last; the schedule never starts"
        yield Finding("lr-schedule-wrong", "problem", says, 0.0, 0.0, remedies=(remedy,), explains=explains, certainty=0.97)
    elif highest > FALLEN * middle:
        says = f"half of the updates were made at a rate of {middle:.2g} or less, and the highest was {highest:.2g}"
        yield from proven(signals, "lr-schedule-wrong", "steady_rate", says, middle, highest / FALLEN, remedy, explains, 0.15)
    elif rates[-1] == highest > RISING * min(rates):
        trial = max(("rate_tenfold", "rate_hundredfold"), key=lambda name: repair(signals, name))
        says = f"the rate rose from {min(rates):.2g} to {highest:.2g} and the run ended before the schedule had warmed up"
        yield from proven(signals, "lr-schedule-wrong", trial, says, highest, None, remedy, explains, 0.15)


@rule(
    "lr-too-high",
    order=42,
    reads="re-runs `rate_tenth`, `rate_hundredth`, `rate_thousandth`; `failed_epoch`, `non_finite`",
    limits="a tenth, a hundredth or a thousandth of the rate mends the score; or the loss left the finite numbers on rows "
    "known to be finite, and no re-run was made",
    source="Goodfellow, Bengio & Courville (2016), section 11.4.1",
    remedy="a lower learning rate, or warm-up",
)
def high(signals: Signals) -> Iterator[Finding]:
    yield from _rate(signals, "lr-too-high", ("rate_tenth", 0.1), ("rate_hundredth", 0.01), ("rate_thousandth", 0.001))
    if signals.number("failed_epoch") > 0 and "rate_tenth" not in signals.trials:
        yield _failed(signals)


def _failed(signals: Signals) -> Finding:
    epoch, rate = signals.number("failed_epoch"), max(signals.facts.get("learning_rates") or [float("nan")])
    broken = next((name for name, layer in signals.layers.items() if sum(layer.non_finite) > 0), "")
    return Finding(
        "lr-too-high",
        "problem",
        f"the loss was no longer a finite number in epoch {epoch:.0f}, at a learning rate of {rate:.2g}",
        rate,
        "a finite loss",
        layer=broken,
        remedies=(
            Remedy("learning_rate", times=0.1, trial="rate_tenth"),
            Remedy("clip by norm", to=1.0, says="clip the gradient's norm at 1", trial="clipped"),
        ),
        explains=(*AFTER_RATE, "dead-relu", "saturated-activation", "exploding-gradient", "optimizer-wrong-for-problem"),
        certainty=0.5,
    )


@rule(
    "lr-too-low",
    order=43,
    reads="re-runs `rate_tenfold`, `rate_hundredfold`, `rate_thousandfold`; `update_ratio`, `loss_constant`, "
    "`final_train_loss`",
    limits="ten, a hundred or a thousand times the rate mends the score; or without a re-run, a loss no better than a constant "
    f"answer's with no hidden layer ever changing by {NO_MOVE:g} of its size in a step",
    source="Goodfellow, Bengio & Courville (2016), section 11.4.1",
    remedy="a higher learning rate",
)
def low(signals: Signals) -> Iterator[Finding]:
    yield from _rate(signals, "lr-too-low", ("rate_tenfold", 10.0), ("rate_hundredfold", 100.0), ("rate_thousandfold", 1000.0))
    hidden = [layer.update_ratio for layer in list(signals.layers.values())[:-1]]
    moved = max((value for series in hidden for value in finite(series) if value > 0), default=float("nan"))
    if moved < NO_MOVE and not signals.trials and unlearned(signals) and looks_wrong(signals):
        yield Finding(
            "lr-too-low",
            "problem",
            f"the network stands still: a step changes no hidden layer by more than {moved:.1g} of its size",
            moved,
            NO_MOVE,
            remedies=(Remedy("learning_rate", times=10.0, trial="rate_tenfold"),),
            explains=AFTER_RATE,
            certainty=0.5,
        )


def _rate(signals: Signals, cause: str, *options: tuple[str, float]) -> Iterator[Finding]:
    trial, times = max(options, key=lambda option: signals.trials[option[0]].score if option[0] in signals.trials else -9)
    rate = max(signals.facts.get("learning_rates") or [float("nan")])
    harm = ("dead-relu", "saturated-activation", "exploding-gradient") if times < 1 else ()  # what steps too large leave behind
    explains = (*AFTER_RATE, *harm, "optimizer-wrong-for-problem", "overfitting")
    says = f"the learning rate of {rate:.2g} is too {'high' if times < 1 else 'low'}"
    yield from proven(signals, cause, trial, says, rate, rate * times, Remedy("learning_rate", times=times), explains, 0.05)


@rule(
    "momentum-unstable",
    order=41,
    reads="`momentum`, `steps`, re-run `less_momentum`",
    limits=f"momentum above {NEAR}, and 0.9 mends the score; a warning where it is {NEAR_ONE} or more and adds up more "
    f"gradients than {LONG_MEMORY:.0%} of the run's updates",
    source="Sutskever et al. (2013), on the importance of initialization and momentum",
    remedy="momentum 0.9",
)
def momentum(signals: Signals) -> Iterator[Finding]:
    value, remedy = signals.number("momentum"), Remedy("momentum", to=0.9)
    memory = 1 / max(1 - value, 1e-9)
    says = f"momentum of {value:g} adds up about {memory:.0f} gradients"
    explains = ("lr-too-high", *AFTER_RATE, "dead-relu", "saturated-activation")
    found = list(proven(signals, "momentum-unstable", "less_momentum", says, value, NEAR_ONE, remedy, explains, 0.15))
    if value > NEAR and found:
        yield from found
    elif value >= NEAR_ONE and memory > LONG_MEMORY * signals.number("steps") and "less_momentum" not in signals.trials:
        says = f"{says}, and the run made {signals.number('steps'):.0f} updates"
        yield Finding("momentum-unstable", "warning", says, value, NEAR_ONE, remedies=(remedy,), certainty=0.4)


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
    yield from proven(
        signals,
        "optimizer-wrong-for-problem",
        "adam",
        f"{name} does not get anywhere here",
        name,
        None,
        Remedy("optimizer", to="adam"),
    )
