"""`trainwell watch` and `trainwell fit --live`: where the live page is, what state the run is in, and when it ends."""

from pathlib import Path
from typing import Any

from trainwell.errors import InputError
from trainwell.live.happening import so_far
from trainwell.live.server import LiveServer
from trainwell.recipe.running import is_going_on
from trainwell.words import printable


def watch(folder: Path, *, open_browser: bool = False) -> None:
    """Serve the page of a run folder until Ctrl-C; the run may not have begun, be going on, or have ended in any way.

    Raises
    ------
    InputError : something else than a run lies there.
    """
    folder = Path(folder)
    check_watchable(folder)
    with LiveServer(folder) as server:
        print(f"{printable(state_of(folder))}\nlive          {server.url}\nCtrl-C ends this page; a run goes on.", flush=True)
        if open_browser:
            show(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.closing.set()


def check_watchable(folder: Path) -> None:
    """`InputError` where a folder is there that is no run's and no empty one."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file, not the folder of a run.")
    if not any((folder / name).exists() for name in ("events.jsonl", "config.json")) and any(folder.iterdir()):
        raise InputError(f"{str(folder)!r} is not a run folder: it holds no events.jsonl, which every run writes first.")


def state_of(folder: Path) -> str:
    """What a run folder is, in a sentence or two."""
    follower, happening = so_far(folder)
    going_on = is_going_on(folder)
    said = happening.message(going_on)["says"]
    if follower.cut_off and not going_on:
        said += " The last line of events.jsonl is cut off; it is left out."
    return said


def show(url: str) -> None:
    """Open the page in the user's browser, where there is one."""
    import webbrowser

    webbrowser.open(url)


class Live:
    """A listener for `trainwell.recipe.events` that serves the page of the run once it has a folder.

    Use it in a ``with`` block: at its end readers are given a moment to get the end of the run.
    """

    def __init__(self, open_browser: bool = False):
        self.open_browser = open_browser
        self.server: LiveServer | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "run_started" and self.server is None:
            self.server = LiveServer(Path(str(event["folder"])))
            self.server.start()
            print(f"live          {self.server.url}", flush=True)
            if self.open_browser:
                show(self.server.url)

    def __enter__(self) -> "Live":
        return self

    def __exit__(self, *error: object) -> None:
        if self.server is not None:
            self.server.close()
