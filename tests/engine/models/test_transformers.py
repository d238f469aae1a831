"""The transformers of the zoo: the numbers of their models in ``transformers``, masks, and the routing of experts."""

import copy

import pytest
import torch

from engine.models import build, complete, find

BERT = {"vocab_size": 50, "pad_id": 0, "max_length": 12, "hidden_size": 32, "layers": 2, "heads": 4}
DECODER = {"vocab_size": 50, "hidden_size": 32, "layers": 2, "heads": 4, "intermediate_size": 64}
VIT = {"image_size": [32, 32], "patch_size": 8, "in_channels": 3, "hidden_size": 32, "layers": 2, "heads": 4}


def made(name, **config):
    torch.manual_seed(0)
    return build(name, config).eval()


def tokens(seed=0):
    x = torch.randint(1, 50, (3, 10), generator=torch.Generator().manual_seed(seed))
    x[1, 6:] = 0
    return x


@pytest.fixture
def peer():
    return pytest.importorskip("transformers", reason="transformers, the reference, is not installed")


@torch.no_grad()
def test_bert_gives_the_numbers_of_transformers(peer):
    shape = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = peer.BertConfig(**shape, intermediate_size=64, max_position_embeddings=12, num_labels=3)
    for task, theirs in (
        ("masked_lm", peer.BertForMaskedLM(config)),
        ("classification", peer.BertForSequenceClassification(config)),
    ):
        ours = made("bert", task=task, num_classes=3, intermediate_size=64, **BERT)
        weights = {name: tensor for name, tensor in theirs.state_dict().items() if "decoder" not in name}
        ours.load_state_dict(weights)
        x = tokens()
        expected = theirs.eval()(input_ids=x, attention_mask=(x != 0).long()).logits
        shown = x != 0 if task == "masked_lm" else slice(None)
        torch.testing.assert_close(ours(x)[shown], expected[shown], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_the_decoder_gives_the_numbers_of_llama(peer):
    config = peer.LlamaConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, tie_word_embeddings=False, rms_norm_eps=1e-5,
    )  # fmt: skip
    theirs = peer.LlamaForCausalLM(config).eval()
    ours = made("transformer_lm", **DECODER, key_value_heads=2, tied=False)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(tokens()), theirs(input_ids=tokens()).logits, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_the_vision_transformer_gives_the_numbers_of_transformers(peer, tmp_path):
    from safetensors.torch import load_file

    config = peer.ViTConfig(
        image_size=32, patch_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        num_labels=3,
    )  # fmt: skip
    theirs = peer.ViTForImageClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = made("vit", **VIT, intermediate_size=64, num_classes=3, norm_eps=1e-12)
    ours.load_state_dict(load_file(tmp_path / "model.safetensors"))
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours(images), theirs(images).logits, rtol=1e-5, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_padding_changes_nothing_that_bert_says(pooling):
    network = made("bert", task="classification", num_classes=3, pooling=pooling, **BERT)
    x = tokens()
    torch.testing.assert_close(network(x)[1:2], network(x[1:2, :6]))
    assert network(torch.zeros(1, 4, dtype=torch.long)).isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("name", ["transformer_lm", "moe_lm"])
def test_a_decoder_never_looks_ahead(name):
    network = made(name, **DECODER, pad_id=0)
    x = torch.randint(1, 50, (2, 8))
    changed = x.clone()
    changed[:, 5:] = 7
    torch.testing.assert_close(network(x)[:, :5], network(changed)[:, :5])
    assert not torch.allclose(network(x)[:, 5], network(changed)[:, 5])


@torch.no_grad()
def test_a_tied_decoder_has_one_table_of_words():
    tied, untied = made("transformer_lm", **DECODER), made("transformer_lm", **DECODER, tied=False)
    assert set(untied.state_dict()) - set(tied.state_dict()) == {"lm_head.weight"}


def test_published_sizes_have_the_published_number_of_parameters():
    from engine.models import bert, vit

    def count(name, config):
        with torch.device("meta"):
            return sum(p.numel() for p in build(name, config).parameters())

    known = {"vocab_size": 30522, "max_length": 512, "task": "classification", "num_classes": 2}
    assert count("bert", {**known, **bert.SIZES["base"]}) == 109_483_778  # BertForSequenceClassification
    image = {"in_channels": 3, "image_size": [224, 224], "num_classes": 1000}
    assert count("vit", {**image, **vit.SIZES["base"]}) == 86_567_656  # torchvision's vit_b_16
    assert count("vit", {**image, **vit.SIZES["tiny"]}) == 5_717_416  # DeiT-Ti


