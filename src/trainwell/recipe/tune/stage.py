"""Stage 5, tune: a search with halving over a population, wave after wave until the trials or the time are used up.

The first members stand at the centre, what the stages before found; the others are drawn, by TPE from what the waves before
have shown, or at random, or from a grid. Random rather than grid: when few of many settings matter, random draws try more
values of those that do (Bergstra & Bengio, 2012).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainwell.diagnosis.engine.known import Known
from trainwell.errors import InputError
from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.population.budget import Budget
from trainwell.population.member import Training
from trainwell.population.metrics import ORDERS
from trainwell.recipe import fixed
from trainwell.recipe.context import FEW_ROWS, Context
from trainwell.recipe.evidence import Evidence
from trainwell.recipe.overfit.stage import FREQUENCY, sizes
from trainwell.recipe.pace import shape_of_waves
from trainwell.recipe.remedies import Searched
from trainwell.recipe.tune import spaces
from trainwell.recipe.tune.search_evidence import Outcome, evidence_of, nothing
from trainwell.search import grid
from trainwell.search.halving import Wave
from trainwell.search.space import SEARCHED, Space
from trainwell.search.waves import members_of, search

CENTRE = {  # beta2 is RealMLP's; chosen: the others did well on california_housing, bike_sharing_hour and telco_churn alike
    "adam.beta2": 0.95,
    "early_stopping.patience": 16.0,
    "dropout.rate": 0.25,
    "weight_decay.rate": 0.05,
}
COARSE = 0.2  # chosen: of few rows more detail is noise, see docs/decisions/frequency-by-evidence.md
ADAPTERS = 8  # chosen: networks in one; see docs/decisions/adapters-for-few-rows.md
MOST_BINNED = 32  # chosen: columns of numbers up to which a structure has bins, which make each of them sixteen


def space(
    context: Context,
    widths: str,
    learning_rate: float | None,
    regularized: dict[str, float],
    frequency: float | None = None,
    *,
    ample: bool = True,
) -> Space:
    """What is searched: what the user says, or else the size that overfitting chose and the largest (or second largest) one,
    around the settings found; where time is ``ample``, also members that are several networks."""
    own = context.options.space
    chosen = fixed.widths_of(widths)
    if own is not None:
        structures = spaces.structures_of(context, own, widths=chosen)
    else:
        structures = tuple(dict.fromkeys(_fitting(context, _ways(context, chosen, ample))))
    rate = f"{context.structure().optimizer}.learning_rate"  # of the optimizer with which the rate was found
    found = {rate: learning_rate, FREQUENCY: COARSE if len(context.split.train) < FEW_ROWS else frequency}
    centre = (
        CENTRE
        | fixed.switched_on({*context.options.settings, *(own or {})})
        | {name: value for name, value in found.items() if value is not None}
        | regularized
    )
    held = {name: value for structure in structures for name, value in context.settings(structure, centre).items()}
    if own is not None:
        return spaces.space_of(own, structures, held)
    known = {name: declared for structure in structures for name, declared in hyperparameters_of(structure).items()}
    searched = [rate, *(name for name in SEARCHED if name != "adam.learning_rate")]
    if context.metric.kind not in ORDERS:  # which smoothing blurs
        searched.append(f"{structures[0].loss}.label_smoothing")
    ranges = {}
    for name, times in ((rate, 4.0), (FREQUENCY, 5.0)):
        value = found[name]
        if value is not None and name in known:
            ranges[name] = (max(known[name].low, value / times), min(known[name].high, value * times))
    free = tuple(name for name in searched if name in known and name not in context.options.settings)
    return Space(structures, free, held, {name: ends for name, ends in ranges.items() if name in free})


def _fitting(context: Context, ways: Sequence[dict[str, Any]]) -> Iterator[Structure]:
    """The first way, and those others that go together with what the user holds fixed."""
    yield context.structure(**ways[0])
    for way in ways[1:]:
        with suppress(InputError):
            yield context.structure(**way)


def _ways(context: Context, chosen: tuple[int, ...], ample: bool) -> list[dict[str, Any]]:
    """The structures that are searched: the size that overfitting chose and the largest other one, and others that take numbers
    in another way, or share their matrices, so that an ensemble has networks that err differently."""
    others = [structure.widths for structure in sizes(context) if structure.widths != chosen]
    ways: list[dict[str, Any]] = [{"widths": chosen}, *({"widths": widths} for widths in others[-1:])]
    if len(context.split.train) < FEW_ROWS:  # the detail that embeddings give is mostly noise there
        ways.append({"widths": chosen, "numeric_embedding": "none"})
        return [*ways, {"widths": chosen, "adapters": ADAPTERS}] if ample else ways
    if 0 < context.encoder.continuous <= MOST_BINNED:
        ways.append({"widths": max([chosen, *others[-1:]]), "numeric_embedding": "piecewise_linear"})
    return ways


def searched_by_hand(context: Context) -> tuple[Structure, ...]:
    """The networks of the space that the user gave; none without one."""
    own = context.options.space
    return () if own is None else spaces.structures_of(context, own, widths=context.structure().widths)


def check(context: Context) -> None:
    """`InputError` where what the user wants to have searched cannot be, whatever the stages before will find."""
    searched = space(context, "-".join(map(str, context.structure().widths)) or "linear", None, {})
    if context.options.search == "grid":
        grid.size(searched)


def tune(
    context: Context,
    first: int,
    searched: Space,
    folder: Path,
    kept: Sequence[Wave],
    known: Known,
    before: Sequence[Training] = (),
    full_training: float = math.nan,
) -> tuple[Evidence, list[Training]]:
    """(evidence, every member of the search with its best weights).

    ``kept`` are the waves that a run before the resumed one left in the folder, which those of this one are written to. What
    went wrong in a network narrows what is searched for those that follow, and where the best lie at an edge it is widened;
    ``before`` are those of the stages before, and ``full_training`` is how many seconds one may take.
    """
    from trainwell.search.journal import Journal  # with Optuna, which is loaded where a search begins
    from trainwell.search.sampler import draw

    options = context.options
    changing = Searched(context, searched, known, before)
    _say_what_it_needs(context, searched)
    journal = Journal(context.folder, context.shown, "maximize" if context.metric.sign > 0 else "minimize",
                      metric=context.metric.label, sampler=options.search)  # fmt: skip

    def space_after(waves: Sequence[Wave], beside: Sequence[Training] = ()) -> Space:
        """A grid's points are what they are."""
        return searched if options.search == "grid" else changing.after(waves, beside)

    def epochs(wave: int) -> int:
        """Of a table too large for memory later waves see more."""
        return context.epochs(searched.structures[0], doublings=wave)

    def drawn(numbers: Sequence[int], waves: Sequence[Wave], beside: Sequence[Training]) -> list[Training]:
        learned = [*members_of(waves), *beside]
        members = draw(options.search, space_after(waves, beside), numbers, first, options.seed, learned)
        return [Training(member) for member in members]

    drawn_from: list[Space] = []

    def keep(waves: Sequence[Wave]) -> None:
        drawn_from.extend(space_after(waves[:place]) for place in range(len(drawn_from), len(waves)))
        journal.update(waves, drawn_from[: len(waves)])

    def report(waves: list[Wave]) -> None:
        context.report_progress("tune", members_of(waves), options.trials)
        keep(waves)

    if kept:
        keep(kept)
    waves = search(
        context.population(),
        drawn,
        epochs,
        context.budget,
        folder,
        first=first,
        trials=options.trials,
        shape=shape_of_waves(context, full_training),
        kept=kept,
        on_rung=report,
    )
    keep(waves)
    finished = members_of(waves)
    if not any(t.sound for t in finished):
        return nothing(finished), finished
    outcome = Outcome(searched, drawn_from[len(waves) - 1], changing.widened, finished, epochs(len(waves) - 1), waves[-1].shape)
    return evidence_of(context, outcome), finished


def last_resort(context: Context, number: int, searched: Space) -> Training:
    """One network trained for one call of its program, whatever the clock says: a poor model is better than none."""
    population, member = context.population(), searched.central(number, searched.structures[0])
    epochs = population.epochs_per_call(member.structure)
    return population.train([Training(member)], epochs, epochs, Budget())[0].let_go()


def _say_what_it_needs(context: Context, searched: Space) -> None:
    """Notes of a search that cannot try all that it is for."""
    trials, structures = context.options.trials, len(searched.structures)
    if context.options.search == "grid":
        size = grid.size(searched)
        said = f"The grid has {size:,} points, one network each."
        if trials is not None and trials < size:
            said += f" Of these {trials:,} are trained (--trials), drawn at random."
        context.log.note("tune", said)
    elif trials is not None and trials < structures:
        context.log.note("tune", f"{trials} networks (--trials) are fewer than the {structures} structures that are searched.")
