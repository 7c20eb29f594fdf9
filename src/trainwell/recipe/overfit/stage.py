"""Stage 3, overfit: can the network learn what is there? Growing sizes, several learning rates, no regularization at all.

A network that cannot even learn the training rows by heart will not predict others; one that can is large enough, and what
then goes wrong is overfitting, which the next stage is for.
"""

import dataclasses
import math

from trainwell import words
from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.population.member import Member, Training
from trainwell.recipe.context import FEW_ROWS, SMALLEST, Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.recipe.overfit import capacity, rate_range
from trainwell.recipe.overfit.smaller_input import ALL, Chosen
from trainwell.recipe.overfit.target_transform import Compared, compared, learning, ways, worth_comparing

SIZES = (SMALLEST, (128, 128), (256, 256, 256))  # chosen: three steps of about four times the weights
MANY_ROWS = 2000  # chosen: training rows from which on the largest size is tried
RATES = (4.0, 1.5, 10.0, 0.5)  # chosen: times the default learning rate, a factor of three apart, the likeliest first
CLEARLY = 0.9  # chosen: a training loss below this share of the validation loss is overfitting
NOTHING_LEFT = 0.05  # chosen: a training loss below this share of the prior's has learned all there is
UNREGULARIZED = {"weight_decay.rate": 0.0, "dropout.rate": 0.0, "early_stopping.patience": 10_000.0, "adam.beta2": 0.95}
FREQUENCY = "periodic.frequency"
FREQUENCIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # chosen: from a bend over the whole range to one for nearly every value
MILD = {"weight_decay.rate": 0.05, "dropout.rate": 0.15, "early_stopping.patience": 10_000.0, "adam.beta2": 0.95}  # chosen
DETAIL_RATE = 3.0  # chosen: times the default learning rate
SHARE_OF_DETAIL = 0.2  # chosen: of a full training; enough to see which detail is worth something
TIMES_BEST = 8  # chosen: a regularized network learns on for so many times the epochs after which an unregularized one overfits
FEWEST_EPOCHS = 12  # chosen
SHARE_OF_EPOCHS = 0.5  # chosen: of a full training; enough to see whether it overfits
SHARE_OF_MANY = 0.15  # chosen: with many rows an epoch has many steps, and large networks take their time


def overfit(context: Context, first: int, columns: Chosen = ALL) -> tuple[Evidence, list[Training]]:
    """(evidence with the chosen size and learning rate, all trainings); members are numbered from ``first``. ``columns`` is how
    those of the context were chosen.

    Where the target may be better learned as its logarithm, the smallest size learns both, and the others what it did better.
    """
    structures, asked = sizes(context), worth_comparing(context)
    context.population().prepare(structures[:1] if asked else structures)
    fine = detail(context, first)
    frequency = _frequency(fine)
    base = UNREGULARIZED | ({} if frequency is None else {FREQUENCY: frequency})
    rate = f"{structures[0].optimizer}.learning_rate"
    share = SHARE_OF_EPOCHS if len(context.split.train) < MANY_ROWS else SHARE_OF_MANY
    epochs = max(4, math.ceil(share * context.epochs(structures[0])))
    first += len(fine)
    both, found = _both_ways(context, base, first, epochs) if asked else ({}, Compared())
    context = learning(context, found.measures)
    own = both.get(context.target_transform, [])
    other = [training for trainings in both.values() for training in trainings if trainings is not own]
    own = own + _trained(context, sizes(context)[asked:], base, first + len(own) + len(other), epochs)
    sound = [training for training in own if training.sound]
    evidence = _evidence(context, own, sound, rate, epochs, fine) if sound else _hopeless(own)
    explanation = " ".join(filter(None, (columns.says, found.says, evidence.explanation)))
    measures = {**evidence.measures, **found.measures, **columns.measures}
    tables = {**columns.tables, **evidence.tables}
    evidence = dataclasses.replace(evidence, explanation=explanation, measures=measures, tables=tables)
    if sound:
        evidence = _with_range(evidence, rate_range.rate_range(context, sizes(context)[0], base))
    trainings = sorted((*fine, *own, *other), key=lambda training: training.member.number)
    return evidence, [training.let_go() for training in trainings]


def _with_range(evidence: Evidence, found: rate_range.Range | None) -> Evidence:
    """The evidence with the range of learning rates, where it was measured."""
    if found is None:
        return evidence
    low, high = found.good or (None, None)
    return dataclasses.replace(
        evidence,
        explanation=f"{evidence.explanation} {rate_range.said(found)}",
        measures={**evidence.measures, "lowest_good_rate": low, "highest_good_rate": high},
        figures={**evidence.figures, "rates": rate_range.figure(found)},
    )


def _both_ways(context: Context, base: dict[str, float], first: int, epochs: int) -> tuple[dict[str, list[Training]], Compared]:
    """(the smallest size trained by either way of learning the target, what that came to)."""
    plain, logs = ways(context)
    logs.population().prepare(sizes(logs)[:1])
    numbers = _trained(plain, sizes(plain)[:1], base, first, epochs)
    logarithms = _trained(logs, sizes(logs)[:1], base, first + len(numbers), epochs)
    return {"none": numbers, "log": logarithms}, compared(context, numbers, logarithms)


