"""Stage 5, tune: random search with halving over a population, wave after wave until the trials or the time are used up.

Random rather than grid: when few of many settings matter, random draws try more values of those that do (Bergstra & Bengio,
2012). The first members of the search stand at the centre, what the stages before found; the others are drawn.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainwell.diagnosis.engine.known import Known
from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.population.budget import Budget
from trainwell.population.member import Training
from trainwell.population.metrics import ORDERS
from trainwell.recipe import fixed
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.recipe.overfit import sizes
from trainwell.recipe.remedies import Narrowed
from trainwell.search.halving import Wave
from trainwell.search.space import SEARCHED, Space
from trainwell.search.waves import WAVE, search

CENTRE = {"adam.beta2": 0.95, "early_stopping.patience": 16.0, "dropout.rate": 0.15, "weight_decay.rate": 0.02}  # RealMLP's
EDGE = 0.1  # chosen: the best lies at the edge of a range when it is in the outer tenth


def space(context: Context, widths: str, learning_rate: float | None, regularized: dict[str, float]) -> Space:
    """What is searched: the size that overfitting chose and the largest (or second largest) one, around the settings found."""
    chosen = fixed.widths_of(widths)
    others = [structure.widths for structure in sizes(context) if structure.widths != chosen]
    structures = tuple(dict.fromkeys(context.structure(widths=widths) for widths in (chosen, *others[-1:])))
    rate = f"{structures[0].optimizer}.learning_rate"
    known = {name: declared for structure in structures for name, declared in hyperparameters_of(structure).items()}
    centre = CENTRE | ({} if learning_rate is None else {rate: learning_rate}) | regularized
    searched = [rate, *(name for name in SEARCHED if name != "adam.learning_rate")]
    if context.metric.name not in ORDERS:  # which smoothing blurs
        searched.append(f"{structures[0].loss}.label_smoothing")
    ranges = {}
    if learning_rate is not None and rate in known:
        ranges[rate] = (max(known[rate].low, learning_rate / 4), min(known[rate].high, learning_rate * 4))
    held = {name: value for structure in structures for name, value in context.settings(structure, centre).items()}
    free = tuple(name for name in searched if name in known and name not in context.options.settings)
    return Space(structures, free, held, {name: ends for name, ends in ranges.items() if name in free})


def tune(
    context: Context,
    first: int,
    searched: Space,
    folder: Path,
    kept: Sequence[Wave],
    known: Known,
    before: Sequence[Training] = (),
) -> tuple[Evidence, list[Training]]:
    """(evidence, every member of the search with its best weights).

    ``kept`` are the waves that a run before the resumed one left in the folder, which those of this one are written to. What
    went wrong in a network narrows what is searched for those that follow; ``before`` are those of the stages before.
    """
    trials = context.options.trials
    narrowed = Narrowed(context, searched, known)

    def epochs(wave: int) -> int:
        """Of a table too large for memory later waves see more."""
        return context.epochs(searched.structures[0], doublings=wave)

    def draw(number: int, trainings: Sequence[Training]) -> Training:
        return Training(narrowed.after([*before, *trainings]).member(number, first, context.options.seed))

    def report(trainings: list[Training]) -> None:
        context.report_progress("tune", trainings, trials)

    finished = search(
        context.population(), draw, epochs, context.budget, folder, first=first, trials=trials, kept=kept, on_rung=report
    )
    trained = [t for t in finished if t.sound]
    if not trained:
        return _nothing(finished), finished
    return _evidence(context, searched, finished, trained, epochs((len(finished) - 1) // WAVE)), finished


def last_resort(context: Context, number: int, searched: Space) -> Training:
    """One network trained for one call of its program, whatever the clock says: a poor model is better than none."""
    population, member = context.population(), searched.member(number, number, context.options.seed)
    epochs = population.epochs_per_call(member.structure)
    return population.train([Training(member)], epochs, epochs, Budget())[0].let_go()


def _evidence(context: Context, searched: Space, finished: list[Training], trained: list[Training], epochs: int) -> Evidence:
    best = max(trained, key=lambda training: training.rank)
    failed = sum(training.failed for training in finished)
    begun = sum(bool(training.curves) for training in finished)
    to_the_end = sum(training.stopped or training.ended for training in trained)
    importance, edges = importances(searched, trained), at_the_edge(searched, best)
    names = [name for name in searched.searched if any(name in training.member.settings for training in trained)]
    label = context.metric.label
    actions = [f"The best {name} lies at the edge of what was searched ({value:.3g}): a wider range may hold a better one."
               for name, value in edges]  # fmt: skip
    if failed:
        actions.append(f"{failed} networks diverged and were left out.")
    return Evidence(
        "tune",
        "pass",
        f"{begun} networks, {to_the_end} trained to their end, best validation {label} {context.said(best.score)}",
        explanation=_explanation(context, best, names, begun, epochs, importance),
        actions=actions,
        measures={
            "trials": begun,
            "trained_to_the_end": to_the_end,
            "best_score": best.score,
            "best_member": best.member.number,
            "failed": failed,
            "network_epochs": sum(training.epochs for training in finished),
        },
        tables={
            "The ten best": [_row(context, t, names) for t in sorted(trained, key=lambda t: -t.rank)[:10]],
            "What mattered": [
                {"setting": name, "share of the spread explained": round(value, 3)} for name, value in importance.items()
            ],
        },
        figures={name: _setting_figure(context, name, trained) for name in names},
    )


def _explanation(
    context: Context, best: Training, names: list[str], trials: int, epochs: int, importance: dict[str, float]
) -> str:
    drawn = ", ".join(f"{name} {best.member.settings[name]:.3g}" for name in names if name in best.member.settings)
    mattered = (
        f"What mattered most was {next(iter(importance))}." if importance else "Too few networks to say which setting matters."
    )
    return (
        f"{trials} networks with settings drawn at random were trained in waves of {WAVE} for up to {epochs} epochs: "
        f"at each of a few rungs only the best third goes on. The best is {best.member.structure.describe()} with {drawn}; "
        f"it reaches {context.metric.label} {context.said(best.score)} on the validation rows at epoch "
        f"{best.curves.best_epoch}. {mattered}{_streamed(context)}"
    )


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


def importances(searched: Space, trained: list[Training]) -> dict[str, float]:
    """Share of the spread of scores that each setting explains by itself: the squared correlation of a parabola in it."""
    scores = np.array([t.score for t in trained])
    if len(scores) < 12:
        return {}
    scores = np.clip(scores, np.quantile(scores, 0.1), None)  # how bad the worst are says little
    if scores.std() < 1e-9:  # nothing to explain
        return {}
    found = {}
    for name in searched.searched:
        own = np.array([t.member.settings.get(name, math.nan) for t in trained])
        known = np.isfinite(own)
        if known.sum() >= 12 and own[known].std() > 0:
            x = np.log(own[known]) if (own[known] > 0).all() else own[known]
            fitted = np.polynomial.Polynomial.fit(x, scores[known], 2)(x)
            found[name] = float(1 - (scores[known] - fitted).var() / max(scores[known].var(), 1e-30))
    sizes = {t.member.structure for t in trained}
    if len(sizes) > 1:
        means = {size: scores[[t.member.structure == size for t in trained]].mean() for size in sizes}
        fitted = np.array([means[t.member.structure] for t in trained])
        found["size"] = float(fitted.var() / scores.var())
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def at_the_edge(searched: Space, best: Training) -> list[tuple[str, float]]:
    """Settings of the best member that lie in the outer tenth of the searched range, where the allowed range goes on."""
    found = []
    for name, declared in hyperparameters_of(best.member.structure).items():
        if name not in searched.searched:
            continue
        low, high = searched.ranges.get(name, declared.search_range)
        value = best.member.settings[name]
        place = (math.log(value / low) / math.log(high / low)) if declared.scale == "log" else (value - low) / (high - low)
        if (place < EDGE and low > declared.low) or (place > 1 - EDGE and high < declared.high):
            found.append((name, value))
    return found


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
