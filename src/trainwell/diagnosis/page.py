"""``python -m trainwell.diagnosis.page > docs/diagnosis.md`` writes the documentation of every finding from the rules."""

from trainwell.diagnosis import rules
from trainwell.diagnosis.findings import RULES
from trainwell.diagnosis.signals import MEASURES

HEAD = """# Diagnosis

Every finding, with what its rule reads, its limit, its source and the first remedy. This page is generated from the rules
(`trainwell.diagnosis.rules`); what they read is listed below it.

"Below what is reachable" means a validation score more than 0.1 below the best of a linear model, nearest neighbours and a
forest on the same rows, with one and a half times as much left to 1. "Mends the score" means that a short re-run from the
start, with this one thing changed, closes 40% of the way from the unchanged re-run to what is reachable, and at least 0.08 of
the score, in a run that is poor on its own training rows too. Re-runs go on for as long as the training took, or for five
minutes where that was less; those left out are named. What a surer finding explains is not reported beside it.

A finding is a problem where the run shows it. What is measured beyond its limit and costs no score beside the simple models
(dead units where enough others live, a dropout of 0.9 on easy rows) is a warning; the rest worth knowing is a note.

The same rules read the networks of `trainwell fit`, from the signals that the compiled program measures in each layer. There
the score is that of the run's own metric, from 0 for an answer that ignores the inputs to 1 for a perfect one, and the simple
models are those of its second stage; a network that the search left behind on its way is not held against them. A problem or
warning is a `finding` in the run's diary and in its report. In the stages overfit and regularize, one network that broke down
or stands still is trained once more with the first remedy alone, and where that is none with the next. What is done: a network
that broke down early gives its place to a new one; rates that did harm narrow the range of the learning rate for the networks
that follow; and where that is no remedy, or the range cannot be narrowed as far as it should, the gradients of those that
follow are clipped (`--set clip=none` forbids it). Rules whose signals the engine does not measure (functions of the loss,
modes, the order of a step, curvature) are silent there.
"""


def markdown() -> str:
    """The page `docs/diagnosis.md`."""
    rules.load()
    lines = [HEAD, "## Findings", "", "| finding | reads | limit | source | remedy |", "|---|---|---|---|---|"]
    for known in sorted(RULES, key=lambda known: known.order):
        says = (known.find.__doc__ or "").strip()
        cells = [f"**{known.cause}**" + (f": {says}" if says else ""), known.reads, known.limits, known.source, known.remedy]
        lines.append("| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |")
    lines += ["", "## What is measured", "", "| name | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in MEASURES.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
