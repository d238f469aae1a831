"""Learning from a teacher in the training loop: what it changes, and what it must not."""

import copy
import hashlib

import pytest
import torch
from safetensors.torch import save
from torch import nn

from engine.compute import applied
from engine.errors import InterruptedRun, UserError
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.data.augment import make_augmentation
from engine.learn.distil import Distillation
from engine.learn.distil.teacher import inherit
from engine.models import build
from engine.runtime.examples import Examples
from engine.runtime.images import affine
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder

STUDENT = {"num_classes": 3, "in_channels": 1, "widths": [4, 6], "dropout": 0.2}
TEACHER = {"num_classes": 3, "in_channels": 1, "widths": [8, 8, 12]}
BERT = {
    "task": "classification", "num_classes": 3, "vocab_size": 30, "pad_id": 0, "max_length": 6,
    "hidden_size": 8, "layers": 2, "heads": 2, "intermediate_size": 8,
}  # fmt: skip


def pictures(augments=True, **more):
    generator = torch.Generator().manual_seed(5)
    targets = torch.arange(36) % 3
    pixels = torch.randint(0, 90, (36, 1, 8, 8), generator=generator, dtype=torch.uint8)
    pixels[torch.arange(36), 0, :, 3 * targets] += 120
    factor, summand = affine([{"op": "scale", "by": 255.0}], 1)
    augment = make_augmentation([{"op": "crop", "padding": 1}]) if augments else None
    return TrainingData(Examples(pixels, factor, summand), targets, augment, **more)


def texts(**more):
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(1, 30, (36, 6), generator=generator, dtype=torch.int32)
    tokens[::3, 4:] = 0
    return TrainingData(Examples(tokens), torch.arange(36) % 3, **more)


def made(name, config, seed=1):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return build(name, config)


def learn(folder, module, data, stop=None, checkpoints=False, plan=None, **options):
    folder.mkdir(exist_ok=True)
    ctx = Recorder(folder, stop=stop)
    chosen = {"epochs": 2, "batch_size": 12, "learning_rate": 0.01, **options}
    kept = CheckpointFolder(folder / "checkpoints", 1000) if checkpoints else None
    with applied(plan or ExecutionPlan(threads=1), 3):
        train(module, data, TrainingOptions(**chosen), ctx, checkpoints=kept, plan=plan)
    return ctx, hashlib.sha256(save({name: t.contiguous() for name, t in module.state_dict().items()})).hexdigest()


def taught(**strengths):
    return pictures(distillation=Distillation(made("convnet", TEACHER, 2), **strengths))


def test_without_strength_a_teacher_changes_no_bit(tmp_path):
    alone = learn(tmp_path, made("convnet", STUDENT), pictures())
    beside = learn(tmp_path, made("convnet", STUDENT), taught(weight=0.0))
    assert alone[1] == beside[1]
    assert alone[0].series("loss") == beside[0].series("loss")


def test_the_first_loss_is_the_mixture_of_both_losses(tmp_path):
    module, teacher = made("convnet", {**STUDENT, "dropout": 0.0}), made("convnet", TEACHER, 2)
    data = pictures(augments=False, distillation=Distillation(teacher, temperature=2.0, weight=0.75))
    x, targets = data.batch(torch.arange(36))
    fresh = copy.deepcopy(module)
    with torch.no_grad():
        student, aim = fresh.train()(x), teacher.eval()(x)
    chances, wanted = torch.softmax(student / 2, 1), torch.softmax(aim / 2, 1)
    soft = 4 * (wanted * (wanted / chances).log()).sum(1).mean()
    expected = 0.25 * nn.functional.cross_entropy(student, targets) + 0.75 * soft
    ctx, _ = learn(tmp_path, module, data, batch_size=36, epochs=1)
    assert ctx.series("loss")[0][1] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("strength", [{"weight": 0.5}, {"weight": 0.0, "hidden": 1.0}, {"attention": 1.0}])
def test_a_student_that_is_taught_comes_closer_to_its_teacher(tmp_path, strength):
    data = taught(**strength)
    guided, alone = made("convnet", STUDENT), made("convnet", STUDENT)
    losses, _ = learn(tmp_path, guided, data, epochs=12)
    learn(tmp_path, alone, pictures(), epochs=12)
    series = [value for _, value in losses.series("loss")]
    assert sum(series[-3:]) < 0.9 * sum(series[:3])
    plain = copy.deepcopy(data.distillation.teacher)
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    assert all(torch.equal(t, before[n]) for n, t in made("convnet", TEACHER, 2).state_dict().items()), "it stays"
    if strength.get("weight"):
        x, _ = pictures(augments=False).batch(torch.arange(36))
        with torch.no_grad():
            aim = torch.softmax(plain(x), 1)
            far = [float((torch.softmax(net.eval()(x), 1) - aim).abs().mean()) for net in (guided, alone)]
        assert far[0] < far[1]


def test_attention_and_hidden_layers_of_texts_are_learned(tmp_path):
    teacher = made("bert", {**BERT, "hidden_size": 12, "heads": 3, "layers": 4}, 2)
    for strength in ({"attention": 1.0}, {"hidden": 1.0}):
        data = texts(distillation=Distillation(teacher, weight=0.0, **strength))
        student = made("bert", {**BERT, "dropout": 0.0})
        losses, _ = learn(tmp_path, student, data, epochs=15, batch_size=36, schedule="constant")
        plain, _ = learn(tmp_path, made("bert", {**BERT, "dropout": 0.0}), texts(), epochs=1, batch_size=36)
        added = losses.series("loss")[0][1] - plain.series("loss")[0][1]
        assert added > 0
        assert losses.series("loss")[-1][1] < losses.series("loss")[0][1]


