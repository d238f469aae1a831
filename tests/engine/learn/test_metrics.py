"""Measures, against scikit-learn and by hand; figures, against plotly."""

import numpy as np
import plotly.graph_objects as go
import pytest
from sklearn import metrics as reference

from engine.learn.measure import figures, metrics


@pytest.fixture
def answers():
    generator = np.random.default_rng(3)
    true = generator.integers(0, 4, 200)
    scores = generator.normal(size=(200, 4)) + 1.5 * np.eye(4)[true]
    return true, np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


def test_the_confusion_matrix_and_the_report_agree_with_scikit_learn(answers):
    true, probability = answers
    predicted = probability.argmax(1)
    matrix = metrics.confusion_matrix(true, predicted, 4)
    assert (matrix == reference.confusion_matrix(true, predicted)).all()
    report = metrics.class_report(matrix)
    expected = reference.precision_recall_fscore_support(true, predicted)
    for ours, theirs in zip((report.precision, report.recall, report.f1, report.support), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_roc_and_area_agree_with_scikit_learn_also_with_ties(answers):
    true, probability = answers
    for score in (probability[:, 1], probability[:, 1].round(1)):
        false, hits = metrics.roc_curve(true == 1, score)
        assert metrics.area_under(false, hits) == pytest.approx(reference.roc_auc_score(true == 1, score))


def test_top_share_agrees_with_scikit_learn(answers):
    true, probability = answers
    assert metrics.top_share(true, probability, 2) == pytest.approx(
        reference.top_k_accuracy_score(true, probability, k=2)
    )


def test_a_class_that_never_occurs_says_nothing_and_one_never_predicted_has_precision_zero():
    report = metrics.class_report(np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]]))
    assert report.precision[1] == 0
    assert report.recall[1] == 0
    assert np.isnan([report.precision[2], report.recall[2], report.f1[2]]).all()


def test_the_interval_of_a_share_stays_between_0_and_1():
    assert metrics.wilson_interval(0, 0) == (0.0, 1.0)
    low, high = metrics.wilson_interval(10, 10)
    assert 0.7 < low < high == 1.0
    assert metrics.wilson_interval(350, 360) == pytest.approx((0.9496, 0.9848), abs=5e-4)


def test_regression_measures_agree_with_scikit_learn():
    generator = np.random.default_rng(1)
    true, predicted = generator.normal(size=50), generator.normal(size=50)
    ours = metrics.regression_measures(true, predicted)
    assert ours["mae"] == pytest.approx(reference.mean_absolute_error(true, predicted))
    assert ours["rmse"] == pytest.approx(reference.root_mean_squared_error(true, predicted))
    assert ours["r2"] == pytest.approx(reference.r2_score(true, predicted))
    assert "r2" not in metrics.regression_measures(np.ones(3), np.zeros(3))


def test_every_figure_is_one_that_plotly_accepts(answers):
    true, probability = answers
    names = ["a", "b", "c", "d"]
    curve = metrics.roc_curve(true == 0, probability[:, 0])
    made = [
        figures.confusion_figure(metrics.confusion_matrix(true, probability.argmax(1), 4), names),
        figures.roc_figure({"a": (*curve, 0.9)}),
        figures.regression_figure(probability[:, 0], probability[:, 1], "price"),
        figures.history_figure(
            [{"train_loss": 1.0, "validation_loss": 1.1}, {"train_loss": 0.5, "validation_loss": 0.7}]
        ),
    ]
    for figure in made:
        assert go.Figure(figure).to_dict()["data"]


def test_many_classes_give_a_figure_without_numbers_in_the_cells_and_few_curves():
    matrix = np.eye(50, dtype=np.int64)
    assert "text" not in figures.confusion_figure(matrix, [str(n) for n in range(50)])["data"][0]
    line = np.array([0.0, 1.0])
    curves = {str(n): (line, line, n / 50) for n in range(50)}
    assert len(figures.roc_figure(curves)["data"]) == figures.MAX_CURVES + 1
