"""The command that opens a report in a browser: view."""

from __future__ import annotations

import webbrowser
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from mcinterp.cli.options import REPORTS
from mcinterp.cli.progress import say
from mcinterp.errors import CheckpointError, nearest_name
from mcinterp.interrupt import stop_signal

HOST = "127.0.0.1"


LOOK_SECONDS = 0.2
"""How often the server looks whether it is to end."""


class _Server(ThreadingHTTPServer):
    timeout = LOOK_SECONDS


class _Pages(SimpleHTTPRequestHandler):
    """The files of a folder, for this machine's browser alone."""

    def send_head(self) -> BytesIO | BinaryIO | None:
        # A page of somebody else's could ask for these under a name of its own that leads here.
        if self.headers.get("Host", "").partition(":")[0] not in (HOST, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()

    def list_directory(self, path: str | PathLike[str]) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: object) -> None:
        """A served file is no news."""


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """What serves a report's folder on the loopback interface; port 0 takes a free one.

    Raises:
        CheckpointError: if there is no report, or the port is taken.
    """
    if not (folder / "index.html").is_file():
        near = nearest_name(folder.name, (page.parent.name for page in folder.parent.glob("*/index.html")))
        raise CheckpointError(f"{folder} holds no report{near}; write one with mcinterp report RUN")
    try:
        return _Server((HOST, port), partial(_Pages, directory=str(folder)))
    except OSError as error:
        raise CheckpointError(f"port {port} of {HOST} cannot be used ({error.strerror}); leave out --port") from error


def view(
    run: Annotated[Path, typer.Argument(help="Name of a run, or the folder of its report.", metavar="RUN")],
    port: Annotated[int, typer.Option(help="Port to serve on; by default a free one.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Serve a run's report to this machine's browser and open it there, until Ctrl-C; prints the address."""
    folder = run if (run / "index.html").is_file() else REPORTS / run.name
    with server(folder, port) as serving, stop_signal() as asked:
        address = f"http://{HOST}:{serving.server_port}/index.html"
        print(address, flush=True)
        say("Ctrl-C ends it")
        if browser:
            webbrowser.open(address)
        while not asked():
            serving.handle_request()
        say("ended")
