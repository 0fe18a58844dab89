"""Language models of every kind against their modules: probabilities, samples, end tokens, and what they refuse."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import END, TEXT, causal, changed_config, folder, gpt2

from mcinterp.errors import CheckpointError, InputError
from mcinterp.language.branches import branches_of, tempered
from mcinterp.language.hooked import CausalLanguage, HookedLanguage
from mcinterp.language.huggingface import HuggingFaceLanguage, is_folder, open_folder
from mcinterp.language.model import LanguageModel
from mcinterp.language.spelling import NamedTokens, NumberedTokens

CPU = torch.device("cpu")
PREFIXES = [[1, 2, 3], [4], [5, 1, 2], [6, 6, 6, 6]]


def models() -> dict[str, tuple[LanguageModel, torch.nn.Module]]:
    """Each with the module that it asks."""
    learned, rotary, theirs = causal(), causal("rotary"), gpt2()
    ends = frozenset([0])
    return {
        "own": (CausalLanguage(learned, "own", end_tokens=ends), learned),
        "own, rotary": (CausalLanguage(rotary, "own", end_tokens=ends), rotary),
        "TransformerLens": (HookedLanguage(learned, "lens", end_tokens=ends), learned),
        "Hugging Face": (HuggingFaceLanguage(theirs), theirs),
    }


@pytest.mark.parametrize("kind", models())
def test_probabilities_are_the_modules_whatever_the_lengths(kind: str) -> None:
    model, module = models()[kind]
    found = model.next_probabilities(PREFIXES)
    for prefix, own in zip(PREFIXES, found, strict=True):
        output = module(torch.tensor([prefix]))
        logits = (output.logits if hasattr(output, "logits") else output)[0, -1]
        np.testing.assert_allclose(own, logits.double().softmax(-1).detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-9)


@pytest.mark.parametrize("kind", models())
def test_without_temperature_each_token_is_the_most_probable(kind: str) -> None:
    model, _ = models()[kind]
    for prefix, written in zip(PREFIXES, model.sample(PREFIXES, 5, 0.0, torch.Generator()), strict=True):
        for place, token in enumerate(written):
            assert token == model.next_probabilities([[*prefix, *written[:place]]])[0].argmax()
        assert len(written) == 5 or written[-1] in model.end_tokens
        assert not set(written[:-1]) & model.end_tokens


@pytest.mark.parametrize("kind", models())
def test_samples_have_the_law_of_two_tokens_and_the_same_seed_gives_the_same(kind: str) -> None:
    model, _ = models()[kind]
    n, prefix = 4000, [4, 2]
    first = model.sample([prefix] * n, 2, 0.7, torch.Generator().manual_seed(1))
    assert first == model.sample([prefix] * n, 2, 0.7, torch.Generator().manual_seed(1))
    assert first != model.sample([prefix] * n, 2, 0.7, torch.Generator().manual_seed(2))
    law = tempered(model.next_probabilities([prefix]), 0.7)[0]
    counts = Counter(tuple(each) for each in first)
    for token in np.argsort(law)[-3:]:
        after = tempered(model.next_probabilities([[*prefix, int(token)]]), 0.7)[0]
        if token in model.end_tokens:
            assert counts[(token,)] / n == pytest.approx(law[token], abs=0.03)
            continue
        for other in np.argsort(after)[-2:]:
            expected = law[token] * after[other]
            assert counts[int(token), int(other)] / n == pytest.approx(expected, abs=0.03)


def test_hooks_change_what_a_hooked_model_writes() -> None:
    module = causal()
    model = HookedLanguage(module)
    before = model.next_probabilities([[1, 2]])
    with module.hooks(fwd_hooks=[("blocks.0.attn.hook_z", lambda z, hook: z * 0)]):
        during = model.next_probabilities([[1, 2]])
    assert not np.allclose(before, during)
    np.testing.assert_array_equal(before, model.next_probabilities([[1, 2]]))


@pytest.mark.parametrize(
    ("prefixes", "limit", "temperature", "sentence"),
    [
        ([[]], 1, 1.0, "needs one token at least"),
        ([[1, 7]], 1, 1.0, "tokens are 0 … 6, got 1 … 7"),
        ([[1] * 5], 6, 1.0, "a text of 5 tokens that goes on by 6 is longer than the model's 9 positions"),
        ([[1]], 0, 1.0, "limit must be at least 1 token, got 0"),
        ([[1]], 1, -1.0, "temperature must be a number of 0 or more"),
    ],
)
@pytest.mark.parametrize("kind", [CausalLanguage, HookedLanguage])
def test_what_cannot_go_on_is_refused(
    kind: type[HookedLanguage], prefixes: list[list[int]], limit: int, temperature: float, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        kind(causal()).sample(prefixes, limit, temperature, torch.Generator())


def test_a_folder_opens_from_the_disk_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was tried"))
    path = folder(tmp_path / "model")
    assert is_folder(path)
    model = open_folder(path, CPU)
    assert (model.name, model.end_tokens, model.n_positions) == ("model", {END}, 40)
    assert model.spell(model.read(TEXT)) == TEXT
    expected = HuggingFaceLanguage(gpt2()).next_probabilities([[5, 6]])
    np.testing.assert_allclose(model.next_probabilities([[5, 6]]), expected, atol=1e-6)


def test_a_folder_without_a_tokenizer_speaks_in_numbers(tmp_path: Path) -> None:
    path = folder(tmp_path / "model")
    (path / "tokenizer.json").unlink()
    # A pickled tokenizer, as some folders have it, is never opened.
    (path / "tokenizer.pkl").write_bytes(pickle.dumps(Evil(tmp_path / "opened")))
    model = open_folder(path, CPU)
    assert model.read("5 17") == [5, 17]
    assert model.spell([5, 17]) == "5 17"
    assert not (tmp_path / "opened").exists()


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_pickled_weights_run_no_code(tmp_path: Path) -> None:
    path = folder(tmp_path / "model")
    (path / "model.safetensors").unlink()
    torch.save({"transformer.wte.weight": Evil(tmp_path / "opened")}, path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="cannot be opened as a causal language model"):
        open_folder(path, CPU)
    assert not (tmp_path / "opened").exists()


def test_weights_in_an_older_file_of_tensors_are_read(tmp_path: Path) -> None:
    path = folder(tmp_path / "model")
    (path / "model.safetensors").unlink()
    torch.save(gpt2().state_dict(), path / "pytorch_model.bin")
    expected = HuggingFaceLanguage(gpt2()).next_probabilities([[5, 6]])
    np.testing.assert_allclose(open_folder(path, CPU).next_probabilities([[5, 6]]), expected, atol=1e-6)


def test_code_of_a_folder_is_not_run(tmp_path: Path) -> None:
    path = folder(tmp_path / "model")
    (path / "evil.py").write_text(f"open({str(tmp_path / 'opened')!r}, 'w').close()")
    changed_config(path, model_type="evil", auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"})
    with pytest.raises(CheckpointError, match="cannot be opened"):
        open_folder(path, CPU)
    assert not (tmp_path / "opened").exists()


def test_a_folder_that_lacks_weights_is_refused_and_not_filled_with_random_ones(tmp_path: Path) -> None:
    path = folder(tmp_path / "model")
    changed_config(path, n_layer=3)
    with pytest.raises(CheckpointError, match=r"lacks the weights transformer\.h\.2"):
        open_folder(path, CPU)


def test_what_is_no_folder_of_a_model_is_none(tmp_path: Path) -> None:
    assert not is_folder(tmp_path)
    (tmp_path / "config.json").write_text("[1")
    assert not is_folder(tmp_path)
    (tmp_path / "config.json").write_text("3")
    assert not is_folder(tmp_path)


def test_names_are_read_and_the_nearest_is_told() -> None:
    names = NamedTokens(["apple", "pear", "END"])
    assert names.read(" pear  END ") == [1, 2]
    assert names.spell([0, 2]) == "apple END"
    with pytest.raises(InputError, match="no token is called 'peer'; did you mean 'pear'"):
        names.read("peer")
    with pytest.raises(InputError, match="has no tokens"):
        names.read("  ")
    assert NumberedTokens(3).read("2 0") == [2, 0]


def test_branches_are_the_likely_tokens_and_the_own_one() -> None:
    law = np.array([0.5, 0.04, 0.4, 0.06])
    followed, weights = branches_of(law, 1)
    assert followed.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(weights, law)
    followed, weights = branches_of(law, 0, least=0.1)
    assert followed.tolist() == [0, 2]
    np.testing.assert_allclose(weights, [5 / 9, 4 / 9])


def test_temperature_turns_a_law_as_its_logits() -> None:
    law = np.array([[0.5, 0.3, 0.2, 0.0]])
    np.testing.assert_allclose(tempered(law, 1.0), law)
    np.testing.assert_allclose(tempered(law, 0.5), law**2 / (law**2).sum())
    np.testing.assert_array_equal(tempered(law, 0.0), [[1, 0, 0, 0]])
