"""Give commands one after the other in a process of its own, as a person would: `every_command.py FOLDER < lines`."""

from __future__ import annotations

import os
import sys

from mcinterp.cli import main

if __name__ == "__main__":
    os.chdir(sys.argv[1])
    for line in sys.stdin.read().splitlines():
        sys.argv = ["mcinterp", *line.split()]
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        for stream in (sys.stdout, sys.stderr):
            print(f"= {code} {line}", file=stream, flush=True)
