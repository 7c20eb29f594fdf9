"""A part of the recipe: ``--only STAGE`` and ``--from STAGE``, with what the stages before left in the run folder.

A stage that is made anew takes what it needs from the evidence of others. What hangs on a stage that changes would no longer be
true: it is made anew, too (``--from``), or the stage is not touched (``--only``).
"""

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from trainwell.errors import InputError, listed, nearest
from trainwell.files import write_whole
from trainwell.recipe.evidence import STAGES, stages_of

NEEDS = {"regularize": ("overfit",), "tune": ("overfit", "regularize"), "squeeze": ("tune",)}
LEFT = {  # what a stage leaves beside its evidence; the model comes last, and is what makes a run a finished one
    "baselines": ("members/simple_models.npz",),
    "overfit": ("members/overfit.safetensors", "rows/*"),  # whose columns this stage chooses
    "regularize": ("members/regularize.safetensors",),
    "tune": ("members/wave-*.safetensors", "search.journal"),
    "squeeze": ("members/fold-*.safetensors", "model/model.json", "report.html"),
}
TRAINED = ("overfit", "regularize", "tune")  # stages that leave weights
# Hold for the stages that are made anew, whatever came before.
RUN_OPTIONS = ("keep_going", "cores", "device", "time_limit", "effort")
SEARCH_OPTIONS = ("trials", "search", "space")  # of the stage tune
LIMITS = ("time_limit", "trials", "effort")  # one that is given takes the place of all three
WITHOUT_WEIGHTS = "members/without_weights.json"


def chosen_stages(only: Sequence[str] = (), from_stage: str | None = None) -> tuple[str, ...]:
    """The stages to be made, in order; none where the whole recipe is meant."""
    only = (only,) if isinstance(only, str) else tuple(only)
    if only and from_stage is not None:
        raise InputError("--only and --from are two ways to say which stages are made: give one of them.")
    for name in (*only, *([from_stage] if from_stage is not None else ())):
        if name not in STAGES:
            raise InputError(f"{name!r} is no stage{nearest(name, STAGES) or ','} the stages are {listed(STAGES)}.")
    if from_stage is not None:
        return STAGES[STAGES.index(from_stage) :]
    return tuple(stage for stage in STAGES if stage in only)


def check_needs(folder: Path | None, chosen: Sequence[str], effort: object = None) -> None:
    """`InputError` where a stage needs what another one of this effort finds, and that one is neither chosen nor done."""
    made = stages_of(effort)
    for stage in chosen:
        needed = [need for need in NEEDS.get(stage, ()) if need in made]
        missing = [need for need in needed if need not in chosen and not _is_done(folder, need)]
        if missing:
            where = "a new run has nothing yet" if folder is None else f"{folder} does not hold it"
            raise InputError(
                f"stage {stage} needs what {' and '.join(missing)} found, and {where}: "
                f"say --only {' --only '.join([*missing, stage])}, or --from {missing[0]} for a run that was begun."
            )
    if folder is not None and "squeeze" in chosen and "tune" not in chosen and not _weights(folder, "tune"):
        raise InputError(
            f"stage squeeze needs the networks that tune trained, and {folder} does not hold them any more (a finished run "
            "keeps their history alone): --from tune trains them again."
        )


def check_nothing_hangs_on(folder: Path, chosen: Sequence[str]) -> None:
    """`InputError` where a later stage that is done, and not chosen, was made from what a chosen one found."""
    touched = set(chosen)
    for stage in STAGES:
        if touched & set(NEEDS.get(stage, ())):
            touched.add(stage)
    stale = [stage for stage in STAGES if stage in touched - set(chosen) and _is_done(folder, stage)]
    if stale:
        raise InputError(
            f"{' and '.join(stale)} in {folder} {'were' if len(stale) > 1 else 'was'} made from what {chosen[0]} found: "
            f"--from {chosen[0]} makes {'them' if len(stale) > 1 else 'it'} anew, too."
        )


def changed_options(folder: Path, config: dict[str, Any], changed: dict[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    """The options of a run with those that may be others for the chosen stages; `InputError` for one that may not."""
    allowed = {*RUN_OPTIONS, *(SEARCH_OPTIONS if "tune" in chosen else ())}
    if refused := sorted(name for name in set(changed) - allowed if not callable(changed[name])):
        raise InputError(
            f"what {folder} holds was made with the options that it was started with: beside {chosen[0]} only "
            f"{listed(sorted(allowed))} can be others, not {listed(refused)}; leave {'them' if len(refused) > 1 else 'it'} "
            "out, or begin a new run."
        )
    if set(LIMITS) & set(changed):
        config = {name: value for name, value in config.items() if name not in LIMITS}
    return {**config, **changed}


def forget(folder: Path, chosen: Collection[str]) -> None:
    """Remove what the chosen stages left, the last one first, so that a kill leaves no stage whose needs are gone; and write
    down which of the others left no weights, because a finished run keeps none."""
    for stage in reversed([stage for stage in STAGES if stage in chosen]):
        for left in (*LEFT.get(stage, ()), f"evidence/{stage}.json"):
            for path in folder.glob(left):
                path.unlink()
    lacking = [stage for stage in TRAINED if stage not in chosen and _is_done(folder, stage) and not _weights(folder, stage)]
    if lacking:
        write_whole(folder / WITHOUT_WEIGHTS, json.dumps(lacking))


def without_weights(folder: Path) -> frozenset[str]:
    """Stages whose evidence holds although their networks are gone."""
    path = folder / WITHOUT_WEIGHTS
    return frozenset(json.loads(path.read_text()) if path.exists() else ())


def earlier_members(folder: Path, chosen: Iterable[str]) -> list[dict[str, Any]]:
    """The networks in the history that the stages which are not made anew have trained."""
    path, gone = folder / "members" / "history.json", set(chosen)
    members = json.loads(path.read_text()).get("members", []) if path.exists() else []
    return [member for member in members if member.get("stage") not in gone]


def _is_done(folder: Path | None, stage: str) -> bool:
    return folder is not None and (folder / "evidence" / f"{stage}.json").exists()


def _weights(folder: Path, stage: str) -> bool:
    return any(True for _ in folder.glob(LEFT[stage][0]))
