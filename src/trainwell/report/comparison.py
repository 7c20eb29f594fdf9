"""Runs beside each other, from their folders alone: what can be compared, what cannot, and what differs.

A score says something about another only where both are of one question: one table, one target, one task, one metric. Runs of
different questions are shown all the same, with a sentence that says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainwell.errors import InputError
from trainwell.recipe.evidence import STAGES, Figure, Series
from trainwell.report.headline import scores
from trainwell.report.record import Record, read_record
from trainwell.report.run_figures import Score
from trainwell.report.sameness import Question, question_of, what_differs
from trainwell.report.tables import said
from trainwell.words import VERDICTS, duration, is_loss, metric_name, score

NO_CHOICE = ("source", "target", "out", "stream_above")  # of ``config.json``: what the run is of, and what memory was free


OF_MACHINE = {"cores": "cores of the machine"}  # in the environment; what is given with --cores has that name, too


@dataclass(frozen=True)
class Comparison:
    """Runs by name, in the order in which they were given."""

    runs: dict[str, Record]

    @cached_property
    def scores(self) -> dict[str, Score]:
        """The final score of each run that has one."""
        found = {name: scores(record) for name, record in self.runs.items()}
        return {name: Score(name, ours[0].value, ours[0].low, ours[0].high) for name, ours in found.items() if ours}

    @cached_property
    def questions(self) -> dict[str, Question]:
        """What each run is of."""
        return {name: question_of(record) for name, record in self.runs.items()}

    @property
    def comparable(self) -> list[str]:
        """The scored runs of the first scored run's question, best first; fewer than two where nothing can be compared."""
        scored = list(self.scores)
        same = [name for name in scored if self.questions[name].same_as(self.questions[scored[0]])]
        loss = bool(same) and is_loss(self.runs[same[0]].metric)
        return sorted(same, key=lambda name: self.scores[name].value, reverse=not loss)

    @property
    def sentences(self) -> list[str]:
        """What can be said of the runs together: who is ahead and by how much, and what cannot be compared and why."""
        return [*self._verdict(), *what_differs(self.questions, self.runs), *self._shortcomings()]

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each run: what it is of, its score and interval, the best simple model, how long it took."""
        return [self._row(name, record) for name, record in self.runs.items()]

    @property
    def settings(self) -> list[dict[str, Any]]:
        """A row for each option or version that is not the same in all runs."""
        given = {name: _settings(record) for name, record in self.runs.items()}
        names = dict.fromkeys(setting for own in given.values() for setting in own)
        rows = [{"setting": setting} | {run: own.get(setting, "–") for run, own in given.items()} for setting in names]
        return [row for row in rows if len({str(row[run]) for run in self.runs}) > 1]

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """A row for each stage: the verdict and the summary of every run."""
        return [{"stage": stage} | {name: _verdict(record, stage) for name, record in self.runs.items()} for stage in STAGES]

    @property
    def figures(self) -> dict[str, Figure]:
        """Curves together: the best network's validation loss, and the best score so far, network after network."""
        same_loss = len({(one.task, one.metric) for one in self.questions.values()}) == 1
        found = {"best network": self._best_networks()} if same_loss else {}
        same_metric = len({one.metric for one in self.questions.values()}) == 1
        found |= {"search": self._search()} if same_metric else {}
        return {name: figure for name, figure in found.items() if any(len(one.x) for one in figure.series)}

    def write(self, path: Path | str) -> Path:
        """Write the comparison as one HTML page that needs nothing else."""
        from trainwell.report.comparison_page import write_comparison

        return write_comparison(self, Path(path))

    def _verdict(self) -> list[str]:
        names = self.comparable
        if len(names) < 2:
            return []
        best, second = (self.scores[name] for name in names[:2])
        metric = metric_name(self.runs[names[0]].metric)
        others = ", ".join(f"{name} {score(self.scores[name].value)}" for name in names[1:])
        words = f"{best.name} has the best {metric} on test rows, {_with_interval(best)}; {others}."
        if _apart(best, second):
            return [f"{words} The intervals of the first two do not meet: the difference is no accident of the test rows."]
        return [f"{words} The intervals of the first two overlap: on so few test rows the difference may be chance."]

    def _shortcomings(self) -> list[str]:
        """What each run lacks; the sentences of its own page."""
        return [f"{name}: {problem}" for name, record in self.runs.items() for problem in _lacks(record)]

    def _row(self, name: str, record: Record) -> dict[str, Any]:
        own, question = self.scores.get(name), self.questions[name]
        simple = scores(record)[1:2]
        return {
            "run": name,
            "table": question.table,
            "target": question.target,
            "task": question.task,
            "metric": metric_name(record.metric),
            "score": score(own.value) if own else "none yet",
            "95% interval": f"{score(own.low)} to {score(own.high)}" if own and own.low is not None else "–",
            "best simple model": f"{simple[0].name} {score(simple[0].value)}" if simple else "–",
            "networks": len(record.members),
            "time": duration(record.seconds) if record.seconds else "–",
        }

    def _best_networks(self) -> Figure:
        series = []
        for name, record in self.runs.items():
            best = next(iter(record.ranked_members), {})
            losses = list(best.get("validation_loss") or ())
            series.append(Series(name, list(range(1, len(losses) + 1)), losses))
        caption = "Validation loss of the best single network of each run, epoch by epoch."
        return Figure(
            "lines", "The best network of each run", "epoch", "validation loss", series, caption, log_y=_positive(series)
        )

    def _search(self) -> Figure:
        series = []
        for name, record in self.runs.items():
            found = _best_so_far(record)
            series.append(Series(name, list(range(1, len(found) + 1)), found))
        label = metric_name(next(iter(self.runs.values())).metric)
        caption = "The best validation score that was found with so many networks, the stages before the search included."
        return Figure("lines", "What more networks brought", "networks", f"best validation {label}", series, caption)


