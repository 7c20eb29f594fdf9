"""The blocks of code in the documentation: Python between fences, and commands behind ``$ trainwell``.

A block that cannot run is followed by ``<!-- not run: reason -->``. Trainings are shortened: a limit of time or an effort
becomes one small network, or a short search where one is asked for: the words of the page are kept and the minutes are not.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "benchmarks.md")]
BLOCK = re.compile(
    r"^```python\n(?P<python>.*?)^```\n|^ {4}\$ (?P<command>trainwell [^\n]+)\n|^<!-- not run: (?P<reason>[^\n]+) -->\n",
    re.M | re.S,
)
WAITING = ("serve", "watch")  # answer until they are stopped; tests of their own run them
LIMITS = re.compile(r" --(?:time-limit|effort|trials) \S+")
PYTHON_LIMITS = re.compile(r"(?:time_limit|trials)=\d+|effort=\"\w+\"")
SEARCHES, PYTHON_SEARCHES = ("--space", "--search"), ("space=", "search=")  # which the least effort refuses


class Block(NamedTuple):
    """One block: the line it begins in, its language, its text as it is run, and why it is not, where that is said."""

    line: int
    language: str
    text: str
    reason: str = ""


def blocks(text: str) -> list[Block]:
    """All blocks of a page, in their order."""
    found: list[Block] = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["reason"]:
            found[-1] = found[-1]._replace(reason=match["reason"])
        elif match["command"]:
            found.append(_command(line, match["command"]))
        else:
            reason = "make test runs it with the estimators' tests" if match["python"].startswith(">>>") else ""
            searches = any(name in match["python"] for name in PYTHON_SEARCHES)
            short = "trials=1, time_limit=15" if searches else 'effort="minimal"'
            found.append(Block(line, "python", PYTHON_LIMITS.sub(short, match["python"]), reason))
    return found


def _command(line: int, command: str) -> Block:
    words = command.split()
    if words[1] in WAITING:
        return Block(line, "command", command, "it answers until it is stopped")
    if words[1] == "fit" and "--resume" not in words:
        short = "--trials 1 --time-limit 15s" if {*SEARCHES} & {*words} else "--effort minimal"
        command = f"{LIMITS.sub('', command)} {short} --quiet"
    return Block(line, "command", command)
