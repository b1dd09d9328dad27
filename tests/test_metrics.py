"""Metrics against scikit-learn, split into batches in every way, saved and loaded on the way."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import metrics, nn
from tests.support.arrays import assert_refuses, bad_calls, random_array
from tests.support.oracles import counts as oracle
from tests.support.tolerances import DTYPES

CLASSES = 6
AVERAGES = ("macro", "micro", "weighted", None)

# Everything that takes scores (N, 6) and indices (N,), each argument away from its default once.
OF_CLASSES = {
    "accuracy": lambda: metrics.Accuracy(),
    "accuracy top 3": lambda: metrics.Accuracy(top_k=3, ignore_index=1),
    "confusion": lambda: metrics.ConfusionMatrix(CLASSES),
    "confusion of all": lambda: metrics.ConfusionMatrix(CLASSES, normalize="all", ignore_index=2),
    "precision": lambda: metrics.Precision(CLASSES, average=None, zero_division=1),
    "recall": lambda: metrics.Recall(CLASSES, average="weighted"),
    "f1": lambda: metrics.F1Score(CLASSES, ignore_index=0),
}
# Everything that takes two arrays of one shape (N, 6).
OF_VALUES = {
    "mse": lambda: metrics.MeanSquaredError(),
    "mae": lambda: metrics.MeanAbsoluteError(),
    "loss none": lambda: metrics.MeanLoss(nn.MSELoss(reduction="none")),
}
ALL = OF_CLASSES | OF_VALUES


def batch_for(name, rows, seed=0, dtype=np.float32):
    """Prediction and target for the metric of that name."""
    prediction = random_array((rows, CLASSES), dtype, seed=seed)
    if name in OF_VALUES:
        return prediction, random_array((rows, CLASSES), dtype, seed=seed + 1)
    return prediction, np.random.default_rng(seed + 1).integers(0, CLASSES, rows)


def same_bits(first, second):
    return np.asarray(first).tobytes() == np.asarray(second).tobytes()


# ---- what holds for every metric


@pytest.mark.parametrize("name", ALL)
def test_is_a_metric_and_documented(name):
    metric = ALL[name]()
    assert isinstance(metric, metrics.Metric)
    assert type(metric).__doc__


@pytest.mark.parametrize("name", ALL)
@given(cuts=st.lists(st.integers(0, 50), max_size=4))
def test_the_bits_do_not_depend_on_the_cut_into_batches(name, cuts):
    prediction, target = batch_for(name, 50)
    whole, parts = ALL[name](), ALL[name]()
    whole.update(prediction, target)
    places = sorted(cuts)
    for x, t in zip(np.split(prediction, places), np.split(target, places), strict=True):
        parts.update(x, t)
    assert same_bits(whole.compute(), parts.compute())


@pytest.mark.parametrize("name", ALL)
def test_state_saved_on_the_way_goes_on_to_the_same_bits(executor, name):
    batches = [batch_for(name, rows, seed=rows) for rows in (17, 5, 32)]
    batches = [(executor.array(x), executor.array(t)) for x, t in batches]
    straight, stopped, resumed = ALL[name](), ALL[name](), ALL[name]()
    for batch in batches:
        straight.update(*batch)
    stopped.update(*batches[0])
    state = stopped.state_dict()
    assert all(type(value) is np.ndarray for value in state.values())
    stopped.update(*batches[1])  # must not reach the state that was given
    resumed.update(*batches[2])  # is forgotten
    resumed.load_state_dict(state)
    before = {key: value.tobytes() for key, value in state.items()}
    for batch in batches[1:]:
        resumed.update(*batch)
    assert before == {key: value.tobytes() for key, value in state.items()}
    assert same_bits(resumed.compute(), straight.compute())
    stopped.update(*batches[2])
    assert same_bits(stopped.compute(), straight.compute())


@pytest.mark.parametrize("name", ALL)
def test_reset_forgets(executor, name):
    first, second = (tuple(map(executor.array, batch_for(name, rows))) for rows in (9, 23))
    used, fresh = ALL[name](), ALL[name]()
    used.update(*first)
    before = used.compute()
    used.reset()
    for metric in (used, fresh):
        metric.update(*second)
    assert same_bits(used.compute(), fresh.compute())
    assert not same_bits(before, fresh.compute())


@pytest.mark.parametrize("name", ALL)
def test_compute_can_be_called_at_any_time_and_gives_no_view(name):
    metric, reference = ALL[name](), ALL[name]()
    batch = batch_for(name, 20)
    value = (metric.update(*batch), metric.compute())[1]
    if isinstance(value, np.ndarray):
        value[...] = 99
    metric.state_dict()["total"][...] = 99
    metric.update(*batch)
    for _ in range(2):
        reference.update(*batch)
    assert same_bits(metric.compute(), reference.compute())


@pytest.mark.parametrize("name", ALL)
def test_an_empty_batch_changes_nothing(name):
    metric = ALL[name]()
    metric.update(*batch_for(name, 20))
    before = metric.compute()
    metric.update(*batch_for(name, 0))
    assert same_bits(metric.compute(), before)


@pytest.mark.parametrize("name", ALL)
def test_thread_count_does_not_change_bits(name):
    batch, before, results = batch_for(name, 30_011), gpudl.get_num_threads(), []
    for threads in (1, 2, 3):
        gpudl.set_num_threads(threads)
        metric = ALL[name]()
        metric.update(*batch)
        results.append(np.asarray(metric.compute()).tobytes())
    gpudl.set_num_threads(before)
    assert results[0] == results[1] == results[2]


# ---- values


@pytest.mark.parametrize("k", [1, 2, CLASSES])
@pytest.mark.parametrize("ignored", [None, 3])
def test_accuracy(executor, k, ignored):
    x, t = batch_for("accuracy", 101)
    metric = metrics.Accuracy(k, ignored)
    assert math.isnan(metric.compute())
    metric.update(executor.array(x), executor.array(t))
    correct, counted = oracle.top_k_correct(x, t, k, ignored)
    assert type(metric.compute()) is float
    assert metric.compute() == correct / counted


def test_accuracy_of_labels(executor):
    guess, t = np.array([1, 2, 2, 0]), np.array([1, 2, 0, 1], np.uint8)
    metric = metrics.Accuracy()
    metric.update(executor.array(guess), executor.array(t))
    assert metric.compute() == 0.5


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_matrix_is_that_of_scikit_learn(normalize):
    reference = pytest.importorskip("sklearn.metrics").confusion_matrix
    guess, t = lopsided(300)
    metric = metrics.ConfusionMatrix(CLASSES, normalize=normalize)
    metric.update(guess, t)
    expected = reference(t, guess, labels=range(CLASSES), normalize=normalize)
    assert metric.compute().dtype == expected.dtype
    np.testing.assert_allclose(metric.compute(), expected, rtol=1e-15)


def lopsided(rows, seed=0):
    """Labels of which class 0 is never predicted, class 1 never true, class 2 neither."""
    random = np.random.default_rng(seed)
    t = random.choice([0, 3, 4, 5], rows, p=[0.1, 0.2, 0.3, 0.4])
    guess = np.where(random.random(rows) < 0.6, np.where(t == 0, 3, t), random.choice([1, 3, 4, 5], rows))
    return guess, t


SCORES = [
    (metrics.Precision, "precision_score"), (metrics.Recall, "recall_score"), (metrics.F1Score, "f1_score"),
]  # fmt: skip


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("zero_division", [0, 1, math.nan])
@pytest.mark.parametrize(("kind", "name"), SCORES, ids=[name for _, name in SCORES])
def test_scores_are_those_of_scikit_learn(kind, name, average, zero_division):
    reference = getattr(pytest.importorskip("sklearn.metrics"), name)
    only_unseen = np.array([1, 2, 3]), np.array([0, 0, 0])
    for guess, t in (lopsided(300), only_unseen, (only_unseen[1], only_unseen[0])):
        metric = kind(CLASSES, average=average, zero_division=zero_division)
        metric.update(guess, t)
        expected = reference(t, guess, labels=range(CLASSES), average=average, zero_division=zero_division)
        assert type(metric.compute()) is (np.ndarray if average is None else float)
        np.testing.assert_allclose(metric.compute(), expected, rtol=1e-14)


def test_scores_leave_out_what_is_ignored():
    guess, t = lopsided(300)
    for kind, _ in SCORES:
        ignoring, without = kind(CLASSES, ignore_index=4), kind(CLASSES)
        ignoring.update(guess, t)
        without.update(guess[t != 4], t[t != 4])
        assert ignoring.compute() == without.compute()


@pytest.mark.parametrize("zero_division", [0, 1, math.nan])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_scores_of_nothing_are_zero_division(average, zero_division):
    for kind, _ in SCORES:
        assert same_bits(kind(3, average, zero_division).compute(), float(zero_division))


@pytest.mark.parametrize(
    ("kind", "name"),
    [(metrics.MeanSquaredError, "mean_squared_error"), (metrics.MeanAbsoluteError, "mean_absolute_error")],
    ids=["mse", "mae"],
)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_errors_are_those_of_scikit_learn(executor, kind, name, dtype):
    reference = getattr(pytest.importorskip("sklearn.metrics"), name)
    metric = kind()
    assert math.isnan(metric.compute())
    x, t = (
        random_array((70, 4), dtype, seed=seed, scale=300) for seed in (0, 1)
    )  # squares leave float16's range
    metric.update(executor.array(x), executor.array(t))
    assert metric.compute() == pytest.approx(reference(t.astype(float), x.astype(float)), rel=1e-13)
    metric.reset()
    metric.update(executor.array(x[:, 0]), executor.array(t[:, 0]))
    assert metric.compute() == pytest.approx(
        reference(t[:, 0].astype(float), x[:, 0].astype(float)), rel=1e-13
    )


def test_mean(executor):
    metric = metrics.Mean()
    assert math.isnan(metric.compute())
    metric.update(executor.array(np.array(2.0, np.float32)), weight=3)
    metric.update(executor.array(np.array([1.0, 5.0])))
    assert metric.compute() == (3 * 2 + 1 + 5) / 5
    metric.update(executor.array(np.array(math.nan)), weight=1)
    assert math.isnan(metric.compute())


def test_mean_of_numbers():
    metric = metrics.Mean()
    for number in (1, 2.5, np.float32(4)):
        metric.update(number, weight=2)
    metric.update(100.0, weight=0)
    assert metric.compute() == 2.5


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_mean_loss_weights_batches_with_their_samples(reduction):
    x, t = batch_for("accuracy", 50, dtype=np.float64)
    metric = metrics.MeanLoss(nn.CrossEntropyLoss(label_smoothing=0.1, reduction=reduction))
    for piece in (slice(0, 3), slice(3, 3), slice(3, 50)):
        metric.update(x[piece], t[piece])
    expected = nn.CrossEntropyLoss(label_smoothing=0.1)(x, t)
    assert metric.compute() == pytest.approx(float(expected), rel=1e-13)


def test_mean_loss_takes_a_function():
    metric = metrics.MeanLoss(lambda prediction, target: float(np.abs(prediction - target).max()))
    metric.update(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    metric.update(np.array([1.0]), np.array([6.0]))
    assert metric.compute() == (2 * 2 + 5) / 3


# ---- report


def test_the_report_is_that_of_scikit_learn():
    reference = pytest.importorskip("sklearn.metrics").classification_report
    guess, t = lopsided(300)
    metric = metrics.ConfusionMatrix(CLASSES)
    metric.update(guess, t)
    names = [f"kind {i}" for i in range(CLASSES)]
    # scikit-learn gives no accuracy for classes that do not all occur
    expected = reference(
        t, guess, labels=range(CLASSES), target_names=names, output_dict=True, zero_division=0
    )
    report = metrics.classification_report(metric.compute(), names)
    found = json.loads(json.dumps(report.to_dict()))
    rows = {**found["classes"], "macro avg": found["macro"], "weighted avg": found["weighted"]}
    for name, row in rows.items():
        wanted = {key.replace("f1-score", "f1"): value for key, value in expected[name].items()}
        assert row == pytest.approx({key: wanted[key] for key in row}, rel=1e-13)
    assert found["accuracy"] == np.mean(guess == t)
    assert found["support"] == 300


def test_the_table_of_the_report():
    report = metrics.classification_report(np.array([[3, 1], [0, 4]], np.uint8), ("cat", "a long name"))
    assert str(report).splitlines() == [
        "class             precision     recall         f1   samples",
        "-----------------------------------------------------------",
        "cat                  1.0000     0.7500     0.8571         4",
        "a long name          0.8000     1.0000     0.8889         4",
        "-----------------------------------------------------------",
        "accuracy                                   0.8750         8",
        "macro average        0.9000     0.8750     0.8730         8",
        "weighted average     0.9000     0.8750     0.8730         8",
    ]


def test_a_report_of_nothing():
    report = metrics.classification_report(np.zeros((2, 2), int))
    assert report.classes == ("0", "1")
    assert report.to_dict()["accuracy"] is None
    assert re.search(r"accuracy +nan +0$", str(report), re.MULTILINE)


def test_counts_of_a_small_dtype_do_not_overflow():
    report = metrics.classification_report(np.full((3, 3), 200, np.uint8))
    assert report.support.tolist() == [600] * 3
    assert report.f1.tolist() == pytest.approx([1 / 3] * 3)


X, T = np.ones((2, 3), np.float32), np.array([0, 2])
EYE = np.eye(2, dtype=int)


@bad_calls(
    ("top_k", lambda: metrics.Accuracy(0), ValueError, "Accuracy: top_k must be at least 1, got 0"),
    ("accuracy ignore", lambda: metrics.Accuracy(ignore_index="0"), TypeError, "ignore_index must be an int, got str"),
    ("classes", lambda: metrics.ConfusionMatrix(0), ValueError, "ConfusionMatrix: num_classes must be at least 1"),
    ("normalize", lambda: metrics.ConfusionMatrix(2, "rows"), ValueError, "normalize must be one of None, 'true', 'pred', 'all', got 'rows'"),
    ("average", lambda: metrics.Recall(2, average="binary"), ValueError, "average must be one of 'macro', 'micro', 'weighted', None"),
    ("zero_division", lambda: metrics.F1Score(2, zero_division=0.5), ValueError, "zero_division must be 0, 1 or nan, got 0.5"),
    ("zero_division str", lambda: metrics.Precision(2, zero_division="warn"), TypeError, "zero_division must be a number, got str"),
    ("labels for top 2", lambda: metrics.Accuracy(2).update(T, T), ValueError, "k must be 1 for class indices"),
    ("too many classes", lambda: metrics.Recall(2).update(X, T), ValueError, "num_classes = 2 classes, got 3"),
    ("target", lambda: metrics.Accuracy().update(X, T[:1]), ValueError, "target must have shape (2,)"),
    ("list", lambda: metrics.Accuracy().update([[1.0]], T), TypeError, "prediction must be a NumPy or CuPy array, got list"),
    ("mse shape", lambda: metrics.MeanSquaredError().update(X, X[:1]), ValueError, "MeanSquaredError: target must have shape (2, 3)"),
    ("mae dtype", lambda: metrics.MeanAbsoluteError().update(X, X.astype(float)), TypeError, "target float64"),
    ("mean list", lambda: metrics.Mean().update([1.0]), TypeError, "values must be a NumPy or CuPy array, got list"),
    ("mean bool", lambda: metrics.Mean().update(True), TypeError, "values must be a NumPy or CuPy array, got bool"),
    ("mean weight", lambda: metrics.Mean().update(1.0, -1), ValueError, "weight must be a finite number in [0, inf]"),
    ("criterion", lambda: metrics.MeanLoss("mse"), TypeError, "MeanLoss: criterion must be callable, got str"),
    ("sum", lambda: metrics.MeanLoss(nn.MSELoss(reduction="sum")), ValueError, "reduction 'mean', 'batchmean' or 'none', got 'sum'"),
    ("one sample", lambda: metrics.MeanLoss(nn.MSELoss()).update(X, np.array(1.0)), ValueError, "target must have an axis of samples"),
    ("loss list", lambda: metrics.MeanLoss(nn.MSELoss()).update(X, [1.0]), TypeError, "MeanLoss: target must be a NumPy or CuPy array"),
    ("state key", lambda: metrics.Mean().load_state_dict({"sum": 1}), ValueError, "Mean.load_state_dict: state must have the key 'total' alone, got ['sum']"),
    ("state dtype", lambda: metrics.Mean().load_state_dict({"total": EYE[0]}), TypeError, "total must be a NumPy array of float64, got int64"),
    ("state list", lambda: metrics.Accuracy().load_state_dict({"total": [1, 2]}), TypeError, "total must be a NumPy array of int64, got list"),
    ("state shape", lambda: metrics.ConfusionMatrix(3).load_state_dict({"total": EYE}), ValueError, "total must have shape (3, 3), got (2, 2)"),
    ("report list", lambda: metrics.classification_report([[1]]), TypeError, "confusion must be a NumPy array of an integer dtype, got list"),
    ("report floats", lambda: metrics.classification_report(EYE / 2), TypeError, "of an integer dtype, got float64"),
    ("report shape", lambda: metrics.classification_report(EYE[:1]), ValueError, "confusion must have shape (C, C), C >= 1, got (1, 2)"),
    ("report negative", lambda: metrics.classification_report(-EYE), ValueError, "confusion must be counts of at least 0, got -1"),
    ("report names", lambda: metrics.classification_report(EYE, ["a"]), ValueError, "classes must be 2 names, one for each class, got 1"),
    ("report str", lambda: metrics.classification_report(EYE, "ab"), TypeError, "classes must be a list or tuple of str, got 'ab'"),
    ("report same", lambda: metrics.classification_report(EYE, ["a", "a"]), ValueError, "classes must be different names, got ['a', 'a']"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_a_refused_state_changes_nothing():
    metric = metrics.Mean()
    metric.update(3.0)
    assert_refuses(lambda: metric.load_state_dict({"total": EYE[0]}), TypeError, "total")
    assert metric.compute() == 3.0