def compare(*runs: Any) -> Comparison:
    """Runs beside each other.

    Parameters
    ----------
    runs : two or more run folders, or what `trainwell.fit` gave; unfinished, damaged and older runs are read as far as they go.

    Raises
    ------
    InputError : fewer than two runs, one that is given twice, or a folder that is none of a run.

    Examples
    --------
    >>> import trainwell
    >>> trainwell.compare("runs/churn-1", "runs/churn-2").write("compare.html")  # doctest: +SKIP
    """
    folders = [Path(getattr(run, "folder", run)) for run in runs]
    if len(folders) < 2:
        raise InputError(f"Two or more runs are needed to compare, {len(folders)} given.")
    seen: dict[Path, Path] = {}
    for folder in folders:
        if folder.resolve() in seen:
            raise InputError(f"{str(folder)!r} is given twice: a run is compared with other runs.")
        seen[folder.resolve()] = folder
    return Comparison(dict(zip(_names(folders), map(read_record, folders), strict=True)))


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names where they differ, else their paths."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _settings(record: Record) -> dict[str, Any]:
    """The options that a run was given, and the versions that it was made with."""
    options = {name: value for name, value in record.config.items() if name not in NO_CHOICE}
    own = options.pop("settings", None) or {}
    libraries = record.environment.get("libraries")
    known = {
        **options,
        **(own if isinstance(own, dict) else {}),
        **{
            OF_MACHINE.get(name, name): value
            for name, value in record.environment.items()
            if name in ("python", "cores", "devices")
        },
        **(libraries if isinstance(libraries, dict) else {}),
    }
    return {name: said(value) for name, value in known.items() if value is not None and value != [] and value != {}}


def _verdict(record: Record, stage: str) -> str:
    evidence = record.evidence.get(stage)
    return "not reached" if evidence is None else f"{VERDICTS[evidence.verdict]}: {evidence.summary}"


def _lacks(record: Record) -> Iterable[str]:
    if record.stopped_by:
        yield f"stage {record.stopped_by} stopped it: {record.evidence[record.stopped_by].summary}."
    yield from record.shortcomings


def _best_so_far(record: Record) -> list[float]:
    """The best validation score after each network, in the order of their numbers."""
    order = sorted(record.ranked_members, key=lambda member: str(member.get("member")).zfill(9))
    found: list[float] = []
    better = min if is_loss(record.metric) else max
    for member in order:
        found.append(better(found[-1], member["score"]) if found else member["score"])
    return [float(f"{value:.5g}") for value in found]


def _apart(one: Score, other: Score) -> bool:
    """Whether the intervals of two scores have nothing in common."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or other.low > one.high


def _with_interval(one: Score) -> str:
    return score(one.value) + (f" ({score(one.low)} to {score(one.high)})" if one.low is not None else "")


def _positive(series: Iterable[Series]) -> bool:
    values = [value for one in series for value in one.y if isinstance(value, int | float)]
    return bool(values) and min(values) > 0 and max(values) > 4 * min(values)
