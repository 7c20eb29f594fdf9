"""What the search of stage 5 came to, told: what was searched and widened, what mattered, the best networks."""

from collections.abc import Sequence
from typing import NamedTuple

from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.population.member import Training
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.recipe.tune import search_figures
from trainwell.search.halving import Shape
from trainwell.search.importance import FEWEST, Importance, importance
from trainwell.search.space import Axis, Label, Space, labelled
from trainwell.search.widening import Widened, edges
from trainwell.words import counted

SAID = {"tpe": "drawn by TPE from what the waves before had shown", "random": "drawn at random", "grid": "taken from a grid"}


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


def evidence_of(context: Context, outcome: Outcome) -> Evidence:
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
    doubling = search_figures.doubling(finished)
    figures = {"importance": _importance_figure(found)} if found.together else {}
    return Evidence(
        "tune",
        "pass",
        f"{counted(begun, 'network')}, {to_the_end} trained to their end, best validation {label} {context.said(best.score)}",
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
            "doubled_search_gain": None if doubling is None else context.shown_gap(doubling),
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
        figures=figures
        | search_figures.figures(context, finished, names)
        | {name: _setting_figure(context, name, trained) for name in names},
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
        f"{best.curves.best_epoch}. {_mattered(found, len(outcome.finished))}"
        f"{_of_more(context, outcome)}{_what_was_widened(outcome)}{_epochs(context, best.member.structure)}"
    )


def _mattered(found: Importance, members: int) -> str:
    if found.together:
        return (
            f"What mattered most was {next(iter(found.together))}; settings and choices explain {found.explained:.0%} of how "
            f"networks differ after {counted(found.epochs, 'epoch')}, which all of them were trained for."
        )
    if members < FEWEST:
        return "Too few networks to say which setting matters."
    return "How the networks differ cannot be laid to any setting: within what was searched none matters beyond chance."


def _of_more(context: Context, outcome: Outcome) -> str:
    gain = search_figures.doubling(outcome.finished)
    if gain is None:
        return ""
    if float(context.said_gap(gain).replace(",", "")) == 0:
        return " The last doubling of their number bought nothing that shows; a longer search would hardly do better."
    return f" The last doubling of their number was worth {context.said_gap(gain)}; the next one seldom buys more."


def _what_was_widened(outcome: Outcome) -> str:
    return "".join(f" After a wave the {change.says}." for change in outcome.widened)


def _searched_rows(outcome: Outcome) -> list[dict]:
    """One row for everything that was drawn: its range or values, and what became of the range."""
    rows: list[dict] = [
        {
            "choice or setting": name,
            "searched": ", ".join(map(str, values)),
            "scale": "choice",
            "in the end": "the same" if after == values else ", ".join(map(str, after)),
        }
        for name, (values, after) in _chosen_among(outcome).items()
    ]
    for name in outcome.names:
        structure = next(s for s in outcome.begun.structures if name in hyperparameters_of(s))
        before, after = outcome.begun.axes(structure)[name], outcome.final.axes(structure)[name]
        scale = "values" if before.values else "log" if before.log else "linear"
        ended = "the same" if before == after else _said_axis(after)
        rows.append({"choice or setting": name, "searched": _said_axis(before), "scale": scale, "in the end": ended})
    return rows


def _chosen_among(outcome: Outcome) -> dict[str, tuple[list[Label], list[Label]]]:
    """Of each choice, and of what a remedy changed, the values at the beginning and in the end."""
    begun, final = (list(space.structures) for space in (outcome.begun, outcome.final))
    names = (*outcome.begun.choices, *(("clip",) if outcome.final.replaced else ()))
    return {
        name: (list(dict.fromkeys(labelled(s, name) for s in begun)), list(dict.fromkeys(labelled(s, name) for s in final)))
        for name in dict.fromkeys(names)
    }


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
        f"The share of the differences between networks after {counted(found.epochs, 'epoch')} that each explains, by itself "
        "and together with others; what is small here may be left at its default."
    )
    return Figure("bars", "What mattered", "", "share explained", bars, caption)


def _epochs(context: Context, structure: Structure) -> str:
    """What an epoch is, where it is not a pass over all rows."""
    stream, (rows, parts) = context.stream, context.rows_of_epoch(structure)
    if stream is not None:
        said = f" The {stream.rows:,} training rows were streamed from disk: an epoch is {rows:,} of them"
    elif parts > 1:
        said = f" An epoch is {rows:,} of the {len(context.split.train):,} training rows"
    else:
        return ""
    return f"{said}, and {parts} epochs are the whole table."


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


def nothing(finished: list[Training]) -> Evidence:
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
