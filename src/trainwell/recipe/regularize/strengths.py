"""What the regularizers do that need a program of their own: a smaller network, noise on the inputs, mixup, other batch sizes.

They are measured beside the others, in the time that a run can spare for it: first what no new program is compiled for, then
what is. The networks are not kept: they say what each way does on this table, and choose nothing.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.population.member import Member, Training
from trainwell.recipe.context import SMALLEST, Context
from trainwell.recipe.evidence import Figure, Series
from trainwell.recipe.regularize.effects import Effect, Way

NOISES = (0.05, 0.2)  # chosen: standard deviations, in units of the scaled inputs; mild and strong
MIXUPS = (0.1, 0.4)  # Zhang et al. (2018): 0.1 to 0.4
SHARE_OF_TIME = 0.05  # chosen: of the run's time at most
LONG, MANY = 45.0, 36  # chosen: seconds, or networks, of a run from which on a program is compiled for this alone
LONGER = 150.0  # chosen: seconds of a run from which on two are compiled for other batch sizes


def other_ways(context: Context, structure: Structure) -> list[Way]:
    """The ways that change the program, those first that cost least."""
    ways = []
    noise = "input_noise.standard_deviation"
    held, limit, trials = context.options.settings, context.options.time_limit, context.options.trials
    if "input" in structure.noises and noise not in held:
        ways += [Way(structure, {noise: one}, f"input noise {one:g}", "input noise", one) for one in NOISES]
    if "widths" not in held and structure.widths != SMALLEST:
        smaller = dataclasses.replace(structure, widths=SMALLEST)
        ways.append(Way(smaller, {}, f"a smaller network ({'-'.join(map(str, SMALLEST))})"))
    if not (limit >= LONG if limit is not None else (trials or 0) >= MANY):
        return ways
    if not {"noises", "mixup"} & set(held) and structure.continuous:
        noisy = dataclasses.replace(structure, noises=tuple(dict.fromkeys((*structure.noises, "input"))), mixup=True)
        if "input" not in structure.noises:
            ways += [Way(noisy, {noise: one}, f"input noise {one:g}", "input noise", one) for one in NOISES]
        ways += [Way(noisy, {"mixup.strength": one}, f"mixup {one:g}", "mixup", one) for one in MIXUPS]
    if "batch_size" not in held and (limit is None or limit >= LONGER):
        for size in (structure.batch_size // 2, structure.batch_size * 2):
            if 2 <= size <= len(context.split.train) // 4:
                ways.append(Way(dataclasses.replace(structure, batch_size=size), {}, f"batches of {size}"))
    return ways


def trained(context: Context, ways: Sequence[Way], base: Mapping[str, float], epochs: int) -> list[tuple[Way, Training]]:
    """The ways whose network came to its end, without the others: a network that was cut short says nothing."""
    own = context.within(SHARE_OF_TIME)
    members = [
        Member(number, way.structure, context.settings(way.structure, _for(way, base)), "regularize")
        for number, way in enumerate(ways)
    ]
    if not members or own.budget.passed:
        return []
    population = context.population(told=False)
    trainings = population.train([Training(member) for member in members], epochs, epochs, own.budget)
    return [(w, t) for w, t in zip(ways, trainings, strict=True) if t.sound and (t.stopped or t.epochs >= epochs)]


def _for(way: Way, base: Mapping[str, float]) -> dict[str, float]:
    known = hyperparameters_of(way.structure)
    return {name: value for name, value in {**base, **way.changes}.items() if name in known}


def curves(context: Context, effects: Sequence[Effect], plain: Effect) -> dict[str, Figure]:
    """The gap, and the validation score, against the strength of each regularizer, from none on; nothing without strengths."""
    kinds: dict[str, list[Effect]] = {}
    for effect in effects:
        if effect.way.strength is not None:
            kinds.setdefault(effect.way.kind, []).append(effect)
    if not kinds:
        return {}
    gap_lines, score_lines = [], []
    for kind, own in kinds.items():
        ordered = [plain, *sorted(own, key=lambda effect: effect.way.strength or 0.0)]
        strengths = [effect.way.strength or 0.0 for effect in ordered]
        gap_lines.append(Series(kind, strengths, [context.rounded_gap(effect.gap) for effect in ordered]))
        score_lines.append(Series(kind, strengths, [float(f"{context.shown(effect.validation):.5g}") for effect in ordered]))
    label = context.metric.label
    return {
        "strength_gap": Figure(
            "lines", "The gap against strength", "strength", f"gap in {label}", gap_lines,
            "By how much the score on training rows is better than that on validation rows, from no regularization on.",
        ),
        "strength_score": Figure(
            "lines", "The score against strength", "strength", f"validation {label}", score_lines,
            "What counts: a regularizer helps where this is better than at strength 0. Differences within the chance that the "
            "text names mean nothing.",
        ),
    }  # fmt: skip
