"""A report in one file: every page, the scripts and styles that they share, and the numbers, each packed by itself.

The file shows the page that its address asks for, as `report.html?step-00009000.html#ablation`, which single.js unpacks
and writes in its own place: every page is a document of its own, with the way back, its anchors and its title.
"""

from __future__ import annotations

import base64
import gzip
import html
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from mcinterp.report.assets import CIRCUITSVIS, SINGLE, WALL, asset
from mcinterp.report.links import DATA, INDEX
from mcinterp.report.page import FOLDER, LINKED, digests, fill, policy
from mcinterp.runs.files import write_atomic

PAGE = "report.html"
LARGEST = 4_000_000
"""Bytes of a file of numbers; larger ones stay in the report's folder, and the page says so."""
_ASSET = re.compile(rf'(?:src|href)="{FOLDER}/([^"]+)"')
_CODE = re.compile(r"(<script>.*?</script>)", re.DOTALL)
"""Scripts that stand in a page, whose digests its policy has."""
_DIGEST = re.compile(r"'sha256-[^']+'")
_NAMED = re.compile(r'(?<=")[\w.-]+\.html(?=["#])')
"""A page of the same folder, in a link or in what scripts read."""
_NUMBERS = re.compile(rf'<a href="({DATA}/[^"#]+)">([^<]*)</a>')
_TITLE = re.compile(r"<title>(.*?)</title>")


def finished(folder: Path, single_file: bool) -> Path:
    """What is to be opened of a report whose pages stand: its index, or where asked for all of it in one file.

    Without it a file of an earlier time goes, which might tell something else than the pages.
    """
    if single_file:
        return write_single(folder)
    (folder / PAGE).unlink(missing_ok=True)
    return folder / INDEX


def write_single(folder: Path) -> Path:
    """Pack the pages of `folder` to which its index leads, with all they need, into report.html beside them.

    Returns:
        its path. It needs nothing of the folder.
    """
    pages = _pages(folder)
    numbers = _numbers(folder, pages)
    assets = sorted({name for text in pages.values() for name in _assets(text)})
    texts = {name: _in_one(text, pages, numbers) for name, text in pages.items()}
    contents = {f"{FOLDER}/{name}": asset(name).encode() for name in assets}
    contents |= {name: text.encode() for name, text in texts.items()} | numbers
    title = _TITLE.search(pages[INDEX])
    page = fill(
        "single",
        title=Markup(title[1]) if title else folder.name,
        policy=policy(" ".join(_digests(texts.values()))),
        parts=[(name, _packed(content)) for name, content in contents.items()],
        script=Markup(asset(SINGLE)),
    )
    write_atomic(folder / PAGE, page.encode())
    return folder / PAGE


def _pages(folder: Path) -> dict[str, str]:
    """Name → text of the index and every page of the folder that a page of these names."""
    found: dict[str, str] = {}
    left = [INDEX]
    while left:
        name = left.pop()
        path = folder / name
        if name not in found and path.is_file() and not path.is_symlink():
            found[name] = path.read_text(encoding="utf-8")
            left += _NAMED.findall(found[name])
    return found


def _assets(head: str) -> list[str]:
    """Scripts and styles of a page, with what those load when it is asked for."""
    named = _ASSET.findall(head)
    return [*named, CIRCUITSVIS] if WALL in named else named


def _numbers(folder: Path, pages: Mapping[str, str]) -> dict[str, bytes]:
    """Address → content of the files of numbers to which the pages lead."""
    addresses = sorted({html.unescape(found[1]) for text in pages.values() for found in _NUMBERS.finditer(text)})
    files = {address: folder / address for address in addresses if ".." not in address.split("/")}
    return {
        address: path.read_bytes()
        for address, path in files.items()
        if path.is_file() and path.stat().st_size <= LARGEST
    }


def _in_one(text: str, pages: Container[str], numbers: Container[str]) -> str:
    """A page as it stands in the file: with ways to the others in it, and a policy for scripts that are put into it."""
    head, end, body = text.partition("</head>")
    scripts = (asset(name).encode() for name in _assets(head) if name.endswith(".js"))
    head = head.replace(f"script-src {LINKED};", f"script-src {digests(scripts)};")
    between = _CODE.split(body)
    between[::2] = [_linked(part, pages, numbers) for part in between[::2]]
    return head + end + "".join(between)


def _linked(text: str, pages: Container[str], numbers: Container[str]) -> str:
    text = _NAMED.sub(lambda found: f"?{found[0]}" if found[0] in pages else found[0], text)
    return _NUMBERS.sub(lambda found: found[0] if html.unescape(found[1]) in numbers else _left_out(found[2]), text)


def _left_out(name: str) -> str:
    return f"{name} (too large for this file, which has none of its numbers)"


def _digests(texts: Iterable[str]) -> list[str]:
    """Of every script that a page may run, and of the one that unpacks pages."""
    heads = (text.partition("</head>")[0] for text in texts)
    return sorted({digest for head in heads for digest in _DIGEST.findall(head)} | {digests([asset(SINGLE).encode()])})


def _packed(content: bytes) -> Markup:
    # Without the time, so that the same report is the same file.
    return Markup(base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii"))
