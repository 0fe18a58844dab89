"""How long the whole paper takes on one trained run: python benchmarks/whole_paper.py [RUN].

Copies the run into an empty temporary folder, trains its four components again (mcinterp retrain --jobs 2), analyses
the checkpoints that a report takes with every pass, and all checkpoints with every comparison (mcinterp report). Prints
the seconds of each, and of the two commands, imports included.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path


def main(source: str = "checkpoints/tiny") -> None:
    """Time every pass."""
    with tempfile.TemporaryDirectory() as folder:
        run, out = Path(folder) / "run", Path(folder) / "report"
        shutil.copytree(source, run, ignore=shutil.ignore_patterns("retrained", ".lock"))
        total = timed("retrain", str(run), "--jobs", "2") + timed("report", str(run), "--out", str(out))
        seconds = defaultdict(list)
        for record in sorted(out.glob("data/*/*/result.json")):
            seconds[record.parent.name].append(json.loads(record.read_text())["provenance"]["seconds"])
        for name, each in sorted(seconds.items(), key=lambda item: -sum(item[1])):
            print(f"{name}: {' + '.join(f'{one:.1f}' for one in each)} s")
        print(f"all: {total / 60:.1f} min")


def timed(*words: str) -> float:
    """Seconds of one command."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mcinterp", *words], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    print(f"mcinterp {words[0]}: {seconds:.0f} s", flush=True)
    return seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