@pytest.mark.parametrize("at", [2, 4, 6])
def test_a_distillation_that_was_interrupted_ends_with_the_same_weights(tmp_path, at):
    strengths = {"weight": 0.6, "hidden": 0.5, "attention": 0.5}
    _, whole = learn(tmp_path / "whole", made("convnet", STUDENT), taught(**strengths))

    def stop(ctx):
        if ctx.steps == at:
            raise InterruptedRun

    with pytest.raises(InterruptedRun):
        learn(tmp_path / "part", made("convnet", STUDENT), taught(**strengths), stop, checkpoints=True)
    ctx, resumed = learn(tmp_path / "part", made("convnet", STUDENT), taught(**strengths), checkpoints=True)
    assert resumed == whole
    assert any("Going on from step" in line for line in ctx.lines)


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_a_batch_in_parts_learns_the_same_from_a_teachers_answers(tmp_path, mixup):
    config = {"num_classes": 3, "in_features": 64, "hidden": [8]}
    nets = [made("mlp", config), made("mlp", config)]
    series = []
    for net, accumulation in zip(nets, (1, 3), strict=True):
        data = pictures(distillation=Distillation(made("mlp", config, 2), weight=0.5))
        series.append(learn(tmp_path, net, data, accumulation=accumulation, mixup=mixup)[0].series("loss"))
    assert [v for _, v in series[0]] == pytest.approx([v for _, v in series[1]], abs=1e-5)
    differences = [
        float((a - b).abs().max()) for a, b in zip(*(net.state_dict().values() for net in nets), strict=True)
    ]
    assert max(differences) < 1e-4


def test_answers_that_are_remembered_teach_what_answers_that_are_asked_for_do(tmp_path):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.calls = made("convnet", TEACHER, 2), 0

        def forward(self, x):
            self.calls += 1
            return self.net(x)

    asked, remembered = (pictures(augments=False, distillation=Distillation(Counting())) for _ in range(2))
    remembered.distillation.remember(remembered.examples)
    series = [learn(tmp_path, made("convnet", STUDENT), data)[0].series("loss") for data in (asked, remembered)]
    assert [v for _, v in series[0]] == pytest.approx([v for _, v in series[1]], rel=1e-4)
    assert (asked.distillation.teacher.calls, remembered.distillation.teacher.calls) == (6, 1)


def test_a_teacher_that_takes_other_inputs_sees_the_same_augmented_image(tmp_path):
    class Bright(nn.Module):
        """Takes pixels from 0 to 255, where the student takes them from 0 to 1."""

        def __init__(self):
            super().__init__()
            self.net = made("convnet", TEACHER, 2)

        def forward(self, x):
            return self.net(x / 255)

    own = pictures().examples
    whole = Examples(own.take(torch.arange(36)), *affine([{"op": "scale", "by": 1.0}], 1))
    same = learn(tmp_path, made("convnet", STUDENT), taught())[0].series("loss")
    data = pictures(distillation=Distillation(Bright(), examples=whole))
    other = learn(tmp_path, made("convnet", STUDENT), data)[0].series("loss")
    assert [v for _, v in other] == pytest.approx([v for _, v in same], rel=1e-3)
    with pytest.raises(UserError, match="mixed examples"):
        learn(tmp_path, made("convnet", STUDENT), data, mixup=0.2)


def test_bf16_teaches_nearly_the_same(tmp_path):
    plain = learn(tmp_path, made("convnet", STUDENT), taught(hidden=0.3))[0].series("loss")
    plan = ExecutionPlan(threads=1, precision="bf16")
    low = learn(tmp_path, made("convnet", STUDENT), taught(hidden=0.3), plan=plan)[0].series("loss")
    assert [v for _, v in low] == pytest.approx([v for _, v in plain], rel=0.1)
    assert [v for _, v in low] != [v for _, v in plain]


def test_networks_with_nothing_to_compare_are_named_with_the_setting(tmp_path):
    teacher = Distillation(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), hidden=1.0)
    with pytest.raises(UserError, match="no layers that could be compared") as caught:
        learn(tmp_path, nn.Linear(64, 3), pictures(distillation=teacher))
    assert caught.value.field == "hidden"
    transformer = Distillation(made("vit", {**VIT}), attention=1.0)
    with pytest.raises(UserError, match="no layers") as caught:
        learn(tmp_path, made("convnet", STUDENT), pictures(distillation=transformer))
    assert caught.value.field == "attention"


VIT = {
    "num_classes": 3,
    "in_channels": 1,
    "image_size": [8, 8],
    "patch_size": 4,
    "layers": 2,
    "hidden_size": 8,
    "heads": 2,
}


def test_a_student_starts_with_every_other_layer_of_its_teacher():
    teacher, student = made("bert", {**BERT, "layers": 4}, 2), made("bert", BERT)
    copied = inherit(student, teacher, "bert")
    assert copied == len(student.state_dict())
    theirs = teacher.state_dict()
    for ours, layer in ((0, 1), (1, 3)):
        for name, tensor in student.bert.encoder.layer[ours].state_dict().items():
            assert torch.equal(tensor, theirs[f"bert.encoder.layer.{layer}.{name}"])
    with pytest.raises(UserError, match="no layer of the same shape"):
        inherit(
            made(
                "bert",
                {**BERT, "hidden_size": 4, "intermediate_size": 6, "vocab_size": 9, "num_classes": 2, "max_length": 3},
            ),
            teacher,
            "bert",
        )
