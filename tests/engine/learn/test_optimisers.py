"""Optimisers: which parameter goes where, and that a restored one goes on as it was."""

import copy

import pytest
import torch
from torch import nn

from engine.learn.optim.optimisers import MuonWithAdamW, hidden_matrices, make_optimizer, set_rate
from engine.learn.options import TrainingOptions


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 3)
    )


def step(module, optimizer, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 2, 4, 4, generator=generator)
    optimizer.zero_grad()
    nn.functional.cross_entropy(module(x), torch.arange(8) % 3).backward()
    optimizer.step()


def test_muon_takes_hidden_matrices_and_adamw_the_rest():
    module = network()
    optimizer = make_optimizer(module, TrainingOptions(optimizer="muon"))
    assert isinstance(optimizer, MuonWithAdamW)
    taken = [tuple(p.shape) for p in optimizer.param_groups[0]["params"]]
    assert taken == [(4, 2, 3, 3), (8, 16)]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(module.parameters()))


def test_an_embedding_is_no_hidden_matrix():
    module = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 4), nn.Linear(4, 10))
    assert [tuple(w.shape) for w in hidden_matrices(module)] == [(4, 4)]


def test_muon_on_a_matrix_is_that_of_pytorch():
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(6, 5, bias=False), nn.Linear(5, 2, bias=False))
    theirs = nn.Parameter(ours[0].weight.detach().clone())
    optimizer = make_optimizer(ours, TrainingOptions(optimizer="muon", learning_rate=0.1, weight_decay=0.02))
    reference = torch.optim.Muon(
        [theirs], lr=0.1, weight_decay=0.02, momentum=0.9, adjust_lr_fn="match_rms_adamw"
    )  # fmt: skip
    for _ in range(4):
        for weight in ours.parameters():
            weight.grad = torch.randn_like(weight)
        theirs.grad = ours[0].weight.grad.clone()
        optimizer.step()
        reference.step()
    assert torch.equal(ours[0].weight, theirs)


def test_muon_does_the_same_to_a_convolution_in_either_memory_layout():
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        module = network().to(memory_format=layout)
        optimizer = make_optimizer(module, TrainingOptions(optimizer="muon", learning_rate=0.05))
        for seed in range(3):
            step(module, optimizer, seed)
        results.append(module[0].weight.detach().contiguous())
    assert torch.allclose(*results, atol=2e-3)
    assert not torch.allclose(results[0], network()[0].weight, atol=2e-3)


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_a_restored_optimiser_goes_on_as_the_first_would_have(name):
    options = TrainingOptions(optimizer=name, learning_rate=0.02)
    first = network()
    optimizer = make_optimizer(first, options)
    for seed in range(3):
        step(first, optimizer, seed)
    second = network()
    second.load_state_dict(first.state_dict())
    again = make_optimizer(second, options)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for seed in range(3, 6):
        step(first, optimizer, seed)
        step(second, again, seed)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_biases_and_normalisation_may_learn_faster_and_are_not_pulled_to_zero(name):
    optimizer = make_optimizer(network(), TrainingOptions(optimizer=name, bias_rate=64.0, weight_decay=0.3))
    set_rate(optimizer, 0.01)
    for group in optimizer.param_groups:
        small = all(p.ndim == 1 for p in group["params"])
        assert group["lr"] == pytest.approx(0.64 if small else 0.01)
        assert group["weight_decay"] == (0.0 if small else 0.3)


def test_only_the_last_layer_gives_plain_adamw():
    assert not isinstance(make_optimizer(nn.Linear(3, 2), TrainingOptions(optimizer="muon")), MuonWithAdamW)
