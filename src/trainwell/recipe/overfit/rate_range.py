"""The range of learning rates in which the smallest network learns this table, from a population that differs in nothing else.

Eight rates a factor of about four apart, a few hundred steps each, no regularization: the training loss against the rate falls,
lies flat, and rises or is no number any more. A good rate lies in the flat part, about a factor of three below where it ends.

Source: Smith (2017), "Cyclical learning rates for training neural networks", section 3.3, there with one network whose rate
rises as it trains; a population has no rate in the wake of another.
"""

import math
from typing import NamedTuple

from trainwell.network.structure import Structure
from trainwell.population.member import Member, Training
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Cell, Figure, Series

TIMES = (0.05, 0.2, 0.7, 2.0, 7.0, 20.0, 70.0, 250.0)  # chosen: of Adam's default rate, hardly learning to falling apart
STEPS = 300  # chosen: enough for a good rate to show
NEARLY = 0.2  # chosen: of what the best rate learned, what a rate in the range may lack
SHARE_OF_TIME, LONG = 0.02, 30.0  # chosen: of the run's time at most, and seconds of a run that can spare it


class Range(NamedTuple):
    """Rates, the training loss after `STEPS` steps at each (infinite where it broke down), and the loss before."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    before: float

    @property
    def good(self) -> tuple[float, float] | None:
        """(lowest, highest) of the rates around the best one that learn nearly as much as it; None where none learns."""
        best = min(range(len(self.losses)), key=lambda place: self.losses[place], default=None)
        if best is None or not self.losses[best] < self.before:
            return None
        limit = self.losses[best] + NEARLY * (self.before - self.losses[best])
        low = high = best
        while low > 0 and self.losses[low - 1] <= limit:
            low -= 1
        while high < len(self.losses) - 1 and self.losses[high + 1] <= limit:
            high += 1
        return self.rates[low], self.rates[high]


def rate_range(context: Context, structure: Structure, base: dict[str, float]) -> Range | None:
    """The losses; None where the optimizer brings its own rate, the user holds it fixed, nothing
    learns, or there is no time."""
    name = f"{structure.optimizer}.learning_rate"
    if not context.learning_rate(structure) or name in context.options.settings:
        return None
    limit = context.options.time_limit
    if limit is not None and limit < LONG:
        return None
    rates = [context.learning_rate(structure, times)[name] for times in TIMES]
    members = [
        Member(number, structure, context.settings(structure, {**base, name: rate}), "overfit")
        for number, rate in enumerate(dict.fromkeys(rates))
    ]
    population = context.population(told=False)
    epochs = max(1, round(STEPS / population.steps_per_epoch(structure)))
    within = context.within(SHARE_OF_TIME, beyond=True)
    trainings = population.train([Training(member) for member in members], epochs, epochs, within.budget)
    done = [t for t in trainings if t.epochs == epochs or t.failed]
    losses = [_last(training) for training in done]
    if len(done) < len(trainings) or not any(map(math.isfinite, losses)):
        return None
    return Range(tuple(t.member.settings[name] for t in done), tuple(losses), context.prior_loss)


def _last(training: Training) -> float:
    loss = training.curves.training_loss[-1] if training.sound else math.inf
    return loss if math.isfinite(loss) else math.inf


def said(found: Range) -> str:
    """Where the good rates lie."""
    if found.good is None:
        return f"In {STEPS} steps no learning rate of the range that was tried learned anything."
    low, high = found.good
    end = f"; at {found.rates[-1]:.2g} it breaks down" if not math.isfinite(found.losses[-1]) else ""
    return f"In {STEPS} steps rates from {low:.2g} to {high:.2g} lower the training loss nearly as far as the best one{end}."


def figure(found: Range) -> Figure:
    """Loss against rate; rates at which the loss is far above that of the start leave the figure."""
    most = 2 * max(found.before, min(found.losses))
    shown: list[Cell] = [float(f"{loss:.4g}") if loss <= most else None for loss in found.losses]
    rates = [float(f"{rate:.3g}") for rate in found.rates]
    series = (
        Series("before training", [rates[0], rates[-1]], [float(f"{found.before:.4g}")] * 2),
        Series(f"after {STEPS} steps", rates, shown, emphasis=True),
    )
    caption = (
        f"The training loss of the smallest network after {STEPS} steps at each rate. Good rates lie where the curve is low; "
        "where it ends, the loss was no number any more or far above that of the start."
    )
    return Figure("lines", "The range of learning rates", "learning rate", "training loss", series, caption, log_x=True)
