"""What every stage works with: the rows, the options, the clock and the diary. Made once, before the first stage."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from trainwell import words
from trainwell.data.encode import Arrays, Encoder
from trainwell.data.folds import other_folds
from trainwell.data.large import Sample
from trainwell.data.schema import Schema, group_values
from trainwell.data.split import Split
from trainwell.data.tables import Table
from trainwell.network.structure import Structure, hyperparameters_of, resolve
from trainwell.network.target_log import Logarithm, fit_logarithm, learned
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population, turns
from trainwell.population.devices import Pool
from trainwell.population.epoch import Data
from trainwell.population.member import Training
from trainwell.population.metrics import Metric
from trainwell.population.scores import mean
from trainwell.population.step import Rows, balance, row_losses
from trainwell.population.stream import Stream, Streamed
from trainwell.recipe import fixed
from trainwell.recipe.curves import Advanced
from trainwell.recipe.events import EventLog
from trainwell.recipe.options import Options
from trainwell.search.cross_fit import Fold
from trainwell.techniques.initializers import output_bias

MOST_EMBEDDED = 128  # chosen: columns of numbers up to which each gets an embedding, which makes it four
SMALLEST_BATCH, LARGEST_BATCH = 32, 128  # measured: more steps for the same rows are worth more than wider products
SMALLEST = (64, 64)  # chosen: the size with which the wiring is checked and what is dear is measured
FEW_ROWS = 2000  # chosen: training rows below which noise on the inputs is worth its cost
USUAL_LOSSES = {"binary": "binary_cross_entropy", "multiclass": "cross_entropy", "regression": "squared_error"}
EXPECTED = 8  # chosen: members that a stage trains at a time, of one structure: cohorts are no larger than needed
STEPS = 8000  # chosen: steps of a full training, where the table's size allows it
SHORTEST, LONGEST = 16, 128  # chosen: epochs of a full training

NO_SCORE = "no score"  # of a user's function that gives no number

compiled_losses = jax.jit(row_losses, static_argnames="structure")


@dataclass(frozen=True)
class Context:
    """The run's givens.

    Parameters
    ----------
    options, log, budget, folder : what was asked for, the diary, the clock, where everything is written.
    table, schema, split, encoder : the usable rows and how they are read; split numbers rows of ``table``.
    arrays : all rows of the table, encoded.
    metric : what is maximized.
    pool : the devices.
    sample : where the table is only a sample of a file too large for memory: which rows of it.
    stream : the file's rows that train, encoded, once they are written.
    longest : epochs of a full training at most, once a stage has seen how soon networks overfit here.
    target_transform : ``"log"`` once a stage found that networks do better by learning the target's logarithm.
    on_advanced : told of what networks have trained, while they do.
    """

    options: Options
    log: EventLog
    budget: Budget
    folder: Path
    table: Table
    schema: Schema
    split: Split
    encoder: Encoder
    arrays: Arrays
    metric: Metric
    pool: Pool
    sample: Sample | None = None
    stream: Stream | None = None
    longest: int | None = None
    target_transform: str = "none"
    on_advanced: Advanced = lambda trainings: None

    @property
    def task(self) -> str:
        return self.schema.task

    @property
    def outputs(self) -> int:
        return len(self.schema.classes) if self.task == "multiclass" else 1

    @cached_property
    def train(self) -> Arrays:
        return self.arrays.take(self.split.train)

    @cached_property
    def validation(self) -> Arrays:
        return self.arrays.take(self.split.validation)

    @cached_property
    def test(self) -> Arrays:
        """No choice looks at these: simple models predict them early, and the squeeze stage alone scores anything on them."""
        return self.arrays.take(self.split.test)

    @cached_property
    def other_folds(self) -> list[np.ndarray]:
        """The training rows dealt into parts that validate in turn; none where rows must not be dealt."""
        return other_folds(self.split, self.table, self.schema, seed=self.options.seed)

    @cached_property
    def groups(self) -> np.ndarray | None:
        """Which group each row is of (rows,), or of which row it is a copy; None where each row stands for itself."""
        groups = group_values(self.table, self.schema)
        return self.table.copies if groups is None and self.split.kind != "time" else groups

    def groups_of(self, rows: np.ndarray) -> np.ndarray | None:
        """The same of some rows."""
        return None if self.groups is None else self.groups[rows]

    def folds(self) -> list[Fold]:
        """The rows that are not for the test as folds of a cross-fit; the first one is the run's own split."""
        parts = [self.split.validation, *self.other_folds]
        own = np.concatenate([self.split.train, self.split.validation])
        return [Fold(self.arrays.take(np.setdiff1d(own, part)), self.arrays.take(part), self.groups_of(part)) for part in parts]

    def rows(self, arrays: Arrays) -> Rows:
        """Encoded rows as the engine takes them."""
        weights = None if arrays.weights is None else jnp.asarray(arrays.weights)
        return Rows(jnp.asarray(arrays.numeric), jnp.asarray(arrays.categories), jnp.asarray(arrays.target), weights)

    @cached_property
    def logarithm(self) -> Logarithm:
        """That of the target, for networks that learn it."""
        return fit_logarithm(self.train.target, zero=-self.encoder.target_mean / self.encoder.target_scale)

    @cached_property
    def class_weights(self) -> jax.Array | None:
        """How much each class weighs in the loss, (classes,); None where all weigh the same."""
        weights = self.train.weights
        return balance(jnp.asarray(self.train.target), self.structure(), None if weights is None else jnp.asarray(weights))

    @cached_property
    def prior(self) -> np.ndarray:
        """Output bias (outputs,) of a network that predicts the base rate of the training rows."""
        weights = self.train.weights
        if self.task == "regression":
            target = learned(jnp.asarray(self.train.target), self.structure().logarithm)
            quantile = self.settings(self.structure(), {}).get("quantile.quantile")
            if quantile is not None:  # the best constant of that loss
                return weighted_quantile(np.asarray(target), quantile, weights)
            return np.asarray(
                output_bias.target_mean(target) if weights is None else mean(target, jnp.asarray(weights)).reshape(1)
            )
        counts = jnp.asarray(np.bincount(self.train.target, weights, minlength=len(self.schema.classes)), jnp.float32)
        if self.class_weights is not None:
            counts = counts * self.class_weights
        return np.asarray(output_bias.log_odds(counts) if self.task == "binary" else output_bias.log_prior(counts))

    @cached_property
    def prior_loss(self) -> float:
        """The loss of a network that knows the base rate and nothing else: with the usual losses the target's entropy or
        variance."""
        structure = self.structure()
        target = jnp.asarray(self.train.target)
        outputs = jnp.broadcast_to(self.prior, (len(target), self.outputs))
        losses = compiled_losses(outputs, target, structure, self.settings(structure, {}), self.class_weights)
        weights = self.train.weights
        return float(mean(losses, None if weights is None else jnp.asarray(weights)))

    def population(
        self,
        train: Arrays | None = None,
        validation: Arrays | None = None,
        *,
        members: int = EXPECTED,
        signals: bool = True,
        told: bool = True,
    ) -> Population:
        """The population of these rows; of the training and validation rows when left out, streamed once they are a stream.

        Who watches the run is ``told`` of its networks' curves; not of those that are trained to measure something, and then
        forgotten, which have numbers that others have, too.
        """
        measured_on = self.rows(validation or self.validation)
        data: Data | Streamed
        if train is None and self.stream is not None:
            data = Streamed(self.stream, measured_on)
        else:
            data = Data(self.rows(train or self.train), measured_on)
        given = (data, self.task, self.metric, self.prior, self.options.seed, self.pool, members, signals)
        return Population(*given, on_advanced=self.on_advanced) if told else Population(*given)

    def structure(self, **changes: Any) -> Structure:
        """A network for this table; what the user holds fixed comes before ``changes``."""
        rows = len(self.split.train)
        # about 20 to 40 steps an epoch, until the batch is the largest
        batch_size = min(LARGEST_BATCH, max(SMALLEST_BATCH, 1 << max(1, rows // 20).bit_length() - 1))
        embedding = "periodic" if self.encoder.continuous <= MOST_EMBEDDED else "none"
        held = fixed.structural(self.options.settings, self.task, rows)
        if (
            held.get("batch_norm", "none") != "none"
        ):  # dropout shifts the variance that moving averages record (Li et al., 2018)
            changes = {"batch_norm_test": "population", **changes}
        if rows < FEW_ROWS and self.encoder.continuous:
            changes = {"noises": ("input",), **changes}
        shape: dict[str, Any] = {
            "loss": self.metric.loss or USUAL_LOSSES[self.task],
            "batch_size": batch_size,
            "numeric_embedding": embedding,
            "target_transform": self.target_transform,
            **changes,
            **held,
        }
        logarithm = self.logarithm if shape.pop("target_transform") == "log" else ()
        return Structure(
            numeric=len(self.encoder.numeric_names),
            continuous=self.encoder.continuous,
            cardinalities=self.encoder.cardinalities,
            outputs=self.outputs,
            logarithm=logarithm,
            **shape,
        )

    def settings(self, structure: Structure, chosen: Mapping[str, float]) -> dict[str, float]:
        """Every setting of the structure: the chosen ones that it has, overruled by what the user holds fixed."""
        known = hyperparameters_of(structure)
        own = {name: value for name, value in {**dict(self.metric.loss_settings), **chosen}.items() if name in known}
        return resolve(structure, own | fixed.numbers(self.options.settings, structure))

    def learning_rate(self, structure: Structure, times: float = 1.0) -> dict[str, float]:
        """The structure's learning rate at so many times Adam's default of 0.001, in the measure of its own optimizer; nothing
        where an optax transformation brings its own."""
        name = f"{structure.optimizer}.learning_rate"
        declared = hyperparameters_of(structure).get(name)
        return {} if declared is None else {name: min(declared.high, declared.default * times)}

    def epochs(self, structure: Structure, doublings: int = 0) -> int:
        """Epochs of a full training: about `STEPS` steps, within `SHORTEST` to `LONGEST`.

        Where an epoch is a part of very many rows, doubled as often as asked, up to the whole table.
        """
        rows, parts = self.rows_of_epoch(structure)
        epochs = int(np.clip(STEPS // max(1, rows // structure.batch_size), SHORTEST, LONGEST))
        epochs = max(epochs, min(parts, epochs << doublings))
        return epochs if self.longest is None or self.stream is not None else min(epochs, self.longest)

    def rows_of_epoch(self, structure: Structure) -> tuple[int, int]:
        """(training rows of an epoch, how many epochs are the whole table)."""
        if self.stream is not None:
            return self.stream.chunk_rows, self.stream.chunks
        rows = len(self.split.train)
        parts = turns(rows, structure.batch_size)
        return rows // parts, parts

    def shown(self, score: float) -> float:
        """A score as a person reads it."""
        return self.metric.shown(score, self.encoder.target_scale)

    def report_progress(self, stage: str, trainings: Sequence[Training], total: int | None) -> None:
        """One event that says how far a stage is: networks done and still going, the best score, the time left."""
        sound = [t for t in trainings if t.sound]
        best = max(sound, key=lambda t: t.rank).score if sound else math.nan
        left = self.budget.left
        self.log.add(
            "progress",
            stage=stage,
            done=len(trainings) - sum(t.going for t in trainings),
            total=total,
            alive=sum(t.going for t in trainings),
            best=self.shown(best),
            metric=self.metric.label,
            seconds_left=None if math.isinf(left) else max(0.0, left),
        )

    def watcher(self, stage: str, total: int) -> Callable[[Sequence[Training]], None]:
        """For `Population.train`: reports progress after each cohort that is done."""
        seen: list[Training] = []

        def on_finished(finished: Sequence[Training]) -> None:
            seen.extend(finished)
            self.report_progress(stage, seen, total)

        return on_finished

    def shown_gap(self, gap: float) -> float:
        """A difference of two scores, in the target's unit where the metric is."""
        return gap * (self.encoder.target_scale if self.metric.in_target_units else 1.0)

    def said_gap(self, gap: float) -> str:
        """A difference of two scores in a sentence."""
        shown = self.shown_gap(gap)
        if not self.metric.in_target_units:  # where a thousandth is the least that matters
            return f"{shown + 0.0:.3f}" if abs(shown) < 10 else words.number(shown)
        return words.score(shown)

    def rounded_gap(self, gap: float) -> float:
        """A difference of two scores in a table or figure."""
        return float(f"{self.shown_gap(gap):.4g}")

    def said(self, score: float) -> str:
        """A score in a sentence."""
        shown = self.shown(score)
        if not math.isfinite(shown):
            return NO_SCORE
        return words.fixed(shown, digits=4) if abs(shown) < 10 else words.number(shown)

    def within(self, share: float, beyond: bool = False) -> "Context":
        """The same with a clock that ends after this share of the run's time from now on; no later than its own, unless what is
        measured is worth some of the next stage's time (``beyond``)."""
        whole = self.options.time_limit
        if whole is None:
            return self
        own = share * whole if beyond else min(self.budget.left, share * whole)
        return self.until((self.budget.used + own) / whole)

    def until(self, share: float) -> "Context":
        """The same with a clock that ends at this share of the run's time."""
        return replace(self, budget=self.budget.until(share))


def weighted_quantile(values: np.ndarray, share: float, weights: np.ndarray | None) -> np.ndarray:
    """The quantile (1,) as float32; of weighted rows the first value up to which the wished share of the weight lies."""
    if weights is None:
        return np.quantile(values, [share]).astype(np.float32)
    return np.quantile(values, [share], weights=weights, method="inverted_cdf").astype(np.float32)
