"""Configurations: the paper's defaults, strict fields, contradictions, files, overrides and the hash."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mcinterp.config import (
    RunConfig,
    TrainConfig,
    load_config,
    load_preset,
    parse_config,
    preset_names,
    validate_config,
)
from mcinterp.errors import ConfigError
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig

# Another valid value for every field, with which nothing else has to change.
OTHER = {
    "task.rows": 8,
    "task.cols": 9,
    "task.rank": 3,
    "task.p_mask": 0.4,
    "task.factors": "gaussian",
    "task.factor_scale": 0.5,
    "task.v_min": -9.0,
    "task.v_max": 9.0,
    "task.decimals": 1,
    "task.out_of_range": "clip",
    "task.tokens": "truncate",
    "task.sizes": ((5, 5), (7, 7)),
    "model.n_layers": 5,
    "model.n_heads": 4,
    "model.d_model": 512,
    "model.d_mlp": 1024,
    "model.layer_norm_eps": 1e-5,
    "model.init_std": "width",
    "model.mask_embedding": "learned",
    "training.steps": 100,
    "training.batch_size": 64,
    "training.optimiser": "sgd",
    "training.weight_decay": 0.1,
    "training.clip_norm": 1.0,
    "training.learning_rate": 1e-3,
    "training.beta1": 0.8,
    "training.beta2": 0.99,
    "training.schedule": "cosine",
    "training.warmup_steps": 10,
    "training.hold_steps": 5,
    "training.seed": 1,
    "training.data_seed": 2,
    "training.chain_seed": 3,
    "training.precision": "bf16",
    "training.checkpoints": 21,
    "training.spacing": "sqrt",
    "training.replay_states": 11,
    "training.dense_checkpoints": 0,
}
# Where another field has to be another one already.
WITH = {
    "training.weight_decay": ["training.optimiser=adamw"],
    "training.hold_steps": ["training.schedule=cosine"],
}


def problem_of(text: str, *overrides: str) -> str:
    """The sentence that a wrong configuration is refused with."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "here.yaml", overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def with_other(name: str) -> RunConfig:
    section, field = name.split(".")
    tree = parse_config("", "test", WITH.get(name, ())).model_dump()
    return validate_config({**tree, section: {**tree[section], field: OTHER[name]}}, "test")


def test_defaults_are_the_papers() -> None:
    config = RunConfig()
    assert (config.task.rows, config.task.cols, config.task.rank, config.task.p_mask) == (7, 7, 2, 0.3)
    assert (config.task.factors, config.task.factor_scale) == ("uniform", 1.0)
    assert (config.task.n_positions, config.task.d_vocab, config.task.tokens) == (49, 2002, "round")
    model = config.model
    assert (model.n_layers, model.n_heads, model.d_model, model.d_mlp, model.d_head) == (4, 8, 768, 3072, 96)
    assert (model.weight_std, model.mask_embedding, model.layer_norm_eps) == (0.02, "zero", 1e-12)
    training = config.training
    assert (training.steps, training.batch_size, training.learning_rate) == (50_000, 256, 1e-4)
    assert (training.schedule, training.warmup_steps) == ("constant", 0)


