"""Whether a run looks wrong, and which re-run would tell the most; neutral, and the same for every engine."""

import math
from typing import Literal

from trainwell.diagnosis.signals import Signals

TRIALS = (
    *("control", "standardized", "targets_standardized", "fresh_weights", "less_momentum", "no_dropout", "no_decay"),
    *("shuffled", "balanced", "bent", "thawed", "steady_rate", "rate_tenth", "rate_tenfold", "full_batches", "longer"),
    *("leaky", "adam", "clipped", "rate_hundredth", "rate_hundredfold"),
    *("rate_thousandth", "rate_thousandfold"),
)
RARE_SHARE = 0.15  # chosen: a class below it is rare
RARE_RECALL = 0.5  # chosen: and ignored where less than half of it is recognized
CLEARLY_BELOW = 0.1  # chosen: a score so far below what simple models reach is worth a closer look
SHARE_LEFT = 1.5  # chosen: and the rest to 1 is larger by so much


def level(signals: Signals) -> float:
    """The score that these rows allow at least, as far as simple models and re-runs show."""
    known = [signals.number("simple_score"), *(trial.score for trial in signals.trials.values())]
    return max([value for value in known if math.isfinite(value)], default=float("nan"))


def below(score: float, reachable: float) -> bool:
    """Clearly worse than what is reachable."""
    return reachable - score > CLEARLY_BELOW and (1 - score) > SHARE_LEFT * (1 - reachable)


def ignores_a_class(signals: Signals) -> bool:
    """A rare class, most of which is not recognized, under a loss that weighs all rows alike."""
    few = min(RARE_SHARE, 0.5 / max(signals.number("classes", 2), 2))
    alike = not signals.number("loss_by_class") > 2
    return signals.number("rare_share") < few and signals.number("rare_recall") < RARE_RECALL and alike


def broken(signals: Signals) -> bool:
    curves = signals.curves
    return any(not math.isfinite(value) for value in (*curves.train, *curves.steps))


def unlearned(signals: Signals) -> bool:
    """The training loss is no better than that of the best constant answer."""
    constant, final = signals.number("loss_constant"), signals.number("final_train_loss")
    return constant - final < 0.05 * abs(constant)


def underfits(signals: Signals) -> bool:
    """Poor on its own training rows too, so that it is the training that is at fault."""
    train = signals.number("train_score")
    return broken(signals) or not math.isfinite(train) or below(train, level(signals))


def looks_wrong(signals: Signals) -> bool:
    if broken(signals) or signals.number("score") <= -1:
        return True
    return below(signals.number("score"), signals.number("simple_score"))


def graded(signals: Signals) -> Literal["problem", "warning"]:
    """Of what was measured beyond its limit: a problem where the run is poor, a warning where the score does not show it."""
    return "problem" if looks_wrong(signals) else "warning"


def wanted(signals: Signals) -> list[str]:
    """Re-runs worth making, the most telling first."""
    facts = signals.facts
    if not looks_wrong(signals):
        doubtful = ["balanced"] if ignores_a_class(signals) else []
        doubtful += ["thawed"] if facts.get("frozen_random") else []  # what no simple model learns says nothing of them
        return ["control", *doubtful] if doubtful else []
    names = ["control", *(["balanced"] if ignores_a_class(signals) else [])]
    scale = signals.number("input_scale")
    if scale > 5 or scale < 0.1 or signals.number("input_scale_ratio") > 50:
        names.append("standardized")
    if facts.get("task") == "regression" and not 0.05 < signals.number("target_scale") < 5:
        names.append("targets_standardized")
    if any(not 0.3 < value < 3 for value in facts.get("start_scales", {}).values()) or _twins(signals):
        names.append("fresh_weights")
    if signals.number("momentum") > 0.95:
        names.append("less_momentum")
    if signals.number("dropout") >= 0.3:
        names.append("no_dropout")
    if signals.number("weight_decay") >= 1e-3:
        names.append("no_decay")
    if signals.number("order_excess") > 0.3:
        names.append("shuffled")
    if signals.number("affine_error") < 1e-3 and signals.number("weight_layers") > 1:
        names.append("bent")
    if facts.get("frozen_random") or facts.get("unmoved") or facts.get("outside_optimizer"):
        names.append("thawed")
    rates = facts.get("learning_rates") or [1.0]
    if max(rates) > 20 * min(rates):
        names.append("steady_rate")
    names += ["rate_tenth", "rate_tenfold"]
    if signals.number("rows") < 20 * signals.number("batch_size", 1) or signals.number("batch_size", 99) <= 8:
        names.append("full_batches")
    names += ["longer", "leaky"]
    if not str(facts.get("optimizer", "")).startswith(("Adam", "NAdam", "RAdam")):
        names.append("adam")
    if broken(signals):
        names.append("clipped")
    for end, nearer in (("th", "tenth"), ("fold", "tenfold")):
        names += [f"rate_hundred{end}"] if _worth_going_on(signals, nearer) else []
        names += [f"rate_thousand{end}"] if _worth_going_further(signals, f"rate_hundred{end}") else []
    return names


def _worth_going_on(signals: Signals, nearer: str) -> bool:
    """Whether the nearer change of the rate helped, or nothing is learned at all."""
    return unlearned(signals) or broken(signals) or signals.score_of(f"rate_{nearer}") > signals.number("score") + 0.02


def _worth_going_further(signals: Signals, nearer: str) -> bool:
    """Whether nothing is learned, and a hundredth or a hundred times the rate was tried and is not all that can be reached."""
    lost = unlearned(signals) or broken(signals)
    return lost and nearer in signals.trials and below(signals.score_of(nearer), level(signals))


def _twins(signals: Signals) -> bool:
    equal = signals.facts.get("equal_weights", {}).values()
    return (
        any(layer.twin_share and layer.twin_share[0] > 0.5 for layer in signals.layers.values())
        or max(equal, default=0.0) > 0.5
    )


def next_trial(signals: Signals, sure: tuple[str, ...] | None = None) -> str | None:
    """The next re-run; where the cause is sure already, only those that prove its remedies."""
    names = wanted(signals) if sure is None else ["control", *sure] if sure and looks_wrong(signals) else []
    for name in names:
        if name not in signals.trials and f"re-run: {name}" not in signals.not_run:
            return name
    return None