def _trained(
    context: Context,
    structures: list[Structure],
    base: dict[str, float],
    first: int,
    epochs: int,
) -> list[Training]:
    """Every structure at every rate, once where the user holds the rate fixed."""
    plans = [(structure, times) for structure in structures for times in RATES]
    members: list[Member] = []
    for structure, times in plans:
        settings = context.settings(structure, {**base, **context.learning_rate(structure, times)})
        if not any((one.structure, one.settings) == (structure, settings) for one in members):  # the rate may be held fixed
            members.append(Member(first + len(members), structure, settings, "overfit"))
    trainings = [Training(member) for member in members]
    population = context.population()
    population.prepare(structures)
    return population.train(trainings, epochs, epochs, context.budget, context.watcher("overfit", len(trainings)))


def detail(context: Context, first: int) -> list[Training]:
    """The smallest network, mildly regularized, with numbers seen more and more finely: what that is worth differs from table
    to table more than anything else. Nothing where rows are few, numbers not embedded, or the user holds it fixed."""
    structure = sizes(context)[0]
    if len(context.split.train) < FEW_ROWS:  # whose validation rows would choose by luck
        return []
    if FREQUENCY not in hyperparameters_of(structure) or FREQUENCY in context.options.settings:
        return []
    base = {**MILD, **context.learning_rate(structure, DETAIL_RATE)}
    trainings = []
    for number, frequency in enumerate(FREQUENCIES, start=first):
        settings = context.settings(structure, {**base, FREQUENCY: frequency})
        trainings.append(Training(Member(number, structure, settings, "overfit")))
    epochs = max(4, math.ceil(context.epochs(structure) * SHARE_OF_DETAIL))
    return context.population().train(trainings, epochs, epochs, context.budget, context.watcher("overfit", len(trainings)))


def sizes(context: Context) -> list[Structure]:
    """The structures to try, smallest first; one where the user fixed the widths. Small tables need no large networks."""
    most = len(SIZES) if len(context.split.train) >= MANY_ROWS else len(SIZES) - 1
    return list(dict.fromkeys(context.structure(widths=widths) for widths in SIZES[:most]))


def final_loss(training: Training) -> float:
    """The training loss of the last epoch; infinite where it was no number."""
    loss = training.curves.training_loss[-1]
    return loss if math.isfinite(loss) else math.inf


def _evidence(
    context: Context, trainings: list[Training], sound: list[Training], rate: str, epochs: int, fine: list[Training]
) -> Evidence:
    begun = [training for training in trainings if training.curves]
    best, lowest = max(sound, key=lambda training: training.rank), min(sound, key=final_loss)
    chosen = _to_go_on_with(context, sound, best)
    loss, validation_loss = final_loss(lowest), lowest.curves.validation_loss[-1]
    learned = loss <= CLEARLY * validation_loss or loss < NOTHING_LEFT * context.prior_loss
    best_rate, chosen_rate = (one.member.settings.get(rate, math.nan) for one in (best, chosen))
    failed = sum(training.failed for training in trainings)
    by_size = capacity.by_size(trainings)
    tried = f"{words.counted(len({t.member.structure for t in begun}), 'size')} and with up to {len(RATES)} learning rates each"
    verdict = "it can learn what is there" if learned else "it does not overfit: the features may say no more"
    return Evidence(
        "overfit",
        "pass" if learned else "warn",
        f"{_widths(lowest)} reaches training loss {loss:.3g} (the prior's is {context.prior_loss:.3g}); {verdict}",
        explanation=(
            f"{len(begun)} networks without any regularization, of {tried}, were trained for up to {epochs} epochs. The lowest "
            f"training loss is {loss:.3g} with {_widths(lowest)}, its validation loss ends at {validation_loss:.3g}. "
            f"{_reading(context, loss, validation_loss)} {_of_sizes(by_size)}"
            f"On the validation rows the best was {_widths(best)} at learning rate {best_rate:.2g}, {context.metric.label} "
            f"{context.said(best.score)} at epoch {best.curves.best_epoch}. The next stages go on with {_widths(chosen)} at "
            f"{chosen_rate:.2g}{_why(chosen, best)}.{_said_of_detail(context, fine)}"
        ),
        actions=_actions(learned, failed, best_rate, [training.member.settings.get(rate) for training in trainings]),
        measures={
            "widths": _widths(chosen),
            "learning_rate": _plain(chosen_rate),
            "training_loss": _plain(loss),
            "validation_loss": _plain(validation_loss),
            "score": best.score,
            "epochs": epochs,
            "frequency": _frequency(fine),
            "longest_training": _longest(context, chosen),
            "failed": failed,
        },
        tables={
            "Sizes and learning rates": [_row(context, training, rate) for training in trainings if training.curves],
            **_detail_table(context, fine),
        },
        figures={
            **({"sizes": capacity.figure(by_size)} if len(by_size) > 1 else {}),
            "capacity": _capacity_figure(trainings, rate),
        },
    )


