"""The command: where it listens, whom it lets in, and that it ends in order."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from trainwell import cli, extras
from trainwell.errors import InputError
from trainwell.serving.server import check_door


def command(*arguments, capsys):
    code = cli.run_command(["serve", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return model.save(tmp_path_factory.mktemp("served") / "model")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--host", "0.0.0.0"],
         "--host is '0.0.0.0', which other machines can reach: give a --token (or TRAINWELL_TOKEN in the environment), "
         "or leave --host out."),
        (["--token", ""],
         "the token is empty or has blanks or letters beyond ASCII, which no header can carry: choose another."),
        (["--port", "70000"], "--port is 70000, allowed are 0 to 65535."),
        (["--max-body", "much"], "--max-body is 'much', allowed is a size such as 500MB or 2GB."),
        (["--max-rows", "0"], "the most rows of a request are 0, allowed is 1 or more."),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_gets_one_sentence(folder, capsys, options, sentence):
    assert command(folder, *options, capsys=capsys) == (2, "", f"trainwell: {sentence}\n")


def test_a_port_that_is_taken_and_a_folder_without_a_model_get_one_sentence(folder, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert command(folder, "--port", port, capsys=capsys) == (
            2, "", f"trainwell: port {port} of 127.0.0.1 cannot be used: Address already in use.\n",
        )  # fmt: skip
    assert command(tmp_path, capsys=capsys)[2].startswith(f"trainwell: {tmp_path} holds no model: ")


def test_the_token_may_stand_in_the_environment_and_opens_other_hosts(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TRAINWELL_TOKEN", "s3cret")
    assert "holds no model" in command(tmp_path, "--host", "0.0.0.0", capsys=capsys)[2]
    check_door("0.0.0.0", "s3cret")
    with pytest.raises(InputError, match="which other machines can reach"):
        check_door("example.com", None)


def test_a_missing_extra_is_named(monkeypatch, folder, capsys):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "uvicorn" else object())
    assert command(folder, capsys=capsys) == (
        2, "", "trainwell: uvicorn is not installed: pip install 'trainwell[serve]' brings it.\n",
    )  # fmt: skip


def test_a_signal_ends_it_in_order_after_what_is_in_flight(folder, rows):
    start = [sys.executable, "-m", "trainwell", "serve", str(folder), "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as server:
        address = re.search(r"127\.0\.0\.1:(\d+)/predict", server.stdout.readline())
        port = int(address[1])
        body, halfway, go_on = json.dumps({"rows": rows[:2]}).encode(), threading.Event(), threading.Event()

        def slow_client():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            connection.putrequest("POST", "/predict")
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body[:10])
            halfway.set()
            assert go_on.wait(30)
            connection.send(body[10:])
            answer = connection.getresponse()
            found = answer.status, json.loads(answer.read())
            connection.close()
            return found

        with ThreadPoolExecutor(1) as clients:
            answered = clients.submit(slow_client)
            assert halfway.wait(30)
            # The server has begun to read the request once it counts it.
            while not _counts(port, "trainwell_requests_in_flight 2.0"):
                pass
            server.send_signal(signal.SIGTERM)
            while _listens(port):
                pass
            go_on.set()
            status, found = answered.result(timeout=120)
        assert (status, len(found["predictions"])) == (200, 2)
        assert server.wait(timeout=120) == 0
        assert server.stderr.read() == ""


def _counts(port: int, line: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return f"\n{line}\n" in text


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
