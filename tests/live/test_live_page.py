"""The live page over HTTP: who is let in, what is sent, and that nobody who reads keeps a run waiting."""

import http.client
import json
import re
import socket
from contextlib import contextmanager
from pathlib import Path

import pytest

import made_up_run
from trainwell.errors import InputError
from trainwell.live.curves import MOST_CURVES, merged
from trainwell.live.follower import Follower
from trainwell.live.happening import Happening, so_far
from trainwell.live.server import LiveServer
from trainwell.live.watch import check_watchable, state_of
from trainwell.recipe.events import EventLog
from trainwell.recipe.evidence import STAGES, write_evidence
from trainwell.recipe.running import is_going_on


@contextmanager
def served(folder: Path):
    server = LiveServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.close()


def answer(server: LiveServer, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict]:
    asked = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    asked.request(method, path, headers={"Host": f"127.0.0.1:{server.server_port}", **headers})
    got = asked.getresponse()
    text = got.read().decode()
    asked.close()
    return got.status, text, dict(got.headers)


class Listener:
    """A reader of the run's events, one message at a time."""

    def __init__(self, server: LiveServer):
        self._asked = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        self._asked.request("GET", f"/{server.token}/events")
        self._got = self._asked.getresponse()
        assert self._got.status == 200

    def next(self, kind: str) -> dict:
        """The next message of a kind."""
        said = None
        while line := self._got.readline().decode():
            if line.startswith("event: "):
                said = line.removeprefix("event: ").strip()
            elif line.startswith("data: ") and said == kind:
                return json.loads(line.removeprefix("data: "))
        raise AssertionError(f"the server ended before it sent {kind!r}")


def piece(member: int, after: int, losses: list[float], state: str = "going") -> dict:
    return {"member": member, "after": after, "training_loss": losses, "validation_loss": losses, "state": state}


@pytest.fixture
def unfinished(tmp_path):
    """A run that is in its fifth stage, and the diary that its process holds."""
    folder = made_up_run.write_run(tmp_path / "run", STAGES[:4], finished=False)
    log = EventLog(folder / "events.jsonl")
    log.add("stage_started", stage="tune", number=5)
    yield folder, log
    log.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return made_up_run.write_run(tmp_path_factory.mktemp("live") / "run")


@pytest.fixture(scope="module")
def server(finished):
    with served(finished) as one:
        yield one


def test_the_page_is_the_report_with_a_part_that_is_live(server):
    status, page, headers = answer(server, f"/{server.token}/")
    assert status == 200
    assert "the model reaches 0.856 AUC" in page
    assert 'id="live"' in page
    assert "connect-src 'self'" in page
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert not any(name.startswith("Access-Control") for name in headers)


@pytest.mark.parametrize("path", ["/", "/events", "/{wrong}/", "/{half}/", "/{token}x/", "/?token={token}"])
def test_no_request_without_the_token_is_answered(server, path):
    token = server.token
    asked = path.format(token=token, half=token[:-1], wrong=token[::-1])
    assert answer(server, asked)[:2] == (403, "This page needs the whole address that trainwell printed.\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "OPTIONS", "DELETE", "BREW"])
def test_no_other_method_tells_anything(server, method):
    assert answer(server, "/", method)[0] == 403
    assert answer(server, f"/{server.token}/", method)[0] == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "", "[::1]:{port}"])
def test_a_page_of_another_name_is_refused_even_with_the_token(server, host):
    assert answer(server, f"/{server.token}/", Host=host.format(port=server.server_port))[0] == 403


def test_the_machines_own_names_are_let_in(server):
    assert [answer(server, f"/{server.token}/", Host=host)[0] for host in ("localhost:9", "127.0.0.1")] == [200, 200]


@pytest.mark.parametrize(
    "path",
    ["config.json", "events.jsonl", "../run/config.json", "..%2f..%2fetc/passwd", "/etc/passwd", "events/../config.json",
     "report.html", "%2e%2e/", "\\..\\config.json", "events%00"],
)  # fmt: skip
def test_no_file_is_served_in_or_outside_the_run(server, path):
    assert answer(server, f"/{server.token}/{path}")[:2] == (404, "There is nothing here.\n")


