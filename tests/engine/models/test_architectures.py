"""Shapes, parameter names and configuration of every architecture."""

import pytest
import torch

from engine.errors import UserError
from engine.models import architectures, build, complete


def expected_resnet_names(depths: list[int], convolutions: int) -> list[str]:
    """torchvision's state_dict keys by its naming rule: stem, layerI.J.{convK,bnK}, downsample where shapes change."""
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    names = ["conv1.weight", *(f"bn1.{n}" for n in norm)]
    for stage, depth in enumerate(depths, start=1):
        for index in range(depth):
            prefix = f"layer{stage}.{index}"
            for k in range(1, convolutions + 1):
                names += [f"{prefix}.conv{k}.weight", *(f"{prefix}.bn{k}.{n}" for n in norm)]
            if index == 0 and (stage > 1 or convolutions == 3):
                names += [f"{prefix}.downsample.0.weight", *(f"{prefix}.downsample.1.{n}" for n in norm)]
    return [*names, "fc.weight", "fc.bias"]


@pytest.mark.parametrize(
    ("name", "depths", "convolutions", "parameters"),
    [
        ("resnet18", [2, 2, 2, 2], 2, 11_689_512),
        ("resnet34", [3, 4, 6, 3], 2, 21_797_672),
        ("resnet50", [3, 4, 6, 3], 3, 25_557_032),
        ("resnet101", [3, 4, 23, 3], 3, 44_549_160),
        ("resnet152", [3, 8, 36, 3], 3, 60_192_808),
    ],
)
def test_resnets_have_the_names_and_the_size_of_the_public_weights(name, depths, convolutions, parameters):
    with torch.device("meta"):
        model = build(name, {"num_classes": 1000, "in_channels": 3, "stem": "large"})
    assert list(model.state_dict()) == expected_resnet_names(depths, convolutions)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model.state_dict()["conv1.weight"].shape == (64, 3, 7, 7)


@pytest.mark.parametrize("name", ["mlp", "convnet", "resnet18", "resnet101", "vit", "efficientnet_lite0"])
def test_every_architecture_is_built_from_the_shape_of_the_data(name):
    config = complete(name, {}, "images", (3, 16, 16), 7)
    with torch.device("meta"):
        model = build(name, config).eval()
        assert model(torch.zeros(2, 3, 16, 16)).shape == (2, 7)


def test_a_large_stem_divides_the_image_by_32_and_a_small_one_by_8():
    for stem, side in [("large", 2), ("small", 8)]:
        with torch.device("meta"):
            model = build("resnet18", {"num_classes": 2, "in_channels": 3, "stem": stem}).eval()
            seen = []
            model.get_submodule("layer4").register_forward_hook(lambda m, i, o, seen=seen: seen.append(o.shape[-1]))
            model(torch.zeros(1, 3, 64, 64))
        assert seen == [side]


def test_pruned_widths_are_a_configuration_like_any_other():
    config = {
        "num_classes": 10,
        "in_channels": 3,
        "stage_widths": [64, 100, 200, 300],
        "inner_widths": [[[10], [20]], [[30], [40]], [[50], [60]], [[70], [80]]],
    }
    model = build("resnet18", config)
    assert model.get_submodule("layer4.1.conv1").weight.shape == (80, 300, 3, 3)
    assert model.eval()(torch.zeros(1, 3, 16, 16)).shape == (1, 10)


def test_a_table_goes_into_a_perceptron_only():
    assert complete("mlp", {}, "table", (13,), 1)["in_features"] == 13
    with pytest.raises(UserError, match="takes images, the data is table"):
        complete("resnet18", {}, "table", (13,), 3)


def test_data_with_other_classes_or_channels_is_refused_with_both_numbers():
    with pytest.raises(UserError, match="10 outputs, the data has 3 classes"):
        complete("resnet18", {"num_classes": 10}, "images", (3, 32, 32), 3)
    with pytest.raises(UserError, match="expects in_channels 3, the data has 1 .shape 1 x 8 x 8"):
        complete("resnet18", {"in_channels": 3}, "images", (1, 8, 8), 10)


def test_an_unknown_architecture_or_value_is_named():
    with pytest.raises(UserError, match="no architecture lenet") as caught:
        build("lenet", {})
    assert "resnet18" in caught.value.hint
    with pytest.raises(UserError, match="stem"):
        build("resnet18", {"stem": "medium"})
    with pytest.raises(UserError, match="num_classes, in_channels not known yet|in_channels.*not known yet"):
        build("resnet18", {})


def test_the_same_seed_gives_the_same_weights():
    config = {"num_classes": 3, "in_features": 4}
    for name in architectures():
        if name != "mlp":
            continue
        torch.manual_seed(1)
        first = build(name, config).state_dict()
        torch.manual_seed(1)
        second = build(name, config).state_dict()
        assert all(torch.equal(first[key], second[key]) for key in first)
