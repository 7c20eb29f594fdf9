"""A true run in a process of its own, watched while it goes on: by a plain reader of its events and by a real browser."""

import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest

import made_up_run
from trainwell.recipe.evidence import STAGES

QUICK = ("--trials", "1", "--set", "batch_size=full", "--cores", "1")
PATIENT = "import sys, trainwell.live.server as server; server.FAREWELL = 600; from trainwell.cli import main; sys.exit(main())"
SHOWN = "document.querySelectorAll('.glance .verdict:not(.absent)').length"
DRAWN = "(document.getElementById('live-training_loss')?.data ?? []).reduce((n, one) => n + one.x.length, 0)"
RECORD = f"""() => {{
  window.seen = {{stages: [], curves: 0}};
  const look = () => {{
    const stages = {SHOWN};
    if (!window.seen.stages.includes(stages)) window.seen.stages.push(stages);
    window.seen.curves = Math.max(window.seen.curves, {DRAWN});
  }};
  look();
  new MutationObserver(look).observe(document, {{subtree: true, childList: true, attributes: true}});
}}"""


def write_table(path) -> None:
    random = np.random.default_rng(0)
    x, z = random.normal(size=(2, 150)).round(3)
    classes = np.where(x + z * z > 0.5 + random.normal(size=150) / 3, "yes", "no")
    path.write_text("x,z,y\n" + "".join(f"{a},{b},{c}\n" for a, b, c in zip(x, z, classes, strict=True)))


def started(folder, *arguments: str):
    command = [sys.executable, "-c", PATIENT, *map(str, arguments)]  # which waits for its readers on however slow a machine
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if found := re.search(r"^live +(http://127\.0\.0\.1:\d+/\S{32,}/)$", line):
            return process, found[1]
    raise AssertionError(process.stderr.read())


def read_events(url: str, heard: list) -> None:
    """All messages until the server ends."""
    kind = ""
    with urllib.request.urlopen(f"{url}events", timeout=600) as answer:
        for line in answer:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                kind = text.removeprefix("event: ")
            elif text.startswith("data: "):
                heard.append((kind, json.loads(text.removeprefix("data: "))))


@pytest.fixture(scope="module")
def watched(browser, tmp_path_factory):
    """What was heard and seen of one run."""
    from playwright.sync_api import expect

    folder = tmp_path_factory.mktemp("live fit")
    write_table(folder / "table.csv")
    process, url = started(
        folder, "fit", "table.csv", "--target", "y", "--out", "run", "--trials", "4", "--cores", "1", "--live"
    )
    heard: list = []
    reader = threading.Thread(target=read_events, args=(url, heard), daemon=True)
    reader.start()
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    page.evaluate("window.opened_once = true")
    page.evaluate(RECORD)
    expect(page.locator("#live")).to_have_attribute("data-ended", "yes", timeout=600_000)
    expect(page.locator(".plot:not(:has(.main-svg))")).to_have_count(0, timeout=60_000)
    said, errors = process.communicate(timeout=600)
    reader.join(timeout=600)
    recorded = page.evaluate("window.seen")
    seen = SimpleNamespace(
        folder=folder / "run", heard=heard, code=process.returncode, said=said, errors=errors, stages=recorded["stages"],
        curves=recorded["curves"], complaints=complaints,
        same_page=page.evaluate("window.opened_once"), shown=page.evaluate(SHOWN),
        text=page.evaluate("document.body.innerText"),
        undrawn=page.evaluate("[...document.querySelectorAll('.plot')].filter(one => !one.querySelector('.main-svg')).length"),
    )  # fmt: skip
    page.close()
    return seen


def test_a_reader_hears_the_stages_in_order_every_curve_and_the_end_of_a_run(watched):
    kinds = [kind for kind, _ in watched.heard]
    assert kinds[-1] == "end"
    news = [content for kind, content in watched.heard if kind == "news"]
    assert news[-1]["state"] == "finished"
    told = [one["stage"] for one in news if one["stage"]]  # a stage that is over between two looks is told by its curves
    assert told == sorted(told, key=STAGES.index)
    assert told[-1] == "squeeze"
    curves, trained_in = {}, set()
    for one in news:
        for piece in one["curves"]:
            curves[piece["member"]] = piece["after"] + len(piece["training_loss"])
            trained_in.add(piece["stage"])
    assert trained_in >= {"overfit", "regularize", "tune"}
    history = json.loads((watched.folder / "members" / "history.json").read_text())["members"]
    assert curves == {member["member"]: member["epochs"] for member in history}
    assert kinds[-2] == "body", "the finished page comes last"


def test_the_run_ends_as_any_other_does(watched):
    assert (watched.code, watched.errors) == (0, "")
    assert "report        run/report.html" in watched.said


def test_the_open_page_fills_stage_by_stage_without_a_reload(watched):
    assert watched.same_page is True
    assert watched.stages == sorted(watched.stages)
    assert len(watched.stages) >= 3, "several states of the page were seen on the way"
    assert watched.curves > 100, "curves of networks in training were drawn"


def test_the_open_page_ends_as_the_finished_report_without_a_complaint(watched):
    assert watched.shown == len(STAGES)
    assert watched.undrawn == 0
    assert "This run is finished. AUC" in watched.text
    assert "on rows that nothing had seen before" in watched.text.lower()
    assert watched.complaints == []


@pytest.mark.parametrize(
    ("stages", "finished", "sentence"),
    [
        (STAGES, True, "This run is finished. AUC 0.856 on rows that nothing had seen, 0.852 to 0.860 (95%)."),
        (STAGES[:5], False, "This run is not going on: it ended without a word in stage tune;"
                            " trainwell fit --resume run continues it."),
        ((), None, "No run has begun in run yet; the page fills when one does."),
    ],
)  # fmt: skip
def test_watch_says_what_state_a_run_is_in_and_ends_quietly(tmp_path, stages, finished, sentence):
    if finished is not None:
        made_up_run.write_run(tmp_path / "run", stages, finished=finished)
    command = [sys.executable, "-m", "trainwell", "watch", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == f"{sentence}\n"
    url = process.stdout.readline().split()[-1]
    with urllib.request.urlopen(url, timeout=300) as answer:
        assert 'id="live"' in answer.read().decode()
    assert process.stdout.readline() == "Ctrl-C ends this page; a run goes on.\n"
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=300)
    assert (process.returncode, said.strip(), errors) == (0, "", "")