def test_it_listens_on_this_machine_alone_at_a_port_and_a_token_of_its_own(server, finished):
    with served(finished) as other:
        assert server.server_address[0] == other.server_address[0] == "127.0.0.1"
        assert server.server_port != other.server_port
        assert server.token != other.token
        assert len(server.token) >= 32


def test_a_finished_run_sends_its_state_and_ends(server):
    listener = Listener(server)
    assert listener.next("news")["says"] == (
        "This run is finished. AUC 0.856 on rows that nothing had seen, 0.852 to 0.860 (95%)."
    )
    assert listener.next("end") == {}


def test_what_happens_in_a_run_reaches_those_who_read(unfinished):
    folder, log = unfinished
    with served(folder) as server:
        listener = Listener(server)
        assert listener.next("news")["says"].startswith("Stage 5 of 6, tune")
        log.add("progress", stage="tune", done=3, total=12, alive=9, best=0.8412, metric="auc", seconds_left=30.0)
        log.add("curves", stage="tune", members=[piece(7, 0, [0.6, 0.5]), piece(8, 0, [0.7])])
        news = listener.next("news")
        while not news["curves"]:
            news = listener.next("news")
        assert news["says"].startswith("Stage 5 of 6, tune: 3 of 12 networks done, 9 in training, best validation AUC 0.841")
        assert news["share"] == 0.25
        assert [(one["member"], one["training_loss"]) for one in news["curves"]] == [(7, [0.6, 0.5]), (8, [0.7])]
        log.add("curves", stage="tune", members=[piece(7, 2, [0.4])])
        news = listener.next("news")
        while not news["curves"]:
            news = listener.next("news")
        assert [(one["member"], one["after"], one["training_loss"]) for one in news["curves"]] == [(7, 2, [0.4])]


def test_a_stage_that_leaves_its_evidence_changes_the_page_that_is_open(unfinished):
    folder, log = unfinished
    with served(folder) as server:
        version = re.search(r'data-version="(\w+)"', answer(server, f"/{server.token}/")[1])[1]
        listener = Listener(server)
        first = listener.next("body")
        assert first["version"] == version
        assert "243 networks, 61 trained to the end" not in first["html"]
        write_evidence(made_up_run.evidence()["tune"], folder / "evidence")
        then = listener.next("body")
        assert "243 networks, 61 trained to the end, best 0.851" in then["html"]
        assert "<script>" not in then["html"]
        log.add("run_finished", test_score=0.8, low=0.7, high=0.9, metric="auc", seconds=9, model="model", report="report")
        assert listener.next("news")["state"] == "finished"
        assert listener.next("end") == {}


