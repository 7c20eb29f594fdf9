"""Stage 3, overfit: can the network learn what is there? Growing sizes, several learning rates, no regularization at all.

A network that cannot even learn the training rows by heart will not predict others; one that can is large enough, and what
then goes wrong is overfitting, which the next stage is for.
"""

import math

from trainwell.network.structure import Structure, resolve
from trainwell.population.cohort import Member, Training
from trainwell.recipe.baselines import SMALLEST
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series

SIZES = (SMALLEST, (128, 128), (256, 256, 256))  # chosen: three steps of about four times the weights
LEARNING_RATES = (5e-4, 1.5e-3, 4e-3, 1e-2)  # chosen: about a factor of three apart
CLEARLY = 0.9  # chosen: training loss below this share of the validation loss is overfitting
UNREGULARIZED = {"weight_decay.rate": 0.0, "dropout.rate": 0.0, "early_stopping.patience": 10_000.0, "adam.beta2": 0.95}
SHARE_OF_EPOCHS = 0.5  # chosen: of a full training; enough to see whether it overfits


def sizes(context: Context) -> list[Structure]:
    """The structures to try, smallest first; one where the user fixed the widths. Small tables need no large networks."""
    most = len(SIZES) if len(context.split.train) >= 2000 else len(SIZES) - 1
    return list(dict.fromkeys(context.structure(widths=widths) for widths in SIZES[:most]))


def overfit(context: Context, first: int) -> tuple[Evidence, list[Training]]:
    """(evidence with the chosen size and learning rate, all trainings); members are numbered from ``first``."""
    structures = sizes(context)
    rate = f"{structures[0].optimizer}.learning_rate"
    plans = [(structure, value) for structure in structures for value in LEARNING_RATES]
    trainings = [
        Training(Member(first + i, structure, resolve(structure, context.settings(structure, {**UNREGULARIZED, rate: value})), "overfit"))
        for i, (structure, value) in enumerate(plans)
    ]  # fmt: skip
    epochs = max(4, math.ceil(SHARE_OF_EPOCHS * context.epochs(structures[0])))
    trainings = context.population().train(trainings, epochs, epochs, context.budget)
    sound = [t for t in trainings if t.curves and not t.failed]
    if not sound:
        return _hopeless(context, trainings), trainings
    best = max(sound, key=lambda t: t.score)
    lowest = min(sound, key=_training_loss)
    learned = (
        _training_loss(lowest) <= CLEARLY * lowest.curves.validation_loss[-1]
        or _training_loss(lowest) < 0.05 * context.prior_loss
    )
    chosen_rate = float(best.member.settings.get(rate, math.nan))
    failed = sum(t.failed for t in trainings)
    size = best.member.structure.describe()
    evidence = Evidence(
        "overfit",
        "pass" if learned else "warn",
        f"{_widths(lowest)} reaches training loss {_training_loss(lowest):.3g} (the prior's is {context.prior_loss:.3g}); "
        + ("it can learn what is there" if learned else "it does not overfit: the features may say no more"),
        explanation=(
            f"{len(trainings)} networks without any regularization, {len(structures)} sizes with {len(LEARNING_RATES)} learning rates each, "
            f"were trained for up to {epochs} epochs. The lowest training loss is {_training_loss(lowest):.3g} with {_widths(lowest)}, while "
            f"its validation loss ends at {lowest.curves.validation_loss[-1]:.3g}. "
            + ("Training is clearly better than validation: the capacity is there, and regularization is the next step. " if learned else
               "Training is hardly better than validation: more capacity or more epochs would show whether anything is left to learn. ")
            + f"On the validation rows the best was {size} at learning rate {chosen_rate:.2g}, "
            f"{context.metric.label} {context.shown(best.score):.4f} at epoch {best.curves.best_epoch}."
        ),
        actions=_actions(learned, failed, chosen_rate),
        measures={"widths": "-".join(map(str, best.member.structure.widths)), "learning_rate": chosen_rate,
                  "training_loss": _training_loss(lowest), "validation_loss": lowest.curves.validation_loss[-1],
                  "score": best.score, "epochs": epochs, "failed": failed},
        tables={"Sizes and learning rates": [
            {"widths": _widths(t), "learning rate": t.member.settings.get(rate), "training loss": _rounded(_training_loss(t)),
             f"best validation {context.metric.label}": _rounded(context.shown(t.score)), "at epoch": t.curves.best_epoch}
            for t in trainings if t.curves]},
        figures={"capacity": _capacity_figure(structures, trainings, rate)},
    )  # fmt: skip
    return evidence, [training.let_go() for training in trainings]


def _training_loss(training: Training) -> float:
    loss = training.curves.training_loss[-1]
    return loss if math.isfinite(loss) else math.inf


def _widths(training: Training) -> str:
    return "-".join(map(str, training.member.structure.widths)) or "a linear model"


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _hopeless(context: Context, trainings: list[Training]) -> Evidence:
    started = sum(bool(t.curves) for t in trainings)
    why = "every network diverged" if started else "the time was used up before a single network had trained"
    advice = (
        "Lower the learning rate, or look for inputs of enormous size." if started else "Give the run more time (--time-limit)."
    )
    return Evidence("overfit", "stop", f"no network could be trained: {why}", f"No network could be trained: {why}.", (advice,))


def _actions(learned: bool, failed: int, rate: float) -> list[str]:
    actions = []
    if failed:
        actions.append(
            f"{failed} networks diverged; the highest learning rates are too high for this table and are not searched further."
        )
    if not learned:
        actions.append("The training rows are not learned by heart: better features would help more than regularization.")
    if rate in (LEARNING_RATES[0], LEARNING_RATES[-1]):
        side = "lowest" if rate == LEARNING_RATES[0] else "highest"
        actions.append(f"The best learning rate is the {side} that was tried, {rate:.2g}: the best may lie beyond.")
    return actions


def _capacity_figure(structures: list[Structure], trainings: list[Training], rate: str) -> Figure:
    series = []
    for structure in structures:
        own = [t for t in trainings if t.member.structure == structure and t.curves]
        series.append(
            Series(
                "-".join(map(str, structure.widths)),
                [t.member.settings.get(rate) for t in own],
                [_rounded(_training_loss(t)) for t in own],
            )
        )
    caption = "Training loss at the end, without regularization: lower with more units, until nothing is left to learn or the rate is too high."
    return Figure("lines", "Capacity and learning rate", "learning rate", "training loss", series, caption, log_x=True)
