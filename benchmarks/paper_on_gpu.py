"""The whole paper on a GPU in one command: python benchmarks/paper_on_gpu.py run [--scale toy].

Made for a machine with one large card that is at hand for a quarter of an hour. Stages, each with its share of the
time: checks of the numbers, of going on and of replay; speeds, and the way of calling kernels that pays; the paper's
model in full; every pass on five of its checkpoints; a model of width 256, whose weights are taken away; and the same
in float32. What each leaves is packed as soon as it ends, all of it into at most eight archives of 16 MB. A stage that
fails or runs out of time is told, and the next one begins; the command then exits with 1, and given again it goes on
with what is not done. `unpack` puts archives under reports/paper and writes the pages of their results; `wheels`
gathers what a machine without a package index lacks.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

BENCHMARKS = Path(__file__).parent
sys.path[:0] = [str(BENCHMARKS)]  # so that spawned processes find it too

from on_gpu.scale import STAGES  # noqa: E402

BUILD = BENCHMARKS.parent / "build"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def run(
    scale: Annotated[str, typer.Option(help="full, on a GPU; or toy, which a CPU does in a minute.")] = "full",
    minutes: Annotated[float, typer.Option(help="For everything.", min=0)] = 14.0,
    stages: Annotated[str, typer.Option(help="Which, by name, with commas between them.")] = ",".join(STAGES),
    work: Annotated[Path, typer.Option(help="Where runs and results are kept.")] = BUILD / "gpu",
    out: Annotated[Path, typer.Option(help="Where archives go.")] = BUILD / "gpu" / "packed",
) -> None:
    """Carry out what is not done yet, and pack it."""
    from on_gpu.scale import SCALES
    from on_gpu.stages import DONE, carried_out
    from tabulate import tabulate

    names = _known(stages.split(","), STAGES, "--stages")
    _known([scale], SCALES, "--scale")
    _refuse_without_device(SCALES[scale]().device)
    rows = []
    for row in carried_out(scale, names, work / scale, out, 60 * minutes, (sys.executable, __file__, "stage")):
        print(f"{row['stage']}: {row['state']} after {row['seconds']} s", flush=True)
        rows.append(row)
    print(tabulate(rows, headers="keys"))
    raise typer.Exit(0 if all(row["state"] == DONE for row in rows) else 1)


@app.command(hidden=True)
def stage(name: str, scale: str, work: Path) -> None:
    """One stage, in this process."""
    from on_gpu.stages import alone

    alone(name, scale, work)


@app.command()
def unpack(
    archives: Annotated[list[Path], typer.Argument(help="Archives, or folders of them.")],
    target: Annotated[Path, typer.Option(help="Where each stage gets a folder.")] = BENCHMARKS.parent
    / "reports"
    / "paper",
) -> None:
    """Unpack what came back, and write the pages of the passes."""
    from on_gpu.packing import unpack

    from mcinterp.report import write_report

    files = [file for path in archives for file in (sorted(path.glob("*.zip")) if path.is_dir() else [path])]
    for folder in unpack(files, target):
        print(write_report(folder) if (folder / "data").is_dir() else folder)


@app.command()
def wheels(
    target: Annotated[Path, typer.Argument(help="Folder of the wheels.")] = BUILD / "wheels",
    has: Annotated[Path | None, typer.Option(help="What the machine has: what `pip freeze` says there.")] = None,
    python: Annotated[str, typer.Option(help="The machine's Python.")] = f"{sys.version_info[0]}.{sys.version_info[1]}",
) -> None:
    """Gather what a machine without a package index lacks, all but torch: that has to be there, with CUDA."""
    from on_gpu.wheels import gathered

    files = gathered(target, has.read_text() if has else "", python)
    total = sum(file.stat().st_size for file in files) / 1e6
    print(f"{len(files)} wheels, {total:.0f} MB, in {target}")


def _known(names: list[str], known: Collection[str], option: str) -> list[str]:
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"there is no {name!r}; there are {', '.join(known)}", param_hint=option)
    return names


def _refuse_without_device(device: str) -> None:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        print("torch finds no CUDA device here; --scale toy runs on a CPU", file=sys.stderr)
        raise typer.Exit(2)


if __name__ == "__main__":
    app()