def test_width_initialisation_is_one_over_the_root_of_the_width() -> None:
    assert ModelConfig(d_model=64, init_std="width").weight_std == pytest.approx(0.125)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().task.rows = 8  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("task: {rowz: 3}", "here.yaml: task.rowz is not a field; did you mean 'rows'?"),
        ("trianing: {}", "here.yaml: trianing is not a field; did you mean 'training'?"),
        ("model: {zzz: 1}", "model.zzz is not a field; valid: architecture, d_mlp, d_model"),
    ],
)
def test_an_unknown_field_names_the_nearest(text: str, sentence: str) -> None:
    assert sentence in problem_of(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("training: {steps: 10.0}", ("training.steps = 10.0", "integer")),
        ("training: {steps: '10'}", ("training.steps = '10'", "integer")),
        ("training: {steps: true}", ("training.steps = True", "integer")),
        ("training: {learning_rate: fast}", ("training.learning_rate = 'fast'", "number")),
        ("training: {learning_rate: true}", ("training.learning_rate = True", "number")),
        ("training: {learning_rate: .inf}", ("training.learning_rate = inf", "finite")),
        (f"training: {{learning_rate: 1{'0' * 400}}}", ("training.learning_rate",)),
        (f"training: {{seed: {2**70}}}", ("training.seed", "less than")),
        ("task: {p_mask: 1.5}", ("task.p_mask = 1.5", "less than or equal to 1")),
        ("task: {factors: cauchy}", ("task.factors = 'cauchy'", "'uniform'")),
        ("task: 3", ("task = 3", "dictionary")),
        ("model: {init_std: foo}", ("model.init_std = 'foo'", "number", "'width'")),
        ("model: {init_std: [1]}", ("model.init_std = [1]", "number", "'width'")),
    ],
)
def test_types_are_strict(text: str, parts: tuple[str, ...]) -> None:
    message = problem_of(text)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("task: {rows: 3, cols: 5, rank: 4}", "task: rank 4 exceeds the smaller side of a 3 × 5 matrix"),
        ("task: {v_min: 2, v_max: 2}", "task: v_min 2.0 must be below v_max 2.0"),
        ("task: {v_min: -1.005}", "task: v_min -1.005 has more than 2 decimals"),
        ("model: {d_model: 30, n_heads: 4}", "model: d_model 30 is not a multiple of n_heads 4"),
        ("model: {init_std: 0}", "model: init_std 0.0 must be positive or 'width'"),
        ("training: {steps: 10, warmup_steps: 11}", "training: warmup_steps 11 exceeds steps 10"),
        (
            "task: {kind: matrix-sequence}",
            "here.yaml: task.kind 'matrix-sequence' needs model.architecture 'gpt', got 'encoder'",
        ),
        ("model: {architecture: gpt}", "task.kind 'matrix-completion' needs model.architecture 'encoder', got 'gpt'"),
    ],
)
def test_contradictions_are_refused(text: str, sentence: str) -> None:
    assert sentence in problem_of(text)


def test_full_rank_entries_have_no_rank_to_contradict() -> None:
    assert TaskConfig(rows=2, cols=2, rank=5, factors="full-rank").rank == 5


@pytest.mark.parametrize("text", ["learning_rate: 1e-3", "learning_rate: 0.001", "learning_rate: 1.0e-3"])
def test_yaml_floats_may_be_written_in_any_usual_way(text: str) -> None:
    assert parse_config(f"training: {{{text}}}", "x").training.learning_rate == 1e-3


def test_an_integer_stands_for_a_float() -> None:
    assert parse_config("task: {v_min: -2, v_max: 2}", "x") == parse_config("task: {v_min: -2.0, v_max: 2.0}", "x")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("task: [", "here.yaml is not valid YAML"),
        ("task: {rows: 3", "here.yaml is not valid YAML"),
        ("training: {seed: 2024-13-45}", "here.yaml is not valid YAML"),
        ("[1, 2]", "must hold the sections task, model and training, got list"),
        ("[]", "got list"),
        ("false", "got bool"),
        ("just words", "got str"),
        ("1: 2", "1 is not a field"),
        ("task: {1: 2}", "task.1 is not a field"),
    ],
)
def test_what_is_not_a_configuration_is_refused_in_one_sentence(text: str, part: str) -> None:
    assert part in problem_of(text)


def test_an_empty_file_is_the_papers_configuration() -> None:
    assert parse_config("", "x") == parse_config("# nothing", "x") == RunConfig()


