"""Pruning a network once: what hangs together, what matters, what goes, and what the rest makes of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.compress.prune import prune
from engine.compress.prune.apply import cut
from engine.compress.prune.choose import choose
from engine.compress.prune.groups import Group, Slice, shapes, structure, with_counts
from engine.compress.prune.importance import reads, scores, units
from engine.compress.prune.mend import mend, read_moments
from engine.compress.prune.method import Pruning
from engine.compress.recalibrate import recalibrate
from engine.errors import CancelledRun, UserError
from engine.models import build
from tests.engine.compress.conftest import RESNET, Bench
from tests.engine.compress.networks import NETWORKS, inputs

EVERY = pytest.mark.parametrize("name", list(NETWORKS))
MLP = {"in_features": 3, "num_classes": 2, "hidden": [4, 3]}


def network(name: str) -> tuple[str, dict, nn.Module]:
    architecture, config = NETWORKS[name]
    torch.manual_seed(1)
    module = build(architecture, config).eval()
    with torch.no_grad():  # every number differs from its neighbours, also where networks begin with zeros and ones
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return architecture, config, module


# What hangs together


@EVERY
def test_the_slices_of_all_groups_say_what_a_narrower_network_looks_like(name: str) -> None:
    architecture, config = NETWORKS[name]
    found = structure(architecture, config)
    counts = {group.name: max(1, group.count - 1 - number % 2) for number, group in enumerate(found.groups)}
    expected = {key: list(sides) for key, sides in shapes(architecture, config).items()}
    for group in found.groups:
        for part in group.slices:
            expected[part.tensor][part.side] -= part.block * (group.count - counts[group.name])
    made = shapes(architecture, with_counts(found, counts))
    assert {key: list(sides) for key, sides in made.items()} == expected


def test_channels_that_are_added_shrink_together_and_with_what_reads_them() -> None:
    groups = {group.name: group for group in structure("resnet18", RESNET).groups}
    touched = {(part.tensor, part.side) for part in groups["stage_widths.1"].slices if "bn" not in part.tensor}
    assert touched >= {
        ("layer2.0.conv2.weight", 0),
        ("layer2.0.downsample.0.weight", 0),
        ("layer2.1.conv1.weight", 1),
        ("layer2.1.conv2.weight", 0),
        ("layer3.0.conv1.weight", 1),
        ("layer3.0.downsample.0.weight", 1),
    }
    # Without a convolution in the first shortcut the stem and the first stage are one group.
    assert groups["stem_width"].places == (("stem_width",), ("stage_widths", 0))


def test_a_filter_of_single_channels_goes_with_its_channels() -> None:
    groups = {group.name: group for group in structure(*NETWORKS["efficientnet_lite0"]).groups}
    touched = {(part.tensor, part.side) for part in groups["inner_widths.2"].slices}
    assert {("_blocks.2._expand_conv.weight", 0), ("_blocks.2._depthwise_conv.weight", 0)} <= touched
    assert ("_blocks.2._project_conv.weight", 1) in touched
    assert groups["widths.1"].places == (("widths", 1), ("widths", 2))


def test_heads_that_share_keys_go_together() -> None:
    groups = {group.name: group for group in structure(*NETWORKS["transformer_lm"]).groups}
    assert groups["layer_heads.0"].count == 2
    assert {part.tensor.split(".")[-2]: part.block for part in groups["layer_heads.0"].slices} == {
        "q_proj": 8, "k_proj": 4, "v_proj": 4, "o_proj": 8,
    }  # fmt: skip


def test_a_module_of_ones_own_says_why_it_cannot_be_pruned() -> None:
    from engine.models import register_local

    register_local("wrapped:Mine-1", lambda config: nn.Linear(2, 2))
    with pytest.raises(UserError, match="channels of a Mine cannot be pruned"):
        prune(nn.Linear(2, 2), "wrapped:Mine-1", {"num_classes": 2}, torch.zeros(1, 2))


# Cutting


@EVERY
def test_nothing_goes_at_a_ratio_of_zero(name: str) -> None:
    architecture, config, module = network(name)
    x = inputs(name)
    small = prune(module, architecture, config, x, ratio=0.0, examples=[x])
    with torch.no_grad():
        assert torch.equal(small.module(x), module(x))
    assert (small.params_before, small.macs_before) == (small.params_after, small.macs_after)


@EVERY
def test_units_that_nothing_reads_can_go_without_a_change(name: str) -> None:
    architecture, config, module = network(name)
    found = structure(architecture, config)
    weights, kept = dict(module.named_parameters()), {}
    for group in found.groups:
        silenced = [part for part in group.slices if reads(module, part)]
        if architecture == "moe_lm" and group.name.startswith("inner"):
            silenced = [part for part in group.slices if part.tensor.endswith("down_proj")]
        if group.is_stream or not silenced or architecture == "autoencoder":
            continue  # normalisation looks at all of a stream; an autoencoder reads each width twice
        kept[group.name] = torch.arange(group.count)[1:]
        with torch.no_grad():
            for part in silenced:
                units(weights[part.tensor], part, group.count)  # its shape is what is said
                weights[part.tensor].narrow(part.side, 0, part.block).zero_()
    assert kept or architecture == "autoencoder"
    small, smaller = cut(module, architecture, found, kept)
    with torch.no_grad():
        torch.testing.assert_close(small(inputs(name)), module(inputs(name)), rtol=1e-4, atol=1e-5)
        again = build(architecture, smaller).eval()
        again.load_state_dict(small.state_dict())
        assert torch.equal(again(inputs(name)), small(inputs(name)))


@EVERY
def test_a_pruned_network_computes_and_learns(name: str) -> None:
    architecture, config, module = network(name)
    x = inputs(name)
    small = prune(module, architecture, config, x, ratio=0.4, scope="layer", round_to=1, examples=[x])
    assert small.params_after < 0.8 * small.params_before
    assert small.macs_after < 0.8 * small.macs_before
    small.module(x).square().mean().backward()
    assert all(parameter.grad is not None for parameter in small.module.parameters() if parameter.requires_grad)


def test_the_original_stays_as_it_was(bench: Bench) -> None:
    before = {name: value.clone() for name, value in bench.module.state_dict().items()}
    prune(bench.module, "resnet18", RESNET, bench.images[:1], ratio=0.5, examples=[bench.calibration])
    assert all(torch.equal(value, before[name]) for name, value in bench.module.state_dict().items())


def test_a_shortcut_does_not_change_its_kind() -> None:
    architecture, config, module = network("resnet50")  # stem 16, first stage 32: half of it would be as wide
    pruning = Pruning(module, architecture, config, torch.zeros(1, 2, 16, 16))
    pruning.scores = {"stage_widths.0": pruning.scores["stage_widths.0"]}
    small = pruning.at(0.5, "layer", 8)
    assert small.config["stage_widths"][0] == 24
    assert small.module(torch.zeros(1, 2, 16, 16)).shape == (1, 3)


# Importance


def test_the_size_of_weights_is_their_mean_over_all_that_hangs_on_a_unit() -> None:
    module = build("mlp", MLP)
    first, second = (module.layers[n].weight.detach().double().numpy() for n in (0, 1))
    for name, power in (("l1", 1), ("l2", 2)):
        found = scores(module, structure("mlp", MLP).groups, name)["hidden.0"].numpy()
        makes = (np.abs(first) ** power).mean(1) ** (1 / power)
        read = (np.abs(second) ** power).mean(0) ** (1 / power)
        np.testing.assert_allclose(found, (makes / makes.mean() + read / read.mean()) / 2)


def test_taylor_is_the_change_of_the_loss_when_a_unit_is_scaled() -> None:
    torch.manual_seed(0)
    module = build("mlp", MLP).double()
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randint(0, 2, (20,))
    found = scores(module, structure("mlp", MLP).groups, "taylor", [(x, y)])["hidden.0"]
    step = 1e-5
    for unit in range(4):
        losses = []
        for factor in (1 - step, 1 + step):
            scaled = build("mlp", MLP).double()
            scaled.load_state_dict(module.state_dict())
            with torch.no_grad():
                scaled.layers[1].weight[:, unit] *= factor
                losses.append(float(nn.functional.cross_entropy(scaled(x), y)))
        assert float(found[unit]) == pytest.approx(abs(losses[1] - losses[0]) / (2 * step), rel=1e-4, abs=1e-9)


def test_taylor_leaves_no_gradient_behind_and_freezes_what_was_frozen() -> None:
    module = build("mlp", MLP)
    module.head.weight.requires_grad_(False)
    scores(module, structure("mlp", MLP).groups, "taylor", [(torch.randn(4, 3), torch.tensor([0, 1, 1, 0]))])
    assert all(parameter.grad is None for parameter in module.parameters())
    assert [name for name, parameter in module.named_parameters() if not parameter.requires_grad] == ["head.weight"]


def test_taylor_without_targets_asks_for_them(bench: Bench) -> None:
    with pytest.raises(UserError, match="needs examples with their targets"):
        prune(bench.module, "resnet18", RESNET, bench.images[:1], importance="taylor", examples=[bench.images])


def test_the_factor_of_normalisation_ranks_the_channels_in_front_of_it(bench: Bench) -> None:
    found = scores(bench.module, structure("resnet18", RESNET).groups, "batch_norm")["inner_widths.1.0.0"]
    gamma = bench.module.layer2[0].bn1.weight.detach().abs()
    np.testing.assert_allclose(found.numpy(), (gamma / gamma.mean()).numpy(), rtol=1e-5)


def test_a_network_without_normalisation_names_the_other_rankings() -> None:
    with pytest.raises(UserError, match="no batch normalisation"):
        scores(build("mlp", MLP), structure("mlp", MLP).groups, "batch_norm")


# Choosing


def group(name: str, count: int, block: int = 1) -> Group:
    return Group(name, ((name,),), count, (Slice(name, 0, block),))


def test_a_layer_keeps_its_best_channels_in_multiples() -> None:
    values = torch.arange(32.0)
    kept = choose([group("a", 32)], {"a": values}, 0.4, "layer", 8)["a"]
    assert kept.tolist() == list(range(16, 32))  # 19.2 would stay, and 16 is the nearest multiple


def test_heads_are_not_rounded_when_each_has_enough_channels() -> None:
    kept = choose([group("heads", 6, block=64)], {"heads": torch.tensor([5.0, 1, 4, 2, 6, 3])}, 0.5, "layer", 8)
    assert kept["heads"].tolist() == [0, 2, 4]


def test_the_least_important_go_wherever_they_are() -> None:
    weak, strong = torch.linspace(0, 0.5, 16), torch.linspace(1, 2, 16)
    kept = choose([group("weak", 16), group("strong", 16)], {"weak": weak, "strong": strong}, 0.25, "global", 1)
    assert kept["weak"].tolist() == list(range(8, 16))
    assert "strong" not in kept


def test_no_layer_is_emptied_though_all_of_it_is_weak() -> None:
    weak, strong = torch.zeros(20), torch.ones(20)
    kept = choose([group("weak", 20), group("strong", 20)], {"weak": weak, "strong": strong}, 0.6, "global", 1)
    assert len(kept["weak"]) == 2
    assert len(kept["strong"]) == 14


@pytest.mark.parametrize("ratio", [1.0, 1.5, -0.1])
def test_a_ratio_that_is_no_share_is_refused(ratio: float) -> None:
    with pytest.raises(UserError, match="without channels"):
        choose([group("a", 8)], {"a": torch.ones(8)}, ratio, "global", 1)


def test_a_ratio_that_would_empty_a_layer_names_it() -> None:
    with pytest.raises(UserError, match="would leave a without channels: it has 4"):
        choose([group("a", 4)], {"a": torch.ones(4)}, 0.9, "layer", 1)


def test_a_ratio_that_cannot_be_reached_says_how_far_it_goes() -> None:
    with pytest.raises(UserError, match="at most 50 % of the channels can go"):
        choose([group("a", 16)], {"a": torch.ones(16)}, 0.8, "global", 8)


# Mending, and counting anew


def test_mended_weights_are_those_of_least_squares() -> None:
    torch.manual_seed(0)
    module, found = build("mlp", MLP), structure("mlp", MLP)
    x, kept = torch.randn(400, 3), {"hidden.1": torch.tensor([0, 2])}
    small, _ = cut(module, "mlp", found, kept)
    mend(module, small, found.groups, kept, read_moments(module, found.groups, [x[:150], x[150:]]))
    with torch.no_grad():
        read = nn.functional.relu(module.layers[1](nn.functional.relu(module.layers[0](x)))).double().numpy()
        out = module(x).double().numpy()
    known = np.concatenate([read[:, [0, 2]], np.ones((400, 1))], axis=1)
    best = known @ np.linalg.lstsq(known, out, rcond=None)[0]
    found_error = ((small(x).detach().numpy() - out) ** 2).mean()
    assert found_error == pytest.approx(((best - out) ** 2).mean(), rel=0.01)


def test_mending_lets_a_network_keep_its_answers_without_training(bench: Bench) -> None:
    def right(mended: bool) -> float:
        small = prune(
            bench.module, "resnet18", RESNET, bench.images[:1],
            ratio=0.4, scope="layer", round_to=4, examples=[bench.calibration], mended=mended,
        )  # fmt: skip
        with torch.no_grad():
            return bench.accuracy(small.module(bench.images))

    assert right(True) > right(False) + 0.1


def test_counting_anew_gives_the_mean_over_the_batches() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    batches = [torch.randn(20, 3), torch.randn(30, 3) + 1]
    with torch.no_grad():
        seen = [module[0](batch) for batch in batches]
    assert recalibrate(module, batches) == 1
    norm = module[1]
    torch.testing.assert_close(norm.running_mean, torch.stack([part.mean(0) for part in seen]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([part.var(0) for part in seen]).mean(0))
    assert norm.momentum == 0.1
    assert module.training


def test_counting_that_is_stopped_changes_nothing() -> None:
    module = nn.Sequential(nn.BatchNorm1d(2))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    calls: list[int] = []

    def stop() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise CancelledRun

    with pytest.raises(CancelledRun):
        recalibrate(module, [torch.randn(8, 2)] * 2, stop)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_network_without_normalisation_is_not_run() -> None:
    def never() -> Tensor:
        raise AssertionError

    assert recalibrate(nn.Linear(2, 2), (never() for _ in range(1))) == 0
