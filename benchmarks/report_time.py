"""How long a report takes and how large it is: python benchmarks/report_time.py [RUN].

Writes the report of three checkpoints into an empty temporary folder, in a process of its own, and prints the seconds
(imports included) and the size of every page.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main(run: str = "checkpoints/tiny") -> None:
    """Time one report."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        words = [sys.executable, "-m", "mcinterp", "report", run, "--out", folder]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        print(f"{time.perf_counter() - start:.1f} s")
        for page in sorted(Path(folder).glob("*.html")):
            print(f"{page.name}: {page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
