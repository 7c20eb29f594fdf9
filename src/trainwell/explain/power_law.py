"""A learning curve as a power law, and what it says of rows that are not there yet.

    score(n) = a - b n^-c       b >= 0, c > 0

a is the score of endless rows, b and c say how fast it is approached. With few points c is badly known, and a forecast from the
one best curve would be too sure. So every c on a grid is fitted, and each is believed as far as it explains mean scores that
are drawn again with the noise that networks of one size show (the parametric bootstrap): the interval holds what the curves
that may be true say.

Source: Cortes et al. (1994), "Learning curves: asymptotic values and rate of convergence"; Hestness et al. (2017), "Deep
learning scaling is predictable, empirically" for its range of c.
"""

from typing import NamedTuple

import numpy as np

EXPONENTS = np.geomspace(0.1, 2.0, 25)  # Hestness et al. (2017) find 0.07 to 0.35 in errors, theory has up to 1; chosen: wider
DRAWS = 400  # chosen: of the bootstrap; enough for the ends of a 95% interval
FEWEST = 3  # numbers of rows: with fewer nothing can be said of a curve of three parameters


class Curve(NamedTuple):
    """a - b n^-c."""

    a: float
    b: float
    c: float

    def at(self, rows: float | np.ndarray) -> np.ndarray:
        return self.a - self.b * np.asarray(rows, np.float64) ** -self.c


class Forecast(NamedTuple):
    """What ``rows`` would give over what there is now: the score's gain, and its 95% interval; the curve that fits best."""

    rows: int
    gain: float
    low: float
    high: float
    curve: Curve


class Fits(NamedTuple):
    """Least-squares curves of several exponents through several draws of scores: each (draws, exponents)."""

    a: np.ndarray
    b: np.ndarray
    error: np.ndarray

    def curve(self, draw: int, exponent: int) -> Curve:
        return Curve(float(self.a[draw, exponent]), float(self.b[draw, exponent]), float(EXPONENTS[exponent]))


def fit(rows: np.ndarray, scores: np.ndarray) -> Fits:
    """The curve of every exponent of `EXPONENTS` with the least squared error; flat where scores fall with more rows.

    Parameters
    ----------
    rows : (sizes,).
    scores : (draws, sizes).
    """
    x = np.asarray(rows, np.float64)[None, :] ** -EXPONENTS[:, None]  # (exponents, sizes)
    apart, means = x - x.mean(axis=1, keepdims=True), scores.mean(axis=1)
    slope = ((scores - means[:, None]) @ apart.T) / (apart**2).sum(axis=1)
    b = np.maximum(0.0, -slope)
    a = means[:, None] + b * x.mean(axis=1)
    curves = a[:, :, None] - b[:, :, None] * x[None]
    return Fits(a, b, ((curves - scores[:, None, :]) ** 2).sum(axis=2))


def best(rows: np.ndarray, scores: np.ndarray) -> Curve:
    """The curve with the least squared error of all exponents through scores (sizes,)."""
    fits = fit(rows, scores[None])
    return fits.curve(0, int(fits.error[0].argmin()))


def forecast(rows: np.ndarray, scores: np.ndarray, at: int, *, ceiling: float | None = None, seed: int = 0) -> Forecast | None:
    """What ``at`` rows would gain over the most that were measured; None where too few numbers of rows, or networks, were.

    Parameters
    ----------
    rows : (sizes,) ascending.
    scores : (sizes, networks) larger is better; NaN where a network failed.
    at : how many rows to look ahead to.
    ceiling : the best score there can be, which no forecast exceeds.
    seed : of the bootstrap.

    Examples
    --------
    >>> rows = np.array([100, 200, 400, 800])
    >>> found = forecast(rows, np.tile((0.9 - rows[:, None] ** -0.5), (1, 4)), 1600)
    >>> round(found.gain, 2), round(found.curve.c, 1)
    (0.01, 0.5)
    """
    whole = np.isfinite(scores).all(axis=0)
    if len(rows) < FEWEST or whole.sum() < 2:
        return None
    scores = scores[:, whole]
    random, means = np.random.default_rng(seed), scores.mean(axis=1)
    noise = max(float(scores.var(axis=1, ddof=1).mean()) / scores.shape[1], 1e-12)  # of a mean; all sizes together know it best
    drawn = means + noise**0.5 * random.normal(size=(DRAWS, len(rows)))
    fits = fit(rows, drawn)
    likely = np.exp(-(fits.error - fits.error.min(axis=1, keepdims=True)) / (2 * noise))
    chosen = [int(random.choice(len(EXPONENTS), p=one / one.sum())) for one in likely]
    gains = [_gain(fits.curve(draw, exponent), rows[-1], at, ceiling) for draw, exponent in enumerate(chosen)]
    low, high = np.quantile(gains, (0.025, 0.975))
    curve = best(rows, means)
    return Forecast(at, _gain(curve, rows[-1], at, ceiling), float(low), float(high), curve)


def _gain(curve: Curve, now: float, then: float, ceiling: float | None) -> float:
    before, after = float(curve.at(now)), float(curve.at(then))
    return after - before if ceiling is None else max(0.0, min(after, ceiling) - before)
