"""Files of weights made to harm: they take no memory that they do not hold, and run nothing."""

from __future__ import annotations

import pickle
import resource
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_convert import N_HEADS, N_POSITIONS, put, tf_matcomp_file

from mcinterp.errors import CheckpointError
from mcinterp.studies.matrix_completion.convert import load_tf_matcomp

WORD = "_backbone.embeddings.word_embeddings.weight"
MLP = "_backbone.encoder.layer.0.intermediate.dense."


def refused(path: Path) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError) as caught:
        load_tf_matcomp(path, N_HEADS, N_POSITIONS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert "\n" not in str(caught.value)
    return str(caught.value)


def repacked(path: Path, change: Callable[[str, bytes], bytes] = lambda _, content: content, packing: int = 0) -> Path:
    """The same archive with other contents or packed."""
    with zipfile.ZipFile(path) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in parts.items():
            archive.writestr(name, change(name, content))
    return path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put(WORD, torch.zeros(1).expand(1 << 20, 1 << 20)), "claims 4,398,"),
        (lambda stored: stored["model"].update(shared()), "claims 262,"),
        (put(WORD, torch.zeros(4, 4).to_sparse()), "not plain numbers"),
        (put(WORD, torch.zeros(4, 4, device="meta")), "not plain numbers"),
        (put(WORD, torch.zeros(60, 0)), "are no model"),
        (put(WORD, torch.zeros(0, 16)), "are no model"),
    ],
)
def test_tensors_that_claim_more_than_their_file_holds_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    assert sentence in refused(tf_matcomp_file(tmp_path, change))


def shared() -> dict[str, torch.Tensor]:
    """A thousand names for the same numbers."""
    one = torch.zeros(1 << 16)
    return {f"_backbone.encoder.layer.{layer}.output.dense.bias": one for layer in range(1000)}


def test_a_model_larger_than_its_weights_is_not_made(tmp_path: Path) -> None:
    def change(stored: dict[str, Any]) -> None:
        stored["model"][WORD] = torch.zeros(1, 1 << 18)
        stored["model"][f"{MLP}bias"] = torch.zeros(1 << 18)

    assert "a model of their shape takes at least" in refused(tf_matcomp_file(tmp_path, change))


def test_a_packed_archive_is_not_unpacked(tmp_path: Path) -> None:
    path = repacked(tf_matcomp_file(tmp_path), packing=zipfile.ZIP_DEFLATED)
    assert "it holds other things, left unopened" in refused(path)


def test_storages_that_claim_more_than_their_part_of_the_archive_are_refused(tmp_path: Path) -> None:
    def longer(name: str, content: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return content
        # The word embeddings' 960 numbers become 2^24, and their shape (60, 16) becomes (65535, 16).
        numbers, shape = b"M\xc0\x03", b"K<K\x10\x86"
        assert numbers in content
        assert shape in content
        return content.replace(numbers, b"J\x00\x00\x00\x01").replace(shape, b"M\xff\xffK\x10\x86")

    refused(repacked(tf_matcomp_file(tmp_path), longer))


class Bytes:
    """Takes any amount of memory when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (1 << 42,)


def test_memory_is_not_taken_by_what_is_no_tensor(tmp_path: Path) -> None:
    path = tf_matcomp_file(tmp_path, lambda stored: stored.update(more=Bytes()))
    assert "it holds other things, left unopened" in refused(path)


class Claiming:
    """A NumPy scalar that claims a gigabyte, of which NumPy would make zeros."""

    def __reduce__(self) -> tuple[Any, ...]:
        return np.float64(0).__reduce__()[0], (np.dtype("V1073741824"),)


class Held:
    """A NumPy scalar of kind object, which holds what it likes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return np.float64(0).__reduce__()[0], (np.dtype("O"), Bytes())


class Short:
    """A NumPy scalar with fewer bytes than its kind has."""

    def __reduce__(self) -> tuple[Any, ...]:
        return np.float64(0).__reduce__()[0], (np.dtype("f8"), b"1234")


@pytest.mark.parametrize("thing", [Claiming(), Held(), Short()])
def test_numpy_scalars_are_numbers_or_refused(tmp_path: Path, thing: object) -> None:
    path = tf_matcomp_file(tmp_path, lambda stored: stored.update(loss=thing))
    assert "it holds other things, left unopened" in refused(path)


def test_names_that_are_no_texts_are_refused(tmp_path: Path) -> None:
    assert "lack embeddings.word_embeddings.weight" in refused(
        tf_matcomp_file(tmp_path, lambda stored: stored.update(model=OrderedDict({1: torch.zeros(1)})))
    )


def test_files_of_an_old_torch_are_refused_in_a_sentence(tmp_path: Path) -> None:
    torch.save({"epoch": 1, "model": {}}, tmp_path / "old.tar", _use_new_zipfile_serialization=False)
    assert "as a file of tensors: File is not a zip file" in refused(tmp_path / "old.tar")


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    path = tf_matcomp_file(tmp_path)
    content = path.read_bytes()
    for length in range(0, len(content), len(content) // 20):
        path.write_bytes(content[:length])
        refused(path)


def test_a_pickle_in_an_archive_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "executed"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (mark,)

    hostile = pickle.dumps({"epoch": 1, "model": Hostile()}, protocol=2)
    path = repacked(tf_matcomp_file(tmp_path), lambda name, content: hostile if name.endswith("data.pkl") else content)
    assert "it holds other things, left unopened" in refused(path)
    assert not mark.exists()
