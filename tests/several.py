"""Several processes that train together, without a launcher: forked from one that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

SECONDS = 120
"""Longer than anything here takes on a busy machine; what is not done by then hangs."""


@dataclass(frozen=True)
class Ended:
    """How a process ended: with `value`, with an error of class `error` and its `sentence`, or without a word."""

    value: Any = None
    error: str = ""
    sentence: str = ""


def together(function: Callable[..., Any], *arguments: Any, n: int = 2) -> list[Ended]:
    """Call a function of a module in `n` processes with ranks, and say how each ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mcinterp.runs.retrain", "mcinterp.model.fused", "accelerate", "several"])
    port = _free_port()
    started, ends = [], []
    try:
        for rank in range(n):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(function, arguments, rank, n, port, there))
            process.start()
            started.append(process)
            there.close()
            ends.append(here)
        return [_ended(end) for end in ends]
    finally:
        for process in started:
            process.kill()
            process.join()


def _work(
    function: Callable[..., Any], arguments: tuple[Any, ...], rank: int, n: int, port: int, answer: Connection
) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n), "OMP_NUM_THREADS": "1"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    try:
        answer.send(Ended(function(*arguments)))
    except BaseException as error:
        answer.send(Ended(error=type(error).__name__, sentence=str(error)))
    sys.stderr.close()  # gloo's farewells


def _ended(end: Connection) -> Ended:
    assert end.poll(SECONDS), "a process hangs"
    try:
        return end.recv()
    except EOFError:
        return Ended()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def rank() -> int:
    return int(os.environ["RANK"])


def interrupt_self() -> None:
    os.kill(os.getpid(), signal.SIGINT)
