"""Stage 5, tune: a search with halving over a population, wave after wave until the trials or the time are used up.

The first members stand at the centre, what the stages before found; the others are drawn, by TPE from what the waves before
have shown, or at random, or from a grid. Random rather than grid: when few of many settings matter, random draws try more
values of those that do (Bergstra & Bengio, 2012).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trainwell.diagnosis.engine.known import Known
from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.population.budget import Budget
from trainwell.population.member import Training
from trainwell.population.metrics import ORDERS
from trainwell.recipe import fixed, spaces
from trainwell.recipe.context import FEW_ROWS, Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.recipe.overfit import FREQUENCY, sizes
from trainwell.recipe.pace import shape_of_waves
from trainwell.recipe.remedies import Searched
from trainwell.search import grid
from trainwell.search.halving import Shape, Wave
from trainwell.search.importance import FEWEST, Importance, importance
from trainwell.search.space import SEARCHED, Axis, Space, labelled
from trainwell.search.waves import members_of, search
from trainwell.search.widening import Widened, edges

CENTRE = {  # beta2 is RealMLP's; the others were the best over several tables, see docs/benchmarks.md
    "adam.beta2": 0.95,
    "early_stopping.patience": 16.0,
    "dropout.rate": 0.25,
    "weight_decay.rate": 0.05,
}
COARSE = 0.2  # measured: of few rows more detail is noise
MOST_BINNED = 32  # chosen: columns of numbers up to which a structure has bins, which make each of them sixteen
SAID = {"tpe": "drawn by TPE from what the waves before had shown", "random": "drawn at random", "grid": "taken from a grid"}


def space(
    context: Context,
    widths: str,
    learning_rate: float | None,
    regularized: dict[str, float],
    frequency: float | None = None,
) -> Space:
    """What is searched: what the user says, or else the size that overfitting chose and the largest (or second largest) one,
    around the settings found."""
    own = context.options.space
    chosen = fixed.widths_of(widths)
    if own is not None:
        structures = spaces.structures_of(context, own, widths=chosen)
    else:
        structures = tuple(dict.fromkeys(context.structure(**way) for way in _ways(context, chosen)))
    rate = f"{structures[0].optimizer}.learning_rate"
    found = {rate: learning_rate, FREQUENCY: COARSE if len(context.split.train) < FEW_ROWS else frequency}
    centre = CENTRE | {name: value for name, value in found.items() if value is not None} | regularized
    held = {name: value for structure in structures for name, value in context.settings(structure, centre).items()}
    if own is not None:
        return spaces.space_of(own, structures, held)
    known = {name: declared for structure in structures for name, declared in hyperparameters_of(structure).items()}
    searched = [rate, *(name for name in SEARCHED if name != "adam.learning_rate")]
    if context.metric.name not in ORDERS:  # which smoothing blurs
        searched.append(f"{structures[0].loss}.label_smoothing")
    ranges = {}
    for name, times in ((rate, 4.0), (FREQUENCY, 5.0)):
        value = found[name]
        if value is not None and name in known:
            ranges[name] = (max(known[name].low, value / times), min(known[name].high, value * times))
    free = tuple(name for name in searched if name in known and name not in context.options.settings)
    return Space(structures, free, held, {name: ends for name, ends in ranges.items() if name in free})


def _ways(context: Context, chosen: tuple[int, ...]) -> list[dict[str, Any]]:
    """The structures that are searched: the size that overfitting chose and the largest other one, and one that takes numbers
    in another way, so that an ensemble has networks that err differently."""
    others = [structure.widths for structure in sizes(context) if structure.widths != chosen]
    ways: list[dict[str, Any]] = [{"widths": chosen}, *({"widths": widths} for widths in others[-1:])]
    if len(context.split.train) < FEW_ROWS:  # the detail that embeddings give is mostly noise there
        return [*ways, {"widths": chosen, "numeric_embedding": "none"}]
    if 0 < context.encoder.continuous <= MOST_BINNED:
        ways.append({"widths": max(chosen, *others[-1:]), "numeric_embedding": "piecewise_linear"})
    return ways


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
        return _nothing(finished), finished
    final = space_after(waves)
    outcome = Outcome(searched, final, changing.widened, finished, epochs(len(waves) - 1), waves[-1].shape)
    return _evidence(context, outcome), finished


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


class Outcome(NamedTuple):
    """What a search came to: what it began with and ended with, what was widened, every member, epochs and shape of the last
    wave."""

    begun: Space
    final: Space
    widened: Sequence[Widened]
    finished: list[Training]
    epochs: int
    shape: Shape

    @property
    def trained(self) -> list[Training]:
        return sorted((t for t in self.finished if t.sound), key=lambda t: -t.rank)

    @property
    def names(self) -> list[str]:
        """The settings that were drawn, where there are any."""
        return [name for name in self.final.searched if any(name in t.member.settings for t in self.trained)]


def _evidence(context: Context, outcome: Outcome) -> Evidence:
    finished, trained, names = outcome.finished, outcome.trained, outcome.names
    best = trained[0]
    failed = sum(training.failed for training in finished)
    begun = sum(bool(training.curves) for training in finished)
    to_the_end = sum(training.stopped or training.ended for training in trained)
    found = importance(outcome.final, finished)
    label = context.metric.label
    actions = [f"The best {edge.name} lies at the edge of what was searched ({best.member.settings[edge.name]:.3g}): "
               f"a wider range may hold a better one." for edge in edges(outcome.final, best)]  # fmt: skip
    if failed:
        actions.append(f"{failed} networks diverged and were left out.")
    figures = {"importance": _importance_figure(found)} if found.together else {}
    return Evidence(
        "tune",
        "pass",
        f"{begun} networks, {to_the_end} trained to their end, best validation {label} {context.said(best.score)}",
        explanation=_explanation(context, outcome, begun, found),
        actions=actions,
        measures={
            "trials": begun,
            "trained_to_the_end": to_the_end,
            "best_score": best.score,
            "best_member": best.member.number,
            "failed": failed,
            "network_epochs": sum(training.epochs for training in finished),
            "sampler": context.options.search,
        },
        tables={
            "What was searched": _searched_rows(outcome),
            "The ten best": [_row(context, t, names) for t in trained[:10]],
            "What mattered": [
                {"choice or setting": name, "by itself": round(found.alone[name], 3), "with others": round(share, 3)}
                for name, share in found.together.items()
            ],
            **_choices_table(context, outcome),
        },
        figures=figures | {name: _setting_figure(context, name, trained) for name in names},
    )


def _explanation(context: Context, outcome: Outcome, trials: int, found: Importance) -> str:
    best = outcome.trained[0]
    drawn = ", ".join(f"{name} {best.member.settings[name]:.3g}" for name in outcome.names if name in best.member.settings)
    return (
        f"{trials} networks were trained in waves of {outcome.shape.members} for up to {outcome.epochs} epochs, with settings "
        f"{SAID[context.options.search]}: after each of {outcome.shape.rungs} rungs only the best "
        f"{outcome.shape.share:.0%} go on. The best is "
        f"{best.member.structure.describe()}{f' with {drawn}' if drawn else ''}; "
        f"it reaches {context.metric.label} {context.said(best.score)} on the validation rows at epoch "
        f"{best.curves.best_epoch}. {_mattered(found, len(outcome.finished))}{_what_was_widened(outcome)}{_streamed(context)}"
    )


def _mattered(found: Importance, members: int) -> str:
    if found.together:
        return (
            f"What mattered most was {next(iter(found.together))}; settings and choices explain {found.explained:.0%} of how "
            f"networks differ after {found.epochs} epochs, which all of them were trained for."
        )
    if members < FEWEST:
        return "Too few networks to say which setting matters."
    return "How the networks differ cannot be laid to any setting: within what was searched none matters beyond chance."


def _what_was_widened(outcome: Outcome) -> str:
    return "".join(f" After a wave the {change.says}." for change in outcome.widened)


def _searched_rows(outcome: Outcome) -> list[dict]:
    """One row for everything that was drawn: its range or values, and what became of the range."""
    rows: list[dict] = [
        {"choice or setting": name, "searched": ", ".join(map(str, values)), "scale": "choice", "in the end": "the same"}
        for name, values in outcome.begun.choices.items()
    ]
    for name in outcome.names:
        structure = next(s for s in outcome.begun.structures if name in hyperparameters_of(s))
        before, after = outcome.begun.axes(structure)[name], outcome.final.axes(structure)[name]
        scale = "values" if before.values else "log" if before.log else "linear"
        ended = "the same" if before == after else _said_axis(after)
        rows.append({"choice or setting": name, "searched": _said_axis(before), "scale": scale, "in the end": ended})
    return rows


def _said_axis(axis: Axis) -> str:
    return ", ".join(f"{value:g}" for value in axis.values) if axis.values else f"{axis.low:.3g} to {axis.high:.3g}"


def _choices_table(context: Context, outcome: Outcome) -> dict[str, list[dict]]:
    """How the values of each choice did; nothing where there was none."""
    rows = []
    for name, values in outcome.final.choices.items():
        for value in values:
            own = [t for t in outcome.trained if labelled(t.member.structure, name) == value]
            best = round(context.shown(own[0].score), 4) if own else None
            rows.append({"choice": name, "value": str(value), "networks": len(own), f"best {context.metric.label}": best})
    return {"Choices": rows} if rows else {}


def _importance_figure(found: Importance) -> Figure:
    names = list(found.together)
    bars = (
        Series("by itself", names, [round(found.alone[name], 3) for name in names]),
        Series("with others", names, [round(found.together[name], 3) for name in names]),
    )
    caption = (
        f"The share of the differences between networks after {found.epochs} epochs that each explains, by itself and together "
        f"with others; what is small here may be left at its default."
    )
    return Figure("bars", "What mattered", "", "share explained", bars, caption)


def _streamed(context: Context) -> str:
    stream = context.stream
    if stream is None:
        return ""
    return (
        f" The {stream.rows:,} training rows were streamed from disk: an epoch is {stream.chunk_rows:,} of them, and "
        f"{stream.chunks} epochs are the whole table."
    )


def _row(context: Context, training: Training, names: list[str]) -> dict:
    settings = training.member.settings
    return {
        "member": training.member.number,
        context.metric.label: round(context.shown(training.score), 4),
        "epochs": training.epochs,
        "best epoch": training.curves.best_epoch,
        "structure": training.member.structure.describe(),
        **{name: float(f"{settings[name]:.3g}") for name in names if name in settings},
    }


def _nothing(finished: list[Training]) -> Evidence:
    if not any(training.curves for training in finished):
        said, advice = "The time was used up by the stages before.", "Give the run more time (--time-limit)."
        return Evidence("tune", "warn", "no time was left to search", said, (advice,))
    said, advice = "No network of the search trained without diverging.", "Fix a lower rate (--set adam.learning_rate=1e-4)."
    return Evidence("tune", "stop", "every network diverged", said, (advice,))


def _setting_figure(context: Context, name: str, trained: list[Training]) -> Figure:
    own = [t for t in trained if name in t.member.settings]
    groups: dict[Structure, list[Training]] = {}
    for training in own:
        groups.setdefault(training.member.structure, []).append(training)
    series = [
        Series(
            structure.describe(),
            [float(f"{t.member.settings[name]:.4g}") for t in group],
            [round(context.shown(t.score), 5) for t in group],
        )
        for structure, group in groups.items()
    ]
    log = bool(own) and all(t.member.settings[name] > 0 for t in own) and not name.endswith((".rate", "smoothing"))
    return Figure(
        "points",
        f"Score against {name}",
        name,
        f"validation {context.metric.label}",
        series,
        "One point per network.",
        log_x=log,
    )
