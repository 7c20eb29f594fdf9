"""`docs/settings.md`, made from the declarations: everything that ``--set`` can hold fixed.

python -m trainwell.recipe.settings_page > docs/settings.md
"""

from collections.abc import Iterator

from trainwell.hyperparameter import Hyperparameter
from trainwell.network.limits import ADAPTERS
from trainwell.network.structure import CHOICES, NOISES
from trainwell.recipe.context import FEW_ROWS, MOST_EMBEDDED
from trainwell.recipe.every_setting import every_setting, scheduled_settings
from trainwell.recipe.tune.stage import CENTRE
from trainwell.techniques.losses import LOSSES

INTRODUCTION = """`--set NAME=VALUE` (in Python `settings={"NAME": VALUE}`) holds fixed what trainwell would otherwise choose,
search or leave at its default. This page is made from the declarations beside the techniques; what each technique is stands
in [techniques](techniques.md).

    trainwell fit churn.csv --target Churn --set optimizer=rmsprop --set rmsprop.beta=0.95 --set batch_norm=before"""
BEGINS = ", ".join(f"`{name}` {value:g}" for name, value in CENTRE.items())
IN_A_RUN = f"""The default of a number is its technique's own. Networks of a run begin with
{BEGINS},
and the search goes on [from there](search.md#what-is-searched). Some choices go by the table: `numeric_embedding` is `none`
above {MOST_EMBEDDED} columns of numbers, `noises` is `input` below {FEW_ROWS:,} training rows, and `batch_norm_test` is
`population` wherever `batch_norm` is on. `--effort minimal` goes without embedding, learned input scales, dropout and noise."""
OTHERS = (
    ("loss", "by task", ", ".join(f"`{name}`" for name in LOSSES), "what the networks minimize; one that fits the task"),
    ("widths", "searched", "`128-64`, `linear`", "units of each hidden layer"),
    ("batch_size", "by rows", "a number, `full`", "rows per step: 1 is stochastic, `full` is plain gradient descent"),
    ("noises", "none", ", ".join(f"`{name}`" for name in NOISES) + ", joined by `-`", "where noise is added in training"),
    ("mixup", "no", "`yes`, `no`", "whether rows are mixed in training"),
    ("max_norm", "no", "`yes`, `no`", "whether the norm of each unit's incoming weights is capped"),
    (
        "adapters",
        "0; some 8 of few rows",
        f"0, {ADAPTERS[0]} to {ADAPTERS[-1]}",
        "how many networks in one share its matrices; 0 is one",
    ),
    ("target_transform", "by evidence", "`none`, `log`", "whether a number is learned as it is or as its logarithm"),
    ("columns", "`by_evidence`", "`by_evidence`, `all`", "whether columns that networks do better without are left out"),
)


def markdown() -> str:
    """The page."""
    choices = [
        f"| `{choice.name}` | `{choice.default}` | {', '.join(f'`{option}`' for option in choice.options)} | {choice.meaning} |"
        for choice in CHOICES.values()
    ]
    others = [f"| `{name}` | {default} | {allowed} | {meaning} |" for name, default, allowed, meaning in OTHERS]
    numbers = [
        f"| {title} | {_default(one)} | {one.low:g} to {one.high:g} | {_searched(one)} | {one.meaning} | {one.source} |"
        for title, one in _rows()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            INTRODUCTION,
            "",
            IN_A_RUN,
            "",
            "## Choices: what shapes a network",
            "",
            "| name | default | allowed | meaning |",
            "|---|---|---|---|",
            *choices,
            *others,
            "",
            "## Numbers: what may differ between networks of one shape",
            "",
            "A number is there only where its technique is chosen. A search that draws it draws from the range given.",
            "",
            "| name | default | allowed | search range | meaning | source |",
            "|---|---|---|---|---|---|",
            *numbers,
            "",
        ]
    )


def _rows() -> Iterator[tuple[str, Hyperparameter]]:
    """Every number's name and declaration; one of several schedules once for each, where they declare it differently."""
    scheduled = scheduled_settings()
    for name, one in sorted(every_setting().items()):
        own = scheduled.get(name, {})
        if len(set(own.values())) > 1:
            yield from ((f"`{name}` (schedule `{schedule}`)", declared) for schedule, declared in own.items())
        else:
            yield f"`{name}`", one


def _default(one: Hyperparameter) -> str:
    return f"{one.default:g}" if one.on is None else f"{one.default:g}; {one.on:g} where the technique is chosen by name"


def _searched(one: Hyperparameter) -> str:
    low, high = one.search_range
    return f"{low:g} to {high:g}" + (", log" if one.scale == "log" else "")


if __name__ == "__main__":
    print(markdown(), end="")
