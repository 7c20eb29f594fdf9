"""The order of the stages: what each gets from those before it, and what it leaves in the run folder."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainwell.data.roles import Note
from trainwell.errors import InputError, StageStopped
from trainwell.files import whole_file
from trainwell.model import load
from trainwell.population import checkpoint
from trainwell.population.allocator import give_back
from trainwell.population.member import Training
from trainwell.recipe import fixed
from trainwell.recipe import folder as folders
from trainwell.recipe.baselines.simple_models import score_simple_models
from trainwell.recipe.baselines.stage import baselines
from trainwell.recipe.chosen_stages import WITHOUT_WEIGHTS, earlier_members, without_weights
from trainwell.recipe.context import Context
from trainwell.recipe.events import closed_by_ctrl_c, read_events
from trainwell.recipe.evidence import STAGES, Evidence, columns_read, finite, read_evidence, stages_of, write_evidence
from trainwell.recipe.findings import known_of, tell
from trainwell.recipe.gates import beaten
from trainwell.recipe.look.stage import look
from trainwell.recipe.minimal import one_network
from trainwell.recipe.next_steps import gain_said, next_steps
from trainwell.recipe.options import MINIMAL
from trainwell.recipe.overfit.smaller_input import Chosen as Columns
from trainwell.recipe.overfit.smaller_input import narrowed, smaller_input
from trainwell.recipe.overfit.stage import overfit
from trainwell.recipe.overfit.target_transform import learning
from trainwell.recipe.pace import FULL, TRAINED_BEFORE, WAITED, known_full_training, seconds_searching
from trainwell.recipe.regularize.stage import regularize
from trainwell.recipe.result import Run, closing
from trainwell.recipe.squeeze.finalists import choose
from trainwell.recipe.squeeze.stage import squeeze
from trainwell.recipe.timetable import closing_share, end_from_now, is_ample
from trainwell.recipe.tune.all_rows import all_rows, forget_rows
from trainwell.recipe.tune.stage import check, last_resort, searched_by_hand, space, tune
from trainwell.report.page import write_report
from trainwell.search.waves import read_waves

COMPILED_EARLY = 4  # chosen: structures; what is not needed in the end keeps the process from ending all the same
OVERRUN = 1.05  # times the limit, up to which nothing is said
STEPS_TOLD = 3  # chosen: next steps that the diary and the terminal tell; the report has them all
DEFAULT_SIZE = {
    "widths": "128-128",
    "learning_rate": None,
    "frequency": None,
}  # where a stage that would have chosen them was stopped


class Recipe:
    """One pass through the stages. A stage that left its evidence in a folder that is resumed is not done again."""

    def __init__(self, context: Context, notes: tuple[Note, ...], chosen: Sequence[str] = (), *, report: bool = True):
        self.context, self.notes, self.chosen, self.report = context, notes, chosen, report
        self.done = read_evidence(context.folder / "evidence")
        self.result = Run(context.folder)
        self.simple: dict[str, np.ndarray] = {}
        events = read_events(context.folder / "events.jsonl")
        self.found = {
            (event.get("member"), event.get("cause"), event.get("layer"))
            for event in events
            if event["event"] == "finding" and event.get("stage") not in chosen
        }
        self.told = {event.get("member") for event in events if event["event"] in ("member_finished", "member_failed")}
        self.without_weights = without_weights(context.folder)
        self.earlier = earlier_members(context.folder, chosen) if chosen or self.without_weights else []
        self.told -= {event.get("member") for event in events if chosen and event.get("stage") in chosen}
        pool = context.pool  # which other runs of this process have used before
        pool.programs.begin_run()
        self._waited_before = pool.waited_seconds

    def run(self) -> Run:
        stages: dict[str, Callable[[Context], Evidence]] = {
            name: getattr(self, f"_{name}") for name in stages_of(self.context.options.effort)
        }
        reason = None
        for name, stage in stages.items():
            number = 1 + STAGES.index(name)
            if self._is_left_out(name) or (self.context.budget.interrupted and name != "squeeze"):
                continue
            if name == "squeeze" and not self._trained:
                break
            evidence = self._one(number, name, stage)
            asked = name in self.chosen or not self.chosen
            if evidence.verdict == "stop" and asked and not self.context.options.keep_going:
                reason = f"Stage {name} stopped the run: {evidence.summary}."
                reason += "".join(f" {action}" for action in list(evidence.actions)[:1]) + " --keep-going goes on all the same."
                break
        return self._finish(reason)

    def _is_left_out(self, name: str) -> bool:
        """Whether a stage is neither chosen nor one whose findings a chosen one takes up."""
        if not self.chosen or name in self.chosen:
            return False
        return name not in self.done or STAGES.index(name) > max(map(STAGES.index, self.chosen))

    def _one(self, number: int, name: str, stage: Callable[[Context], Evidence]) -> Evidence:
        log, began = self.context.log, time.monotonic()
        log.add("stage_started", stage=name, number=number)
        if name == "look":
            for note in self.notes:
                log.note("look", note.message, note.column)
        pool = self.context.pool
        compiled, waited = len(pool.programs.compilations), pool.waited_seconds
        evidence = stage(self._within_its_time(name))
        give_back()
        for one in pool.programs.compilations[compiled:]:
            log.add("compiled", program=one.program.describe(), seconds=round(one.seconds, 3), background=one.background)
        waited = round(pool.waited_seconds - waited, 3)
        log.add("waited_for_programs", stage=name, seconds=waited)
        if name not in self.done:
            evidence = beaten(self.context, name, evidence, self.result.evidence, self.result.trainings)
            evidence = finite(dataclasses.replace(evidence, seconds=round(time.monotonic() - began, 3)))
            if name in TRAINED_BEFORE:  # a finished run keeps no networks, and its search may be made anew
                evidence = self._with_pace(evidence)
            if name == "tune":
                evidence = dataclasses.replace(evidence, measures={**evidence.measures, WAITED: waited})
            if not self.context.budget.interrupted or name == "squeeze":
                write_evidence(evidence, self.context.folder / "evidence")
        self.result.evidence[name] = evidence
        log.add("stage_finished", stage=name, verdict=evidence.verdict, summary=evidence.summary, seconds=evidence.seconds)
        if self.context.budget.interrupted and not self.result.interrupted:
            self.result.interrupted = True
            log.add("interrupted", stage=name)
        return evidence

    def _within_its_time(self, stage: str) -> Context:
        """The context with the clock of a stage that begins now."""
        return self.context.until(end_from_now(stage, self.context, self._full_training))

    def _with_pace(self, evidence: Evidence) -> Evidence:
        """A stage's evidence with the seconds of a full training, as far as they are known after it."""
        self.result.evidence[evidence.stage] = evidence
        full = self._full_training
        return evidence if math.isnan(full) else dataclasses.replace(evidence, measures={**evidence.measures, FULL: full})

    @property
    def _full_training(self) -> float:
        """Seconds of a full training, from what the stages before the search took, or as they wrote it down."""
        waited = self.context.pool.waited_seconds - self._waited_before
        return known_full_training(self.context, self.result.trainings, self.result.evidence, waited)

    @property
    def _time_is_ample(self) -> bool:
        return is_ample(self.context, self._full_training)

    def _look(self, context: Context) -> Evidence:
        return self.done.get("look") or look(context)

    def _baselines(self, context: Context) -> Evidence:
        kept = context.folder / "members" / "simple_models.npz"
        if "baselines" in self.done and kept.exists():
            with np.load(kept, allow_pickle=False) as arrays:
                self.simple = dict(arrays)
            return self.done["baselines"]
        if "baselines" in self.done and self.chosen:  # of a finished run, which keeps no predictions
            if "squeeze" in self.chosen:
                self.simple = {name: one.on_test for name, one in score_simple_models(context).items()}
            return self.done["baselines"]
        self.done.pop("baselines", None)
        evidence, self.simple = baselines(context)
        kept.parent.mkdir(exist_ok=True)
        with whole_file(kept) as file:
            np.savez_compressed(file, **self.simple)  # type: ignore[arg-type]
        return evidence

    def _overfit(self, context: Context) -> Evidence:
        context, found = self._with_its_columns(context)
        evidence = self._kept("overfit", context, lambda: overfit(context, self._next_number, found))
        self.context = learning(narrowed(self.context, found.columns), evidence.measures)
        if context.sample is None and (longest := evidence.measures.get("longest_training")):
            self.context = dataclasses.replace(self.context, longest=int(longest))
        return evidence

    def _with_its_columns(self, context: Context) -> tuple[Context, Columns]:
        """(the stage's context with the columns that networks are to read, how they were found)."""
        if self._has("overfit"):
            found = Columns(columns_read(self.done))
            return narrowed(context, found.columns), found
        found = smaller_input(context, self._suits)
        context = self._within_its_time("overfit")  # which choosing columns is not to take away
        if found.columns is not None:
            kept, all_ = len(found.columns), len(context.encoder.columns)
            context.log.note(
                "overfit", f"{all_ - kept:,} of {all_:,} columns are left out, small networks do clearly better without them "
                "(--set columns=all keeps them)."
            )  # fmt: skip
        return narrowed(context, found.columns), found

    @staticmethod
    def _suits(context: Context) -> bool:
        """Whether the settings and the space that the user gave hold for these columns, as they were seen to for all."""
        try:
            fixed.check(context.options.settings, context.structure(), *searched_by_hand(context))
            check(context)
        except InputError:
            return False
        return True

    def _regularize(self, context: Context) -> Evidence:
        measures = self._size()
        if context.sample is None and not self.chosen and "regularize" not in self.done:
            needed = space(context, measures["widths"], None, {}, ample=self._time_is_ample).structures[:COMPILED_EARLY]
            context.population().prepare(needed)  # what the search begins with, compiled while this stage trains
        return self._kept(
            "regularize",
            context,
            lambda: regularize(
                context, self._next_number, measures["widths"], measures["learning_rate"], measures["frequency"]
            ),
        )

    def _tune(self, context: Context) -> Evidence:
        if context.options.effort == MINIMAL:
            return self._kept("tune", context, lambda: one_network(context, self._next_number))
        first, folder = self._next_number, context.folder / "members"
        kept = read_waves(folder)
        begun = [training for wave in kept for training in wave.trainings if training.curves]
        if "tune" in self.done and "tune" in self.without_weights:
            return self.done["tune"]
        if "tune" in self.done and len(begun) == self.done["tune"].measures.get("trials"):
            self._take([training for wave in kept for training in wave.trainings], "tune", context)
            return self.done["tune"]
        self.done.pop("tune", None)
        context = all_rows(context)
        size = self._size()
        found = self.result.evidence["regularize"].measures if "regularize" in self.result.evidence else {}
        whole = found.get("trained_to_the_end", False)  # after a short training the least regularized looks best
        regularized = {
            name.removeprefix("best."): float(value or 0) for name, value in found.items() if whole and name.startswith("best.")
        }
        found_before = (size["widths"], size["learning_rate"], regularized, size["frequency"])
        had_time = any(t.member.structure.adapters for wave in kept for t in wave.trainings)  # before it was stopped
        searched = space(context, *found_before, ample=had_time or self._time_is_ample)
        known, before = known_of(context, self.result.evidence), list(self.result.trainings)
        evidence, trainings = tune(context, first, searched, folder, kept, known, before, self._full_training)
        self._take(trainings, "tune", context)
        if not self._trained and not self.context.budget.interrupted:
            diverged = any(training.failed for training in trainings)
            why = "Every network of the search diverged" if diverged else "The time limit was too short to search"
            context.log.note("tune", f"{why}: one network was trained a little, to have a model.")
            self._take([last_resort(context, self._next_number, searched)], "tune", context)
        return evidence

    def _squeeze(self, context: Context) -> Evidence:
        self.done.pop("squeeze", None)
        reserved = context.until(1 - closing_share(self.context))
        searched = self.result.evidence.get("tune")
        choice = choose(reserved, self.result.trainings, self._next_number, seconds_searching(searched))
        self._take(list(choice.trained), "squeeze", context)
        try:
            evidence, test_score = squeeze(context, choice, self.simple)
        except Exception:  # whatever goes wrong in telling of the model, what was trained is not lost
            choice.model.save(context.folder / "model")
            raise
        self.result.model = dataclasses.replace(choice.model, test_score=test_score)
        self.result.model.save(context.folder / "model")
        return evidence

    def _kept(self, stage: str, context: Context, make: Callable[[], tuple[Evidence, list[Training]]]) -> Evidence:
        """What a stage with trainings comes to: read back where the folder has it, else made and written."""
        path = self._networks_of(stage)
        if self._has(stage):
            self._take(checkpoint.load(path) if path.exists() else [], stage, context)
            return self.done[stage]
        self.done.pop(stage, None)
        evidence, trainings = make()
        checkpoint.save(trainings, path)
        self._take(trainings, stage, context)
        return evidence

    def _has(self, stage: str) -> bool:
        """Whether the folder holds what a stage with trainings came to."""
        return stage in self.done and (self._networks_of(stage).exists() or stage in self.without_weights)

    def _networks_of(self, stage: str) -> Path:
        return self.context.folder / "members" / f"{stage}.safetensors"

    def _take(self, trainings: list[Training], stage: str, context: Context) -> None:
        """Keep what a stage has trained, and tell of each network that no event told of yet, and of what went wrong in it."""
        self.result.trainings += trainings
        new = [training for training in trainings if training.member.number not in self.told]
        tell(context, stage, new, known_of(context, self.result.evidence), self.found)
        for training in trainings:
            if training.member.number in self.told:
                continue
            told: dict[str, Any] = {"member": training.member.number, "stage": training.member.stage}
            if training.failed:
                cause = f"its loss was no longer a finite number in epoch {training.epochs}"
                self.context.log.add("member_failed", **told, cause=cause)
            elif training.curves:
                told |= {"epochs": training.epochs, "score": self.context.shown(training.score)}
                self.context.log.add("member_finished", **told, settings=training.member.settings)
        folders.write_history(self.context, self.result.trainings, self.earlier)

    def _size(self) -> dict[str, Any]:
        found = self.result.evidence["overfit"].measures if "overfit" in self.result.evidence else {}
        return DEFAULT_SIZE | {name: found[name] for name in DEFAULT_SIZE if name in found}

    def _tell_next_steps(self) -> None:
        """What to do next, into the run folder and the diary."""
        steps, label = next_steps(self.result.evidence), self.context.metric.label
        folders.write_json(self.context.folder / "next_steps.json", {"metric": label, "steps": [s.to_json() for s in steps]})
        told = [{"what": step.what, "gain": gain_said(step, label)} for step in steps[:STEPS_TOLD]]
        self.context.log.add("next_steps", steps=told)

    def _tell_overrun(self) -> None:
        """A note where the run took clearly longer than it may."""
        limit, used = self.context.options.time_limit, self.context.budget.used
        if limit is not None and used > OVERRUN * limit:
            self.context.log.note(
                "squeeze",
                f"The run took {used:.0f} s, its limit is {limit:g} s: what was begun could not be cut short, such as reading, "
                "compiling, a simple model or one look at all rows.",
            )

    @property
    def _next_number(self) -> int:
        numbers = [t.member.number for t in self.result.trainings] + [member["member"] for member in self.earlier]
        return 1 + max(numbers, default=0)

    @property
    def _trained(self) -> bool:
        return any(t.sound for t in self.result.trainings)

    @property
    def _is_whole(self) -> bool:
        """Whether nothing is left to resume: after a part of the recipe the folder may be that of a run that was cut short."""
        wanted = stages_of(self.context.options.effort)
        return set(wanted) <= set(self.result.evidence) and not closed_by_ctrl_c(self.context.folder)

    def _finish(self, reason: str | None) -> Run:
        run, folder = self.result, self.context.folder
        if self.chosen:
            run.evidence = {
                name: {**self.done, **run.evidence}[name] for name in STAGES if name in {**self.done, **run.evidence}
            }
            if run.model is None and (folder / "model" / "model.json").is_file():
                run.model = load(folder)
        last = closing(run) | {"metric": self.context.metric.label}
        self._tell_next_steps()
        self._tell_overrun()
        self.context.log.add("run_finished", **last, seconds=round(self.context.budget.used, 3))
        if self.report:
            write_report(folder)
        if reason is not None:
            raise StageStopped(reason)
        if run.model is not None and not run.interrupted and self._is_whole:
            forget_rows(folder)
            folders.remove_weights(folder)
            (folder / WITHOUT_WEIGHTS).unlink(missing_ok=True)
        return run