def _why(chosen: Training, best: Training) -> str:
    if chosen.member.structure == best.member.structure:
        return ""
    return ", the largest size: with so many rows, what it overfits is for regularization to take away"


def _to_go_on_with(context: Context, sound: list[Training], best: Training) -> Training:
    """Of many rows the best of the largest networks: what they overfit is for regularization to take away. Of few rows the best
    of all; also where the time did not suffice to try the largest."""
    structures = sizes(context)
    largest = [t for t in sound if t.member.structure == structures[-1]]
    if len(context.split.train) < MANY_ROWS or not largest:
        return best
    return max(largest, key=lambda training: training.rank)


def _longest(context: Context, chosen: Training) -> int:
    """Epochs of a full training at most: a network that overfits after a few has no use for many."""
    return min(context.epochs(chosen.member.structure), max(FEWEST_EPOCHS, TIMES_BEST * chosen.curves.best_epoch))


def _frequency(fine: list[Training]) -> float | None:
    """How finely numbers are best seen, by the validation rows; None where it was not tried."""
    sound = [training for training in fine if training.sound]
    return max(sound, key=lambda training: training.rank).member.settings[FREQUENCY] if sound else None


def _said_of_detail(context: Context, fine: list[Training]) -> str:
    best = _frequency(fine)
    if best is None:
        return ""
    score = max(training.score for training in fine if training.sound)
    return f" Numbers are best seen at a frequency of about {best:g}: {context.metric.label} {context.said(score)} with it."


def _detail_table(context: Context, fine: list[Training]) -> dict[str, list[dict]]:
    """How each frequency did."""
    rows = [
        {
            "frequency": training.member.settings[FREQUENCY],
            f"best validation {context.metric.label}": _plain(context.shown(training.score)),
        }
        for training in fine
        if training.curves
    ]
    return {"How finely numbers are seen": rows} if rows else {}


def _hopeless(trainings: list[Training]) -> Evidence:
    """Stop where every network diverged; where there was no time, the search goes on with what is usual."""
    if any(training.curves for training in trainings):
        advice = "Lower the learning rate (--set adam.learning_rate=1e-4), or look for inputs of enormous size."
        return Evidence(
            "overfit", "stop", "every network diverged", "The loss of every network left the finite numbers.", (advice,)
        )
    advice = "Give the run more time (--time-limit)."
    said = "The stages before used the time of this one: sizes are not compared."
    return Evidence("overfit", "warn", "no time was left for this stage", said, (advice,))


def _widths(training: Training) -> str:
    """``"128-128"`` or ``"linear"``, as `--set widths` takes it."""
    return "-".join(map(str, training.member.structure.widths)) or "linear"


def _plain(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _of_sizes(by_size: list[capacity.Size]) -> str:
    said = capacity.said(by_size)
    return f"{said} " if said else ""


def _reading(context: Context, loss: float, validation_loss: float) -> str:
    if loss < NOTHING_LEFT * context.prior_loss and loss > CLEARLY * validation_loss:
        share = loss / context.prior_loss
        return f"Next to nothing is left to learn: that is {share:.1%} of the loss of the base rate, on both kinds of rows."
    if loss <= CLEARLY * validation_loss:
        return "Training is clearly better than validation: the capacity is there, and regularization is the next step."
    return (
        "Training is hardly better than validation: more capacity or more epochs would show whether anything is left to learn."
    )


def _actions(learned: bool, failed: int, rate: float, tried: list[float | None]) -> list[str]:
    actions = []
    if failed:
        actions.append(f"{failed} networks diverged: the highest learning rates are too high for this table.")
    if not learned:
        actions.append("The training rows are not learned by heart: better features would help more than regularization.")
    rates = [one for one in tried if one is not None]
    if len(set(rates)) > 1 and rate in (min(rates), max(rates)):
        side = "lowest" if rate == min(rates) else "highest"
        actions.append(f"The best learning rate is the {side} that was tried, {rate:.2g}: the best may lie beyond.")
    return actions


def _row(context: Context, training: Training, rate: str) -> dict:
    return {
        "widths": _widths(training),
        "learning rate": training.member.settings.get(rate),
        "training loss": _plain(final_loss(training)),
        f"best validation {context.metric.label}": _plain(context.shown(training.score)),
        "at epoch": training.curves.best_epoch,
    }


def _capacity_figure(trainings: list[Training], rate: str) -> Figure:
    series = []
    for structure in dict.fromkeys(training.member.structure for training in trainings):
        own = [training for training in trainings if training.member.structure == structure and training.curves]
        own.sort(key=lambda training: training.member.settings.get(rate, math.nan))
        losses = [_plain(final_loss(training)) for training in own]
        series.append(Series("-".join(map(str, structure.widths)), [t.member.settings.get(rate) for t in own], losses))
    caption = "Training loss at the end, without regularization: lower with more units, until the rate is too high."
    return Figure("lines", "Capacity and learning rate", "learning rate", "training loss", series, caption, log_x=True)
