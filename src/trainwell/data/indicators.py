"""Which missing numbers are told to a network by a column of their own.

Of many rows all are: what tells nothing is learned to be nothing. Of few rows twenty such columns are twenty more ways to learn
the training rows by heart, so that a column has its indicator only where its missing cells go with the target.
"""

import numpy as np

FEW_ROWS = 2000  # chosen: training rows from which on every indicator is kept
CHANCE = 0.05  # chosen: of columns that tell nothing, the share that keeps its indicator
FEWEST = 5  # chosen: missing cells, and others, of which less says nothing; the least expected count that textbooks ask for


def telling(missing: np.ndarray, target: np.ndarray, classes: int) -> bool:
    """Whether cells are missing with some targets more often than chance explains.

    The test statistic is n R^2, chi-squared where nothing is to be found. R^2 is the share of the variance of "missing" that
    the classes explain, with classes - 1 degrees of freedom (n R^2 is then Pearson's statistic of the table missing x class),
    or that a straight line in the target's rank explains, with 1.

    Parameters
    ----------
    missing : (rows,) true where the cell is.
    target : (rows,) class indices, or numbers.
    classes : how many there are; 0 where the target is a number.

    Sources: Pearson (1900), "On the criterion that a given system of deviations ...", for the table; Breusch and Pagan (1980),
    "The Lagrange multiplier test", for n R^2 of a regression.
    """
    from scipy.special import chdtrc  # takes long to load, and predicting needs it not

    spread, deviation = float(missing.var()), missing - missing.mean()
    if not FEWEST <= missing.sum() <= len(missing) - FEWEST:
        return False
    if classes:
        rows = np.bincount(target, minlength=classes)
        explained = float((np.bincount(target, deviation, minlength=classes)[rows > 0] ** 2 / rows[rows > 0]).sum())
        freedom = int((rows > 0).sum()) - 1
    else:
        ranks = np.unique(target, return_inverse=True)[1].astype(float)  # in which an outlying target is one of many
        apart = ranks - ranks.mean()
        explained = float((apart @ deviation) ** 2 / max(apart @ apart, np.finfo(float).tiny))
        freedom = 1
    return freedom > 0 and bool(chdtrc(freedom, explained / spread) < CHANCE)
