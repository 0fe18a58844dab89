"""Images, prompts and networks of concept space against slow ones, and what the training sees of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mcinterp.config import load_preset
from mcinterp.errors import ConfigError
from mcinterp.model import Intervention, intervene
from mcinterp.model.build import build_model
from mcinterp.studies.concept_space.config import ConceptConfig, FlowConfig
from mcinterp.studies.concept_space.images import (
    HELD_OUT,
    LARGE_BLUE,
    LARGE_RED,
    SMALL_RED,
    TRAINED,
    Scene,
    class_prompt,
    cover,
    drawn_scene,
    rendered,
)
from mcinterp.studies.concept_space.model import FlowNetwork, sampled
from mcinterp.studies.concept_space.signals import COLOUR, SIZE, concept_signals, image_change, prompt_change
from mcinterp.studies.concept_space.task import ConceptImages

CONFIG = ConceptConfig(pixels=6)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(n: int = 3, combination: tuple[int, int] = LARGE_RED, config: ConceptConfig = CONFIG) -> Scene:
    return drawn_scene(config, torch.tensor([combination]).expand(n, 2), generator())


def network(seed: int = 0) -> FlowNetwork:
    return FlowNetwork(FlowConfig(width=7, layers=2, embedding=5, features=6), CONFIG.d)


def test_an_image_is_that_of_a_renderer_that_goes_pixel_by_pixel() -> None:
    drawn = scene()
    images = rendered(drawn, 6).reshape(3, 6, 6, 3)
    for at in range(3):
        x, y = drawn.centre[at].tolist()
        for row in range(6):
            for column in range(6):
                distance = math.hypot(-1 + 2 * column / 5 - x, -1 + 2 * row / 5 - y)
                disc = 1 / (1 + math.exp(-(drawn.size[at].item() - distance) / 0.12))
                mixed = [disc * c + (1 - disc) * drawn.background[at].item() for c in drawn.colour[at].tolist()]
                assert images[at, row, column].tolist() == pytest.approx([2 * c - 1 for c in mixed], abs=1e-5)


def test_scenes_lie_around_their_class_as_far_as_the_jitter_says() -> None:
    drawn = scene(20_000, HELD_OUT)
    half = CONFIG.sep_colour / 2
    for channel, middle in enumerate((0.5 - half, 0.5 - half, 0.5 + half)):
        ends = drawn.colour[:, channel]
        assert ends.min().item() == pytest.approx(middle - CONFIG.sep_colour / 8, abs=1e-3)
        assert ends.max().item() == pytest.approx(middle + CONFIG.sep_colour / 8, abs=1e-3)
    assert drawn.size.min().item() == pytest.approx(0.65 - CONFIG.sep_size * (1 / 2 + 3 / 16), abs=1e-3)
    assert drawn.size.max().item() == pytest.approx(0.65 - CONFIG.sep_size * (1 / 2 - 3 / 16), abs=1e-3)
    assert drawn.centre.abs().max().item() == pytest.approx(0.15, abs=1e-3)
    assert (drawn.background.min().item(), drawn.background.max().item()) == pytest.approx((0.8, 1.0), abs=1e-3)


def test_prompts_are_colour_and_size_less_their_middle_in_their_units() -> None:
    config = ConceptConfig(sep_colour=0.3, sep_size=0.4, unit_colour=2.0, unit_size=10.0)
    assert class_prompt(config, LARGE_RED).tolist() == pytest.approx([0.3, -0.3, -0.3, 2.0])
    assert class_prompt(config, HELD_OUT).tolist() == pytest.approx([-0.3, -0.3, 0.3, -2.0])
    # Three times as much blue, of which green is no part.
    assert class_prompt(config, (2.0, 1.0)).tolist() == pytest.approx([-0.9, -0.3, 0.9, -2.0])
    drawn = scene(4)
    image, prompt = ConceptImages(CONFIG).images(torch.tensor([LARGE_RED]).expand(4, 2), generator())
    assert torch.equal(image, rendered(drawn, 6))
    torch.testing.assert_close(prompt[:, :3] + 0.5, drawn.colour)
    torch.testing.assert_close(prompt[:, 3] / CONFIG.unit_size + 0.65, drawn.size)


def test_a_batch_is_on_its_way_from_noise_and_its_end_is_the_held_out_combination() -> None:
    task = ConceptImages(CONFIG)
    batch = task.draw(30_000, generator(3))
    assert (batch.trained, len(batch)) == (30_000, 37_500)
    way, time, prompt = batch.inputs.split([CONFIG.d, 1, 4], -1)
    image, noise = way + (1 - time) * batch.targets, way - time * batch.targets
    assert image.abs().max() <= 1.0001
    assert noise.std().item() == pytest.approx(1.0, abs=0.01)
    assert time.mean().item() == pytest.approx(0.5, abs=0.01)
    kinds = torch.stack([prompt[:, 2] > prompt[:, 0], prompt[:, 3] < 0], -1).int()
    for combination in TRAINED:
        share = (kinds[:30_000] == torch.tensor(combination)).all(-1).float().mean().item()
        assert share == pytest.approx(1 / 3, abs=0.01)
    assert (kinds[30_000:] == torch.tensor(HELD_OUT)).all()
    assert torch.equal(task.draw(8, generator(5)).inputs, task.draw(8, generator(5)).inputs)


def test_the_loss_leaves_the_held_out_combination_out_and_the_score_is_of_it_alone() -> None:
    task = ConceptImages(CONFIG)
    batch = task.draw(8, generator())
    output = batch.targets.clone()
    output[8:] += 2
    assert task.loss(output, batch).item() == 0
    assert task.scores(output, batch)["held_out_loss"].item() == pytest.approx(4.0)
    output[0] += 1
    assert task.loss(output, batch).item() == pytest.approx(1 / 8)


def test_the_colour_signal_is_proportional_to_the_separation_and_the_disc() -> None:
    other = ConceptConfig(sep_colour=0.6)
    rows = {row["other"]: row["signal"] for row in concept_signals(other) if row["concept"] == COLOUR}
    for small, name in enumerate(("large", "small")):
        drawn = scene(1000, (0, small), other)
        drawn = replace(drawn, size=torch.full((1000,), 0.65 + (0.5 - small) * other.sep_size))
        closed = 2 * math.sqrt(2) * other.sep_colour * cover(drawn, 8).square().sum((1, 2)).sqrt().mean().item()
        assert rows[name] == pytest.approx(closed, rel=1e-4)
    half = ConceptConfig(sep_colour=0.3)
    assert image_change(half, COLOUR, 0).mean() == pytest.approx(rows["large"] / 2, rel=1e-4)
    assert prompt_change(other, COLOUR) == pytest.approx(0.6 * math.sqrt(2))


def test_the_size_signal_is_the_gradient_of_the_renderer() -> None:
    config = ConceptConfig(pixels=16, sep_colour=0.35, sep_size=0.02)
    drawn = replace(scene(1000, (0, 0), config), colour=torch.tensor([[0.675, 0.325, 0.325]]).expand(1000, 3))
    edge = cover(replace(drawn, size=torch.full((1000,), 0.65)), 16)
    by_size = (edge * (1 - edge) / 0.12).square().sum((1, 2))
    by_channel = (drawn.colour - drawn.background[:, None]).square().sum(-1)
    slope = 2 * config.sep_size * (by_size * by_channel).sqrt()
    signal = image_change(config, SIZE, 0)
    assert signal == pytest.approx(slope.numpy(), rel=1e-3)
    assert prompt_change(config, SIZE) == pytest.approx(config.unit_size * 0.02, rel=1e-4)


def test_a_network_answers_as_one_that_is_written_out() -> None:
    model = network()
    inputs = ConceptImages(CONFIG).draw(3, generator()).inputs
    image, time, prompt = inputs.split([CONFIG.d, 1, 4], -1)

    def layer(at: torch.nn.Module, values: Tensor) -> Tensor:
        return values @ at.weight.T + at.bias  # type: ignore[operator,union-attr]

    def gelu(values: Tensor) -> Tensor:
        return values * (1 + torch.erf(values / math.sqrt(2))) / 2

    angles = time * torch.tensor([1.0, 10.0, 100.0])
    embedded = layer(model.embed[2], gelu(layer(model.embed[0], prompt)))
    clock = layer(model.clock[2], gelu(layer(model.clock[0], torch.cat([angles.sin(), angles.cos()], -1))))
    told = layer(model.told, torch.cat([embedded, clock], -1))
    first = gelu(layer(model.hidden[0], image) + told[:, :7])
    second = first + gelu(layer(model.hidden[1], first) + told[:, 7:])
    # What image and noise are expected to be where images are N(m, 0.01), each conditioned on their mixture.
    variance = (1 - time) ** 2 + 0.01 * time**2
    expected = layer(model.out, second)
    left = image - time * expected
    velocity = expected + 0.01 * time / variance * left - (1 - time) / variance * left
    torch.testing.assert_close(model(inputs), velocity, rtol=1e-4, atol=1e-4)
    _, cache = model.run_with_cache(inputs)
    torch.testing.assert_close(cache["hook_embed"], embedded)
    torch.testing.assert_close(cache["hook_time"], clock, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(cache["hook_hidden.1"], second, rtol=1e-4, atol=1e-5)


def test_sampling_is_euler_and_interventions_leave_no_trace() -> None:
    model = network()
    noise = torch.randn(2, CONFIG.d, generator=generator())
    prompts = torch.stack([class_prompt(CONFIG, LARGE_BLUE), class_prompt(CONFIG, SMALL_RED)])
    image = noise.clone()
    with torch.no_grad():
        for step in range(4):
            for row in range(2):
                time = torch.tensor([step / 4])
                image[row] += model(torch.cat([image[row], time, prompts[row]])[None])[0] / 4
    made = sampled(model, prompts, noise, 4)
    torch.testing.assert_close(made, image, rtol=1e-4, atol=1e-5)
    with intervene(model, Intervention({"hook_embed": lambda embedding: embedding * 0})):
        without = sampled(model, prompts, noise, 4)
    assert not torch.allclose(without, made)
    assert torch.equal(sampled(model, prompts, noise, 4), made)


def test_initial_weights_come_from_the_seed_and_are_weighed_before_they_are_made() -> None:
    config = load_preset("concept-space")
    first, again = build_model(config, 3).weights(), build_model(config, 3).weights()
    other = build_model(config, 4).weights()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["out.weight"], other["out.weight"])
    least = 4 * sum(weight.numel() for weight in first.values())
    assert 0.8 * least < config.model.weight_bytes(config.task) < 1.1 * least


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("task.sep_size=0.9", "sep_size"),
        ("task.pixels=3", "pixels"),
        ("model.features=3", "features"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(field: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_preset("concept-space", [field])