def test_a_reader_that_takes_nothing_keeps_neither_the_run_nor_other_readers_waiting(unfinished):
    folder, log = unfinished
    with served(folder) as server:
        slow = socket.create_connection(("127.0.0.1", server.server_port))
        slow.sendall(f"GET /{server.token}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        quick = Listener(server)
        quick.next("news")
        for wave in range(20):  # more than what lies between the two sides of a connection
            log.add("curves", stage="tune", members=[piece(m, 500 * wave, [0.123] * 500) for m in range(40)])
        told = {}
        while len(told) < 40 or min(told.values()) < 10_000:
            told |= {one["member"]: one["after"] + len(one["training_loss"]) for one in quick.next("news")["curves"]}
        assert set(told.values()) == {10_000}
        slow.close()


def test_closing_gives_readers_the_end(unfinished):
    folder, log = unfinished
    with served(folder) as server:
        listener = Listener(server)
        listener.next("news")
        log.add("run_finished", test_score=0.8, low=0.7, high=0.9, metric="auc", seconds=9, model="model", report="report")
        server.close()
        assert listener.next("news")["state"] == "finished"
        assert listener.next("end") == {}


# What state a run is in.


def test_a_run_that_has_not_begun_is_waited_for(tmp_path):
    folder = tmp_path / "run"
    assert state_of(folder) == f"No run has begun in {folder} yet; the page fills when one does."
    check_watchable(folder)
    with served(folder) as server:
        assert answer(server, f"/{server.token}/")[0] == 200
        listener = Listener(server)
        assert listener.next("news")["state"] == "not begun"
        made_up_run.write_run(folder)
        assert listener.next("body")["version"]
        assert not list(tmp_path.glob("*.html"))


def test_what_is_no_run_is_not_watched(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(InputError, match=r"is not a run folder: it holds no events\.jsonl, which every run writes first\.$"):
        check_watchable(tmp_path)
    with pytest.raises(InputError, match=r"mine\.txt' is a file, not the folder of a run\.$"):
        check_watchable(tmp_path / "mine.txt")


def test_a_run_that_was_killed_is_told_from_one_that_goes_on(unfinished):
    folder, log = unfinished
    assert is_going_on(folder) is True
    assert state_of(folder).startswith("Stage 5 of 6, tune")
    log.close()  # as the system does for a process that is killed
    assert is_going_on(folder) is False
    assert state_of(folder) == (
        f"This run is not going on: it ended without a word in stage tune; trainwell fit --resume {folder} continues it."
    )


def test_a_last_line_that_is_cut_off_is_left_out_and_said(unfinished):
    folder, log = unfinished
    log.close()
    with log.path.open("a") as file:
        file.write('{"time": 1, "event": "run_fini')
    assert state_of(folder).endswith("continues it. The last line of events.jsonl is cut off; it is left out.")
    assert so_far(folder)[1].finished == {}


@pytest.mark.parametrize(
    ("events", "state", "said"),
    [
        ([("stage_started", {"stage": "tune", "number": 5}), ("interrupted", {}), ("run_finished", {"model": "m"})],
         "interrupted", "This run was stopped by Ctrl-C in stage tune"),
        ([("stage_started", {"stage": "baselines", "number": 2}),
          ("stage_finished", {"stage": "baselines", "verdict": "stop", "summary": "failed: one batch"}), ("run_finished", {})],
         "stopped", "Stage baselines stopped this run: failed: one batch. trainwell fit --resume"),
        ([("stage_started", {"stage": "tune", "number": 5}), ("run_finished", {})], "ended", "This run has ended without"),
        ([("run_started", {}), ("run_finished", {"model": "m"}), ("run_started", {})], "going on", "The table is read."),
    ],
)  # fmt: skip
def test_every_way_to_end_is_said(tmp_path, events, state, said):
    happening = Happening(tmp_path)
    happening.add({"time": 1.0, "event": "run_started" if kind is None else kind, **fields} for kind, fields in events)
    assert happening.state(None) == state
    assert happening.says(None, 0.0).startswith(said)


def test_watching_writes_nothing_into_the_run(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run", STAGES[:3], finished=False)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    with served(folder) as server:
        answer(server, f"/{server.token}/")
        Listener(server).next("body")
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()} == before


# The diary and the curves, read piece by piece.


def test_a_follower_gives_every_line_once_and_no_half_of_one(tmp_path):
    path = tmp_path / "events.jsonl"
    follower = Follower(path)
    assert follower.new() == []
    path.write_text('{"event": "a"}\n{"event": "b"')
    assert [one["event"] for one in follower.new()] == ["a"]
    assert follower.cut_off
    with path.open("a") as file:
        file.write('}\nno json\n[1]\n{"event": 5}\n{"event": "c"}\n')
    assert [one["event"] for one in follower.new()] == ["b", "c"]
    assert follower.new() == []
    path.unlink()
    path.write_text('{"event": "of another run"}\n')
    assert [one["event"] for one in follower.new()] == ["of another run"]
    assert follower.began_anew


def test_pieces_of_a_curve_are_put_together_and_what_is_told_again_takes_the_place_of_what_was():
    events = [
        {"members": [piece(1, 0, [5.0, 4.0, 3.0]), "nonsense", {"member": "x"}]},
        {"members": [piece(1, 3, [2.0], "stopped"), piece(2, 4, [9.0])]},
        {"members": [piece(1, 2, [2.5])]},
    ]
    told = {one["member"]: (one["after"], one["training_loss"], one["state"]) for one in merged(events)}
    assert told == {2: (4, [9.0], "going"), 1: (0, [5.0, 4.0, 2.5], "going")}


def test_of_very_many_networks_those_that_trained_last_are_shown():
    events = [{"members": [piece(member, 0, [1.0])]} for member in range(MOST_CURVES + 100)]
    assert [one["member"] for one in merged([*events, {"members": [piece(0, 1, [0.5])]}])][-1] == 0
    assert len(merged(events)) == MOST_CURVES
