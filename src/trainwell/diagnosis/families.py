"""Which causes another may look like: what a surer finding of the first kind explains."""

EVERYTHING_AFTER = (
    "lr-too-high",
    "lr-too-low",
    "vanishing-gradient",
    "exploding-gradient",
    "dead-relu",
    "saturated-activation",
    "plateau-or-saddle",
    "underfitting-capacity",
    "too-few-epochs",
    "optimizer-wrong-for-problem",
    "weight-decay-too-high",
    "momentum-unstable",
    "init-too-small",
    "init-too-large",
    "batch-size-too-large",
    "batch-size-too-small",
    "zero-or-constant-init",
    "dropout-too-high",
    "gradient-clip-too-tight",
    "class-imbalance-ignored",
    "lr-schedule-wrong",
)
DOWNSTREAM = (
    "lr-too-low",
    "lr-too-high",
    "underfitting-capacity",
    "too-few-epochs",
    "optimizer-wrong-for-problem",
    "plateau-or-saddle",
    "batch-size-too-large",
    "batch-size-too-small",
    "momentum-unstable",
    "weight-decay-too-high",
    "class-imbalance-ignored",
)
AFTER_RATE = ("underfitting-capacity", "too-few-epochs", "plateau-or-saddle", "batch-size-too-small", "batch-size-too-large")