def test_a_file_that_is_missing_or_not_text_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"# \xe9t\xe9\n")
    for path in (latin, tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(ConfigError, match=f"cannot read configuration {path}"):
            load_config(path)


@given(
    rows=st.integers(1, 12),
    seed=st.integers(0, 2**40),
    rate=st.floats(1e-8, 10, allow_nan=False),
    std=st.one_of(st.just("width"), st.floats(1e-6, 10)),
)
def test_yaml_and_back_is_the_identity(rows: int, seed: int, rate: float, std: float | str) -> None:
    config = RunConfig(
        task=TaskConfig(rows=rows, rank=1),
        model=ModelConfig(init_std=std),
        training=TrainConfig(seed=seed, learning_rate=rate),
    )
    again = parse_config(config.to_yaml(), "round trip")
    assert again == config
    assert again.hash == config.hash


def test_a_copy_with_another_section_has_its_own_hash() -> None:
    config = RunConfig()
    assert config.hash in config.known_as  # both are kept once they are asked for
    deeper = config.model_copy(update={"model": config.model.model_copy(update={"n_layers": 3})})
    assert deeper.hash not in {config.hash, *config.known_as}
    assert deeper.known_as == {deeper.hash}
    assert config.model_copy().hash == config.hash


def test_the_hash_is_stable_across_versions() -> None:
    # Checkpoints on disk carry this number: a change of it orphans every run of the paper's configuration.
    assert RunConfig().hash == "404852e78ea1b2cf"


def test_a_sequence_has_a_hash_of_its_own_and_the_encoders_have_kept_theirs() -> None:
    sequence = parse_config("{task: {kind: matrix-sequence}, model: {architecture: gpt}}", "x")
    assert parse_config(sequence.to_yaml(), "round trip").hash == sequence.hash != RunConfig().hash
    assert parse_config("model: {architecture: encoder}", "x").hash == RunConfig().hash


def test_the_autoregressive_preset_has_the_papers_tokens_and_positions() -> None:
    config = load_preset("gpt")
    assert (config.task.n_values, config.task.d_vocab, config.task.n_positions) == (401, 405, 49 + 1 + 49)
    model = config.model
    assert (model.architecture, model.n_layers, model.n_heads, model.d_model) == ("gpt", 2, 2, 256)


def test_every_field_has_another_value_in_this_test() -> None:
    fields = {f"{s}.{name}" for s, part in RunConfig().model_dump().items() for name in part or ()}
    # The first two have to change together; the last one is of optimisers that come from elsewhere, and tested there.
    # That a run was extended is no difference, but has a hash of its own.
    apart = {"task.kind", "model.architecture", "training.optimiser_settings", "training.extended"}
    assert fields - apart == OTHER.keys()


@pytest.mark.parametrize("name", OTHER)
def test_hash_and_differences_see_every_field(name: str) -> None:
    paper, other = parse_config("", "test", WITH.get(name, ())), with_other(name)
    assert other.hash != paper.hash
    (difference,) = paper.differences(other)
    assert difference.startswith(f"{name}: ")
    assert difference.endswith(f" in the run, {OTHER[name]!r} asked for")


def test_equal_configurations_do_not_differ() -> None:
    assert RunConfig().differences(RunConfig()) == []


def test_overrides_apply_in_order_on_top_of_the_file() -> None:
    config = parse_config(
        "training: {steps: 10, seed: 3}", "x", ["training.steps=20", "training.steps=30", "task.rank=1"]
    )
    assert (config.training.steps, config.training.seed, config.task.rank) == (30, 3, 1)


@pytest.mark.parametrize("override", ["training.steps", "steps=3", "=3", ".=3", "training.=3", ""])
def test_an_override_of_another_form_is_refused(override: str) -> None:
    assert "must look like section.field=value" in problem_of("", override)


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("training.steps=[", "the value is not valid YAML"),
        ("training.seed=2024-13-45", "the value is not valid YAML"),
        ("training.step=3", "did you mean 'steps'?"),
        ("training.steps=", "training.steps = None"),
        ("task.rank=9", "rank 9 exceeds"),
    ],
)
def test_an_override_that_does_not_fit_is_refused(override: str, part: str) -> None:
    assert part in problem_of("", override)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_validates(name: str) -> None:
    assert load_preset(name).training.steps >= 1


def test_the_paper_preset_is_the_default() -> None:
    assert load_preset("paper") == RunConfig()


def test_presets_take_overrides_and_unknown_ones_name_the_nearest() -> None:
    assert load_preset("tiny", ["training.seed=7"]).training.seed == 7
    with pytest.raises(ConfigError, match="no preset is called 'papr'; did you mean 'paper'"):
        load_preset("papr")
