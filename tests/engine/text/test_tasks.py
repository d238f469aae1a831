"""What the tasks ask: the next token, hidden tokens, and nothing where there is padding."""

import pytest
import torch

from engine.errors import UserError
from engine.learn.measure.validation import validate
from engine.learn.state import TrainingData
from engine.learn.tasks import find_task
from engine.learn.tasks.language import IGNORED, token_loss
from engine.learn.tasks.masked import fixed_chances, hidden
from engine.runtime.examples import Examples


def test_every_token_is_asked_about_the_next_and_padding_about_nothing():
    derive = find_task("language_model").derive({"pad_id": 0}, training=True)
    x, targets = derive(torch.tensor([[5, 6, 7, 0, 0], [1, 2, 3, 4, 5]]))
    assert x.tolist()[0] == [5, 6, 7, 0, 0]
    assert targets.tolist() == [[6, 7, IGNORED, IGNORED, IGNORED], [2, 3, 4, 5, IGNORED]]


def test_the_loss_of_tokens_is_their_mean_whatever_is_ignored():
    torch.manual_seed(0)
    outputs, targets = torch.randn(3, 7, 11), torch.randint(0, 11, (3, 7))
    targets[1, 2:] = IGNORED
    kept = targets != IGNORED
    expected = torch.nn.functional.cross_entropy(outputs[kept], targets[kept])
    assert torch.allclose(token_loss(outputs, targets), expected)
    assert int(find_task("language_model").asked(targets)) == int(kept.sum())


META = {"pad_id": 0, "mask_id": 4, "vocab_size": 1000, "special_ids": [0, 1, 2, 3, 4]}


def test_fifteen_in_a_hundred_are_hidden_eight_tenths_by_the_mask():
    torch.manual_seed(0)
    tokens = torch.randint(5, 1000, (400, 64))
    tokens[:, 50:] = 0
    x, targets = find_task("masked_lm").derive(META, training=True)(tokens)
    asked = targets != IGNORED
    assert not asked[:, 50:].any()
    assert torch.equal(targets[asked], tokens[asked])
    assert asked[:, :50].float().mean() == pytest.approx(0.15, abs=0.01)
    assert (x[asked] == 4).float().mean() == pytest.approx(0.8, abs=0.02)
    assert (x[asked] == tokens[asked]).float().mean() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(x[~asked], tokens[~asked])


def test_hidden_tokens_differ_between_epochs_but_not_between_validations():
    tokens = torch.randint(5, 1000, (8, 32), generator=torch.Generator().manual_seed(1))
    learns = find_task("masked_lm").derive(META, training=True)
    assert not torch.equal(learns(tokens)[1], learns(tokens)[1])
    measures = find_task("masked_lm").derive(META, training=False)
    whole = measures(tokens)
    parts = [torch.cat(pair) for pair in zip(measures(tokens[:3]), measures(tokens[3:]), strict=True)]
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_fixed_chances_are_spread_evenly():
    tokens = torch.randint(5, 1000, (300, 64), generator=torch.Generator().manual_seed(1))
    for chance in fixed_chances(tokens):
        assert (chance >= 0).all()
        assert (chance < 1).all()
        assert chance.mean() == pytest.approx(0.5, abs=0.01)
        assert (chance < 0.15).float().mean() == pytest.approx(0.15, abs=0.01)
    first, second, _ = fixed_chances(tokens)
    assert abs(torch.corrcoef(torch.stack([first.ravel(), second.ravel()]))[0, 1]) < 0.03


def test_another_token_is_never_outside_the_vocabulary():
    tokens = torch.full((1, 4), 7)
    ones = torch.ones(1, 4)
    x, _ = hidden(tokens, 0 * ones, 0.85 * ones, ones, torch.tensor([0]), 4, 10)
    assert x.tolist() == [[9, 9, 9, 9]]


def test_a_corpus_without_a_mask_cannot_hide_anything():
    with pytest.raises(UserError, match="no mask token"):
        find_task("masked_lm").derive({**META, "mask_id": None}, training=True)


def test_validation_weighs_every_token_alike_and_counts_no_padding():
    class Table(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(12, 12)

        def forward(self, x):
            return self.table(x)

    torch.manual_seed(0)
    module = Table()
    tokens = torch.randint(1, 12, (5, 4000), dtype=torch.int32)  # two rows at once
    tokens[4, 100:] = 0
    task = find_task("language_model")
    data = TrainingData(Examples(tokens), None, derive=task.derive({"pad_id": 0}, training=False))
    numbers = validate(module, data, task, lambda: None)
    x, targets = data.batch(torch.arange(5))
    outputs = module(x).detach()
    assert numbers["validation_loss"] == pytest.approx(float(token_loss(outputs, targets)), rel=1e-5)
    right = (outputs.argmax(-1) == targets).sum() / (targets != IGNORED).sum()
    assert numbers["validation_token_accuracy"] == pytest.approx(float(right), rel=1e-5)


def test_an_unknown_task_is_named_with_those_there_are():
    with pytest.raises(UserError, match="no task dreaming") as caught:
        find_task("dreaming")
    assert "masked_lm" in (caught.value.hint or "")


def test_an_autoencoder_is_asked_for_its_inputs():
    task = find_task("reconstruction")
    x = torch.rand(4, 1, 3, 3)
    inputs, targets = task.derive({}, training=True)(x)
    assert inputs is targets
    assert float(task.loss()(x.flatten(1), targets)) == 0.0
