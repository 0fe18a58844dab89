"""Tables for papers: what stands in them, and that a real LaTeX sets them without any package."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forged import Forge

import mcinterp
from mcinterp.analysis import ablation
from mcinterp.errors import InputError
from mcinterp.report.latex import latex_table, short_heads
from mcinterp.report.tex import tex, tex_number
from mcinterp.results import Result, Table
from mcinterp.runs import Run

FORGE = Forge()
HOSTILE = r"\input{/etc/passwd} % 100 $ & # _ ^ ~ { } <script> | L_mask → X′ µ ß 漢 �‮ “q” ×10² −3…"
Set = Callable[[Sequence[str]], str]


@pytest.fixture
def typeset(tmp_path: Path) -> Set:
    """Sets pieces of LaTeX as a document of the plainest class, without any package; returns what LaTeX said."""
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("pdflatex is not installed: apt-get install texlive-latex-base")

    def set_(pieces: Sequence[str]) -> str:
        text = "\n\n".join([r"\documentclass{article}\begin{document}", *pieces, r"\end{document}", ""])
        (tmp_path / "paper.tex").write_text(text, encoding="utf-8")
        words = [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, errors="replace")
        log = (tmp_path / "paper.log").read_text(encoding="utf-8", errors="replace")
        assert done.returncode == 0, log[-2000:]
        assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
        return log

    return set_


def rows(text: str) -> list[list[str]]:
    """The cells of a tabular, its head first."""
    inside = text.partition(r"\hline")[2].rpartition(r"\hline")[0].replace(r"\hline", "")
    return [line.removesuffix(r" \\").split(" & ") for line in inside.strip().splitlines() if line]


@pytest.mark.no_cover
def test_every_table_is_set_by_a_real_latex(typeset: Set) -> None:
    results = [getattr(FORGE, name)(9000) for name in ("attention", "taxonomy", "ablation", "patching", "probes")]
    pieces = [result.latex(name) for result in results for name in result.tables]
    columns = {"group": HOSTILE, "masked_delta": "change of L_mask"}
    hostile = FORGE.ablation(9000)
    table = hostile.tables["ablation"]
    frame = table.frame.assign(group=HOSTILE, method=f"{HOSTILE}\n\\end{{document}}")
    hostile = replace(hostile, tables={"ablation": replace(table, frame=frame)})
    pieces += [hostile.latex(columns=columns, caption=f"{HOSTILE} {HOSTILE}", label="tab:a.b+c-d_e"), hostile.latex()]
    log = typeset(pieces)
    assert "Missing character" not in log
    assert len(pieces) >= 10


def test_the_columns_are_those_that_tell_most_and_have_heads_that_read() -> None:
    result = FORGE.ablation(9000)
    cells = rows(result.latex())
    assert cells[0] == [
        *("group", "heads", "method"),
        r"$L_{\mathrm{mask}}$, model as it is",
        r"$L_{\mathrm{mask}}$",
        r"$L_{\mathrm{mask}}$ over the model's as it is",
        r"change of $L_{\mathrm{mask}}$ [95 \%]",
    ]
    assert len(cells) == 1 + len(result.table("ablation"))
    assert result.latex().startswith(r"\begin{tabular}{lllrrrr}")
    assert "_mse" not in result.latex()


def test_columns_are_chosen_in_order_with_heads_of_ones_own() -> None:
    result = FORGE.ablation(9000)
    text = result.latex(columns={"verdict": "100 % sure_about", "masked_ratio": "", "group": "L_obs & set"}, digits=2)
    first, row = rows(text)[0], result.table("ablation").iloc[0]
    assert first[:2] == [r"100 \% sure\_about", r"$L_{\mathrm{mask}}$ over the model's as it is"]
    assert r"$L_{\mathrm{obs}}$ \& set \\" in text
    assert rows(result.latex(columns=["group", "masked_ratio"], digits=2))[1] == [
        row["group"],
        f"{row['masked_ratio']:.2g}",
    ]


def _result(**values: Sequence[object]) -> Result:
    frame = pd.DataFrame(values)
    return Result("own", "Own", {}, tables={"t": Table(frame, dict.fromkeys(frame, ""))})


def test_numbers_have_the_digits_that_are_asked_for() -> None:
    result = _result(x=[0.0123456, -1234.5678, 2.5e-7, np.nan], x_low=[0.0111, -1300, 2e-7, np.nan],
                     x_high=[0.0135, -1200, 3e-7, np.nan], step=[1, 2000, 3, 4], seed=[12345, 1, 2, 3])  # fmt: skip
    assert [row[0] for row in rows(result.latex())[1:]] == [
        "0.0123 [0.0111, 0.0135]",
        "$-$1,235 [$-$1,300, $-$1,200]",
        r"$2.50 \times 10^{-7}$ [$2.00 \times 10^{-7}$, $3.00 \times 10^{-7}$]",
        "--",
    ]
    assert rows(result.latex(columns=["x"], digits=1))[1] == ["0.01 [0.01, 0.01]"]
    assert [row[1:] for row in rows(result.latex(digits=2))[1:]] == [
        ["1", "12345"],
        ["2,000", "1"],
        ["3", "2"],
        ["4", "3"],
    ]


def test_what_is_the_same_in_every_row_is_said_once() -> None:
    result = _result(name=["a", "b"], how=["xx\nyy_z", "xx\nyy_z"], n=[5, 5], seed=[1234, 1234], value=[1.5, 1.5])
    assert result.latex().splitlines()[-1] == "% In every row: how xx yy_z, n 5, seed 1234."
    assert rows(result.latex())[0] == ["name", "value"]
    text = result.latex(caption="Of tiny.", label="tab:tiny")
    assert text.startswith(
        "\\begin{table}\n\\centering\n\\caption{Of tiny. In every row: how xx yy\\_z, n 5, seed 1234.}\n"
    )
    assert "\\label{tab:tiny}\n\\begin{tabular}" in text
    assert text.endswith("\\end{tabular}\n\\end{table}")
    assert _result(n=[5], seed=[3], x=[1.0]).latex(columns=["x"]).endswith("% In every row: n 5, seed 3.")


@pytest.mark.parametrize(
    ("heads", "short"),
    [
        ("L0H0", "L0H0"),
        ("L0H0,L1H1", "L0H0,L1H1"),
        ("L0H0,L0H1", "L0H0,L0H1"),
        ("L0H0,L0H1,L0H2", "L0H0–2"),
        ("L1H0,L0H7,L0H5,L0H6,L1H1", "L0H5–7,L1H0,L1H1"),
        (",".join(f"L{layer}H{head}" for layer in range(2) for head in range(12)), "L0H0–11,L1H0–11"),
        ("L0H0,L0H2,L0H4,L0H6,L0H8", "L0H0,L0H2,L0H4,… (5 heads)"),
        ("no heads", "no heads"),
        ("column", "column"),
        ("L0H0, and", "L0H0, and"),
    ],
)
def test_sets_of_heads_are_short(heads: str, short: str) -> None:
    assert short_heads(heads) == short
    written = short.replace("–", "--").replace("…", r"\dots{}")
    assert rows(_result(heads=[heads, "x"]).latex())[1] == [written]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("L_mask and masked_mse", r"$L_{\mathrm{mask}}$ and masked\_mse"),
        ("100 % & #1 {x} ~^", r"100 \% \& \#1 \{x\} \textasciitilde{}\textasciicircum{}"),
        (r"\cmd", r"\textbackslash{}cmd"),
        ("a < b > c | d", "a $<$ b $>$ c $|$ d"),
        ("−X → é", r"$-$X $\to$ é"),
        ("漢\x07", r"[cjk unified ideograph-6f22][u+0007]"),
    ],
)
def test_texts_are_texts(text: str, written: str) -> None:
    assert tex(text) == written


def test_powers_of_ten_are_set_as_such() -> None:
    assert tex_number("−1.5e−7 [2e6, ∞]") == r"$-$$1.5 \times 10^{-7}$ [$2 \times 10^{6}$, $\infty$]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": ["masked_dleta"]}, "the table ablation has no column 'masked_dleta'; did you mean 'masked_delta'"),
        ({"table": "ablations"}, "has no table 'ablations'; did you mean 'ablation'"),
        ({"digits": 0}, "digits must be between 1 and 17, got 0"),
        ({"label": "a}b"}, "a label has letters, digits and any of"),
    ],
)
def test_what_cannot_be_written_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FORGE.ablation(9000).latex(**arguments)  # type: ignore[arg-type]


def test_results_of_different_passes_are_no_table() -> None:
    with pytest.raises(InputError, match="results of one pass are needed, got ablation, patching"):
        latex_table([FORGE.ablation(9000), FORGE.patching(9000)])
    with pytest.raises(InputError, match="at least one result is needed, got none"):
        latex_table([])


@pytest.fixture
def two_steps(trained: Run, monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """A class that has a head at the second step alone, one that has none at either, and the null control."""
    found = []
    for step, members in ((0, []), (40, ["L0H1"])):
        checkpoint = trained.checkpoint(step)
        taxonomy = mcinterp.head_taxonomy(checkpoint, 8)
        heads = taxonomy.table("heads").assign(family="none", group="none")
        heads.loc[heads["head"].isin(members), "family"] = "row"
        tables = {**taxonomy.tables, "heads": replace(taxonomy.tables["heads"], frame=heads)}
        sets = ["none", "row", "column", "L1H0"]
        found.append(ablation(checkpoint, sets, ["zero"], 8, taxonomy=replace(taxonomy, tables=tables)))
    return found


def test_a_class_without_heads_has_no_numbers(two_steps: list[Result], tmp_path: Path) -> None:
    table = pd.concat([result.table("ablation") for result in two_steps], ignore_index=True)
    assert table["heads"].tolist() == [
        "no heads",
        "no heads",
        "no heads",
        "L1H0",
        "no heads",
        "L0H1",
        "no heads",
        "L1H0",
    ]
    empty = table.index.isin([1, 2, 6])
    done = [name for name in table if re.search(r"_(mse|ratio|delta|share|of_zero)(_low|_high)?$", name)]
    assert table.loc[empty, done].isna().all(axis=None)
    assert table.loc[~empty, done].notna().all(axis=None)
    clean = [name for name in table if "_clean" in name or name == "masked_mse_zero"]
    assert table[clean].notna().all(axis=None)
    assert (table.loc[[0, 4], "masked_ratio"] == 1).all()
    assert (table.loc[[0, 4], "masked_delta"] == 0).all()
    control = pd.concat([result.table("control") for result in two_steps], ignore_index=True)
    assert control["verdict"][empty].tolist() == ["no head in this class"] * 3
    assert control["p_value"][empty].isna().all()
    two_steps[0].save(tmp_path / "ablation")
    assert Result.load(tmp_path / "ablation").table("ablation")["heads"].tolist()[:3] == ["no heads"] * 3


def test_a_class_that_is_empty_at_some_steps_says_so_in_latex(two_steps: list[Result]) -> None:
    cells = rows(latex_table(two_steps, columns=["step", "group", "masked_ratio", "masked_delta"]))[1:]
    assert [cell[2] for cell in cells if cell[1] == "column"] == ["no heads", "no heads"]
    assert [cell[2] == "no heads" for cell in cells if cell[1] == "row"] == [True, False]
    assert [cell[2:] for cell in cells if cell[1] == "none"] == [["1.00", "0 [0, 0]"]] * 2
    named = rows(latex_table(two_steps))
    assert [cell[named[0].index("heads")] for cell in named[1:] if cell[1] == "row"] == ["no heads", "L0H1"]
