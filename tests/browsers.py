"""A browser for the tests of pages: which one there is, and how to get one.

`python tests/browsers.py` gets one where there is none: playwright's own, else the system's package manager's, as root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "MCINTERP_BROWSER"
"""Names the browser to use, whatever else there is."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
INSTALLS = {
    "apt-get": ("apt-get update -qq", "apt-get install -y -qq chromium"),
    "dnf": ("dnf install -y -q chromium",),
    "zypper": ("zypper --non-interactive install chromium",),
    "pacman": ("pacman -Sy --noconfirm chromium",),
    "apk": ("apk add chromium",),
}
"""By package manager, what installs one."""
WHERE = """
from playwright.sync_api import sync_playwright
with sync_playwright() as driver:
    print(driver.chromium.executable_path)
"""


def browser() -> Path | None:
    """The browser that tests use: the one named, the system's, or playwright's own; none if it does not start."""
    named = os.environ.get(VARIABLE)
    for path in [Path(named)] if named else [*_systems(), *_playwrights()]:
        if _starts(path):
            return path
    return None


def get() -> Path | None:
    """The same, got first where there is none."""
    if found := browser():
        return found
    _tried([sys.executable, "-m", "playwright", "install", "chromium"])
    if not (found := browser()) and os.geteuid() == 0:
        lines = next((lines for name, lines in INSTALLS.items() if shutil.which(name)), ())
        _ = all(_tried(line.split()) for line in lines)
        found = browser()
    return found


def _systems() -> list[Path]:
    return [Path(path) for path in map(shutil.which, NAMES) if path]


def _playwrights() -> list[Path]:
    """Where playwright keeps its own, if it is installed."""
    # In a process of its own: it can be started once in a process, which the tests do themselves.
    asked = subprocess.run([sys.executable, "-c", WHERE], capture_output=True, text=True, timeout=60)
    return [Path(asked.stdout.strip())] if asked.returncode == 0 else []


def _starts(path: Path) -> bool:
    """Whether it is there, with the libraries it needs."""
    return path.is_file() and _tried([str(path), "--version"])


def _tried(words: Sequence[str]) -> bool:
    """Whether a command does its work; what it says is about ways that others may still make up for."""
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=900).returncode == 0


if __name__ == "__main__":
    found = get()
    sys.stderr.write(f"browser for tests of pages: {found or f'none to be had here; name one in {VARIABLE}'}\n")
    sys.exit(found is None)
