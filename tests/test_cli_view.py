"""The command that serves a report: to this machine's browser, and nobody else."""

from __future__ import annotations

import http.client
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from processes import started

from mcinterp.cli.view import server
from mcinterp.errors import CheckpointError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reports" / "own" / "data").mkdir(parents=True)
    (tmp_path / "reports" / "own" / "index.html").write_text("<p>own")
    (tmp_path / "secret").write_text("secret")
    return tmp_path


def get(port: int, path: str, host: str | None = None) -> tuple[int, str]:
    """Status and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_the_command_serves_until_it_is_interrupted(folder: Path) -> None:
    words = [sys.executable, "-m", "mcinterp", "view", "own", "--no-browser"]
    with started(words, folder) as serving:
        assert serving.stdout
        address = urlsplit(serving.stdout.readline().strip())
        assert address.hostname == "127.0.0.1"
        port = address.port or 0
        assert get(port, address.path) == (200, "<p>own")
        assert get(port, "/../../secret")[0] == 404
        assert get(port, "/data/")[0] == 404
        assert get(port, "/index.html", host=f"elsewhere.example:{port}")[0] == 403
        serving.send_signal(signal.SIGINT)
        _, said = serving.communicate(timeout=60)
    assert serving.returncode == 0
    assert said.splitlines() == ["Ctrl-C ends it", "ended"]


def test_without_a_report_it_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="mcinterp report"):
        server(tmp_path, 0)


def test_a_wrong_name_is_told_the_nearest_report(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="did you mean 'own'"):
        server(folder / "reports" / "pwn", 0)


def test_a_port_that_is_taken_is_told(folder: Path) -> None:
    with (
        server(folder / "reports" / "own", 0) as first,
        pytest.raises(CheckpointError, match=f"port {first.server_port}"),
    ):
        server(folder / "reports" / "own", first.server_port)
