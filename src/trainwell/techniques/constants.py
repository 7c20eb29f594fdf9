"""Numbers that a technique and its form without JAX (`trainwell.inference`) share: declared here, where nothing is imported."""

COSINES = 16  # Holzmueller et al. (2024)
EXTRA = 3  # numbers that the cosines of one column are projected to: with x itself 4, as in Holzmueller et al. (2024)
BINS = 16  # measured: with 48 no better; Gorishniy et al. (2022) tune 2 to 256
NARROWEST = 1e-4  # chosen: of a bin, in units of the scaled number; a narrower one is a step
RANKED_BY = 64  # chosen: parts between quantiles; a straight line in each is near the true rank of a smooth column
CLOSEST = 1e-6  # chosen: numbers nearer than this have one rank; about what a float32 tells apart at 3
FARTHEST = 3.0  # chosen: where the ranks of the first and the last row lie, as far out as robust scaling clips
SCALED_FASTER = 6.0  # Holzmueller et al. (2024): times the learning rate of the other weights
WIDEST_CATEGORY = 16  # chosen

# cos(2 pi r) for r in [-1/2, 1/2] as a polynomial in r^2: Chebyshev interpolation of degree 6, error 1.1e-8
COSINE = (0.999999989, -19.7392045, 64.9391159, -85.4501134, 60.1674298, -25.9668846, 6.52770596)

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. (2017), equation 14


def category_width(cardinality: int) -> int:
    """Length of the learned vector of one category column: about the square root of its levels, at most 16.

    Examples
    --------
    >>> [category_width(levels) for levels in (2, 50, 1000)]
    [2, 7, 16]
    """
    return min(WIDEST_CATEGORY, max(2, round(cardinality**0.5)))