def test_a_masked_language_model_becomes_a_classifier_with_the_same_body():
    from engine.runtime.models import load_weights

    words = made("bert", task="masked_lm", **BERT)
    classifier = made("bert", task="classification", num_classes=2, **BERT)
    load_weights(classifier, words.state_dict(), "bert", fresh_head=True)
    assert torch.equal(classifier.bert.embeddings.word_embeddings.weight, words.bert.embeddings.word_embeddings.weight)


def test_what_the_data_tells_is_filled_in():
    facts = {"vocab_size": 50, "pad_id": 0, "max_length": 12, "task": "classification"}
    config = complete("bert", {}, "tokens", (12,), 3, facts)
    assert (config["vocab_size"], config["num_classes"], config["task"]) == (50, 3, "classification")
    assert find("moe_lm").config.model_validate({}).missing() == ["vocab_size"]
    assert complete("vit", {}, "images", (3, 32, 48), 7)["patch_size"] == 4


def experts(**config):
    network = made("moe_lm", **DECODER, pad_id=0, **config)
    return network, network.model.layers[0].mlp


@torch.no_grad()
def test_experts_together_give_what_each_gives_alone():
    _, layer = experts(experts=4, top_k=2)
    x_BTD = torch.randn(2, 5, 32)
    chance = torch.softmax(layer.router(x_BTD), dim=-1)
    best, chosen = chance.topk(2, dim=-1)
    expected = torch.zeros_like(x_BTD)
    for b in range(2):
        for t in range(5):
            for weight, e in zip(best[b, t] / best[b, t].sum(), chosen[b, t], strict=True):
                x = x_BTD[b, t]
                inner = torch.nn.functional.silu(x @ layer.gate_proj[e]) * (x @ layer.up_proj[e])
                expected[b, t] += weight * (inner @ layer.down_proj[e])
    torch.testing.assert_close(layer(x_BTD), expected, rtol=1e-4, atol=1e-7)


def test_a_full_expert_lets_tokens_pass_by_and_says_how_many():
    network, layer = experts(experts=4, top_k=1, capacity_factor=1.0)
    torch.nn.init.zeros_(layer.router.weight)  # all scores are equal: every token asks the first expert
    layer.train()
    out = layer(torch.randn(1, 8, 32))
    assert (out.abs().sum(-1) > 0).sum() == 2  # 8 tokens over 4 experts: two find room
    assert float(layer.routing.dropped) == pytest.approx(6 / 8)
    assert float(layer.routing.load.max()) == 1.0


def test_padding_is_sent_to_no_expert():
    _, layer = experts(experts=4, top_k=2)
    x = torch.randn(1, 6, 32)
    is_real = torch.tensor([[True, True, True, True, False, False]])
    out = layer(x, is_real)
    assert torch.equal(out[0, 4:], torch.zeros(2, 32))
    torch.testing.assert_close(out[:, :4], layer(x[:, :4]))
    assert float(layer.routing.load.sum()) == pytest.approx(1.0)


def test_the_balance_loss_is_one_when_even_and_the_number_of_experts_when_one_does_all():
    network, layer = experts(experts=4, top_k=1, balance_weight=1.0, router_z_weight=0.0)
    x_BTD = torch.randn(1, 64, 32)
    torch.nn.init.zeros_(layer.router.weight)  # every score is equal, and the first expert gets all
    layer(x_BTD)
    torch.testing.assert_close(layer.routing.balance, torch.tensor(1.0))
    with torch.no_grad():
        layer.router.weight[1] = 100 * x_BTD.mean((0, 1))
    layer(x_BTD.mean(1, keepdim=True))
    torch.testing.assert_close(layer.routing.balance, torch.tensor(4.0))


def test_the_balance_loss_reaches_the_routers():
    network, layer = experts(experts=4)
    network.train()
    network(tokens())
    network.extra_loss().backward()
    assert all(part.mlp.router.weight.grad.abs().sum() > 0 for part in network.model.layers)
    assert all(value.ndim == 0 and not value.requires_grad for value in network.live_metrics().values())


def test_a_network_that_was_just_used_can_be_copied():
    network, _ = experts(experts=4)
    network.train()
    network(tokens())
    twin = copy.deepcopy(network)
    with pytest.raises(RuntimeError, match="nothing was routed yet"):
        twin.extra_loss()
    assert torch.equal(twin.eval()(tokens()), network.eval()(tokens()))


@pytest.mark.parametrize("name", ["transformer_lm", "moe_lm"])
def test_a_small_decoder_learns_a_text_by_heart(name):
    torch.manual_seed(0)
    network = build(name, {**DECODER, "pad_id": None}).train()
    x = torch.randint(1, 50, (4, 16))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(60):
        logits = network(x[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten())
        extra = network.extra_loss() if name == "moe_lm" else 0.0
        optimizer.zero_grad()
        (loss + extra).backward()
        optimizer.step()
    assert loss.item() < 0.5
