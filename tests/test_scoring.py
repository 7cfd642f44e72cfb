import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import ModuleType

import numpy as np
import pytest
import torch

from epsinas import epsilon, score, score_architectures
from epsinas.engines.base import engine
from epsinas.engines.images.batches import check_batch
from epsinas.errors import InputError
from epsinas.metrics.base import own_metric
from epsinas.metrics.epsilon import METRIC, check_weights, pair_setting
from epsinas.scoring import distinct, score_with_errors
from epsinas.spaces import NasBench201
from tests.subjects import Given

WEIGHTS = (1e-2, 1.0)
SPACE = NasBench201(channels=2, cells=1, classes=1)
ARCHITECTURES = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|nor_conv_1x1~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
]


@pytest.fixture
def images(batch) -> torch.Tensor:
    return torch.from_numpy(batch)


BAD_WEIGHTS = {
    (1.0, 1.0): "weights: found 1.0 1.0, equal weights; expected LOW < HIGH",
    (1.0, 0.5): "weights: found 1.0 0.5, the larger one first; expected LOW < HIGH",
    (-1.0, 1.0): "weights: found -1.0 1.0, expected two positive numbers",
    (0.0, 1.0): "weights: found 0.0 1.0, expected two positive numbers",
    (float("nan"), 1.0): "weights: found nan 1.0, expected two positive numbers",
    (1.0, float("inf")): "weights: found 1.0 inf, expected two positive numbers",
    (1, 10**400): "weights: found 1 an integer of 1329 bits, expected two positive numbers",
    (1.0, 2j): "weights: found 1.0 complex, expected two positive numbers",
    ("1", "2"): "weights: found '1' '2', expected two positive numbers",
    (1.0,): "weights: found 1.0, expected two positive numbers",
    (1.0, 2.0, 3.0): "weights: found 1.0 2.0 3.0, expected two positive numbers",
}


@pytest.mark.parametrize(("weights", "message"), BAD_WEIGHTS.items())
def test_bad_weights_are_refused(images, weights, message):
    for call in (check_weights, lambda pair: score(torch.nn.Linear(8, 2), images, pair)):
        with pytest.raises(InputError) as caught:
            call(weights)
        assert str(caught.value) == message


# Architectures of a search space.


def test_lumped_and_full_width_agree_in_double_precision(batch):
    architectures = SPACE.sample(30, np.random.default_rng(0))
    lumped, full = (
        score_architectures(SPACE, architectures, batch, (1e-3, 1.0), engine, "double")
        for engine in ("lumped", "full-width")
    )
    np.testing.assert_allclose(lumped, full, rtol=0, atol=1e-10)
    assert np.isfinite(full).sum() > 20


def test_lumped_in_single_precision_agrees_with_double_precision(batch):
    single, double = (
        score_architectures(SPACE, ARCHITECTURES, batch, WEIGHTS, precision=precision)
        for precision in ("single", "double")
    )
    np.testing.assert_allclose(single, double, rtol=0, atol=1e-4)


def test_order_is_kept_and_duplicates_are_scored_alike(batch):
    order = [3, 0, 2, 0, 1, 3, 3]
    once = score_architectures(SPACE, ARCHITECTURES, batch, WEIGHTS)
    repeated = score_architectures(SPACE, [ARCHITECTURES[i] for i in order], batch, WEIGHTS)
    np.testing.assert_array_equal(repeated, once[order])
    assert len(set(once[[0, 1, 3]])) == 3
    assert np.isnan(once[2])


def test_architectures_may_be_any_iterable(batch):
    scores = score_architectures(SPACE, iter(ARCHITECTURES), batch, WEIGHTS)
    np.testing.assert_array_equal(scores, score_architectures(SPACE, ARCHITECTURES, batch, WEIGHTS))
    assert score_architectures(SPACE, [], batch, WEIGHTS).shape == (0,)


def test_several_pairs_at_once_equal_one_at_a_time(batch):
    pairs = [(1e-2, 1.0), (0.1, 0.5), (1e-2, 0.1), (1e-30, 1.0)]
    together = score_architectures(SPACE, ARCHITECTURES, batch, pairs)
    assert together.shape == (4, 4)
    for column, pair in enumerate(pairs):
        np.testing.assert_array_equal(together[:, column], score_architectures(SPACE, ARCHITECTURES, batch, pair))
    assert score_architectures(SPACE, ARCHITECTURES, batch, pairs[:1]).shape == (4, 1)


def test_every_weight_is_evaluated_once_and_none_after_a_constant_output():
    outputs = {weight: np.array([0, weight, 1.0]) for weight in (0.2, 0.5, 0.7)} | {0.1: np.ones(3)}
    pairs = [pair_setting(pair) for pair in [(0.1, 0.5), (0.2, 0.5), (0.1, 0.2), (0.2, 0.7)]]
    network = Given(outputs)
    scores = [METRIC.score(network, pair) for pair in pairs]
    # The reason of no score asks once more for outputs that are there.
    assert network.asked == [0.1, 0.2, 0.5, 0.7]
    # Normalised 0 w 1: |0.2 - 0.5| and 0 over 0.2 1 0.5 1.
    expected = [np.nan, 0.15 / 0.675, np.nan, 0.25 / 0.725]
    assert [found.score for found in scores] == pytest.approx(expected, nan_ok=True)
    assert [found.error for found in scores[::2]] == [np.inf, np.inf]
    without = Given(outputs, estimates_rounding=False)
    assert all(np.isnan(METRIC.score(without, pair).error) for pair in pairs)


def test_zeros_are_passed_on(batch):
    masked, kept = (
        score_architectures(SPACE, ARCHITECTURES[:1], batch, WEIGHTS, zeros=zeros) for zeros in ("masked", "kept")
    )
    assert masked != kept
    run = engine("lumped", SPACE, batch)
    outputs = [run.outputs(ARCHITECTURES[0], weight) for weight in WEIGHTS]
    assert kept == epsilon(*outputs, "kept")


def test_progress_sums_to_the_number_of_architectures(batch):
    reported = []
    architectures = SPACE.sample(50, np.random.default_rng(0))
    score_architectures(SPACE, architectures * 2, batch, WEIGHTS, progress=reported.append)
    assert sum(reported) == 100
    assert len(reported) > 1


def test_two_processes_give_the_scores_of_one(batch):
    architectures = SPACE.sample(40, np.random.default_rng(0))
    reported = []
    one = score_architectures(SPACE, architectures, batch, WEIGHTS)
    two = score_architectures(SPACE, architectures, batch, WEIGHTS, jobs=2, progress=reported.append)
    np.testing.assert_array_equal(two, one)
    assert sum(reported) == 40


def test_distinct_by_hand():
    # The last two are the first with nodes 1 and 2 swapped, and the third with a dead end.
    architectures = [
        *ARCHITECTURES[:3],
        ARCHITECTURES[0],
        "|skip_connect~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|skip_connect~2|",
        "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|",
    ]
    first, members = distinct(SPACE, architectures)
    assert first.tolist() == [0, 1, 2, 4]
    assert members.tolist() == [0, 1, 2, 0, 3, 2]


@pytest.mark.parametrize("name", ["lumped", "full-width"])
def test_any_layout_of_the_batch_is_fine(batch, name):
    reversed_view = batch[::-1, :, ::-1]
    reversed_view.flags.writeable = False
    scores = score_architectures(SPACE, ARCHITECTURES, reversed_view, WEIGHTS, name, "double")
    expected = score_architectures(SPACE, ARCHITECTURES, reversed_view.copy(), WEIGHTS, name, "double")
    np.testing.assert_array_equal(scores, expected)


def test_a_batch_in_double_precision_is_used_as_it_is():
    batch = np.random.default_rng(0).standard_normal((5, 3, 4, 4))
    double, rounded = (
        score_architectures(SPACE, ARCHITECTURES[:1], images, WEIGHTS, precision="double")
        for images in (batch, batch.astype(np.float32))
    )
    assert double != rounded
    assert double == pytest.approx(rounded, rel=1e-4)


def test_a_malformed_architecture_is_named_by_its_position(batch):
    with pytest.raises(InputError) as caught:
        score_architectures(SPACE, [*ARCHITECTURES, "|none~0|"], batch, WEIGHTS)
    assert str(caught.value).startswith("architecture 5: malformed architecture '|none~0|': expected ")
    with pytest.raises(InputError, match=r"^architecture 1: unknown operation 'conv': expected one of none, "):
        score_architectures(SPACE, [ARCHITECTURES[0].replace("none", "conv")], batch, WEIGHTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "gpu"}, "engine: found 'gpu', expected one of lumped, full-width"),
        ({"precision": "half"}, "precision: found 'half', expected one of single, double, extended"),
        (
            {"engine": "full-width", "precision": "extended"},
            "precision: found 'extended', the full-width engine has single and double",
        ),
        ({"zeros": "dropped"}, "zeros: found 'dropped', expected one of masked, kept"),
        ({"weights": (1.0, 1.0)}, "weights: found 1.0 1.0, equal weights; expected LOW < HIGH"),
        (
            {"weights": [(0.1, 1.0), (1.0, 0.1)]},
            "weights: found 1.0 0.1, the larger one first; expected LOW < HIGH",
        ),
        ({"jobs": 0}, "jobs: found 0, expected 1 or more"),
    ],
)
def test_bad_arguments_are_refused(batch, arguments, message):
    with pytest.raises(InputError) as caught:
        score_architectures(SPACE, ARCHITECTURES, batch, **{"weights": WEIGHTS} | arguments)
    assert str(caught.value) == message


def with_nan(image: int) -> np.ndarray:
    batch = np.zeros((4, 3, 8, 8), np.float32)
    batch[image, 2, 7, 7] = np.nan
    return batch


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros((4, 3, 8, 8), np.uint8), "batch: found uint8, expected an array of float32 or float64"),
        (np.zeros((4, 3, 8, 8), ">f4"), "batch: found >f4, expected an array of float32 or float64"),
        ([[1.0]], "batch: found list, expected an array of float32 or float64"),
        (
            np.zeros((3, 8, 8)),
            "batch: found shape (3, 8, 8), expected (images, channels, height, width), none 0",
        ),
        (
            np.zeros((0, 3, 8, 8)),
            "batch: found shape (0, 3, 8, 8), expected (images, channels, height, width), none 0",
        ),
        (np.zeros((4, 3, 8, 6)), "batch: found 8x6 pixels in the last two dimensions, expected multiples of 4"),
        (np.zeros((4, 3, 30, 32)), "batch: found 30x32 pixels in the last two dimensions, expected multiples of 4"),
        (with_nan(2), "batch: image 2 has entries that are not finite (NaN or infinite)"),
        (np.full((4, 3, 8, 8), np.inf), "batch: image 0 has entries that are not finite (NaN or infinite)"),
    ],
)
def test_bad_batches_are_refused(batch, message):
    for call in (check_batch, lambda images: score_architectures(SPACE, ARCHITECTURES, images, WEIGHTS)):
        with pytest.raises(InputError) as caught:
            call(batch)
        assert str(caught.value) == message


# Threads and processes.


def test_threads_do_not_get_each_others_batch(batch):
    batches = [batch, batch[::-1] * 3, batch * batch]
    expected = [score_architectures(SPACE, ARCHITECTURES, images, WEIGHTS, precision="double") for images in batches]

    def scored(number):
        return score_architectures(SPACE, ARCHITECTURES, batches[number % 3], WEIGHTS, precision="double")

    with ThreadPoolExecutor(3) as pool:
        for number, found in enumerate(pool.map(scored, range(30))):
            np.testing.assert_array_equal(found, expected[number % 3])


def test_progress_may_score_something_else(batch):
    architectures = SPACE.sample(80, np.random.default_rng(0))
    expected = score_architectures(SPACE, architectures, batch, WEIGHTS)

    def elsewhere(count):
        score_architectures(SPACE, ARCHITECTURES[:1], batch * 2 + 1, WEIGHTS)

    found = score_architectures(SPACE, architectures, batch, WEIGHTS, progress=elsewhere)
    np.testing.assert_array_equal(found, expected)


PROGRAM = """
import numpy as np, epsinas
space = epsinas.NasBench201(channels=2, cells=1)
rng = np.random.default_rng(0)
images = rng.standard_normal((64, 3, 32, 32)).astype(np.float32)  # larger than a pipe
print(np.isfinite(epsinas.score_architectures(space, space.sample(20, rng), images, (1e-2, 1.0), jobs=2)).sum())
"""


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_program_without_a_main_guard_may_use_processes(tmp_path, way):
    (tmp_path / "program.py").write_text(PROGRAM)
    words = [sys.executable, *(["program.py"] if way == "file" else [])]
    given = None if way == "file" else PROGRAM
    done = subprocess.run(words, cwd=tmp_path, input=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_a_worker_that_is_killed_is_one_line(batch):
    def fatal(network, inputs):
        os.kill(os.getpid(), signal.SIGKILL)

    message = "jobs: a worker process was killed, perhaps because memory ran out; found 2, expected fewer"
    with pytest.raises(InputError, match=message):
        score_architectures(SPACE, ARCHITECTURES, batch, metric=own_metric(fatal), jobs=2)


def test_a_main_module_that_is_gone_is_not_needed(tmp_path):
    program = "import os; os.remove(__file__)\n" + PROGRAM
    (tmp_path / "program.py").write_text(program)
    words = [sys.executable, "program.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_what_workers_cannot_take_is_one_line(batch):
    lock = Lock()

    def locked(network, inputs):
        return lock and 1.0

    message = (
        r"jobs: workers cannot take the metric or the search space \(TypeError: cannot pickle '_thread.lock' object"
    )
    with pytest.raises(InputError, match=message):
        score_architectures(SPACE, ARCHITECTURES, batch, metric=own_metric(locked), jobs=2)


def test_a_module_that_workers_cannot_import_is_one_line(batch, monkeypatch):
    module = ModuleType("phantom")
    exec("def mine(network, inputs):\n    return 1.0", module.__dict__)
    monkeypatch.setitem(sys.modules, "phantom", module)
    message = r"^jobs: workers cannot take .* \(ModuleNotFoundError: No module named 'phantom'\); found 2, expected 1, "
    with pytest.raises(InputError, match=message):
        score_architectures(SPACE, ARCHITECTURES, batch, metric=own_metric(module.mine), jobs=2)


# Metrics.


def test_a_metric_that_fails_on_every_network_has_a_reason_for_each(batch, capsys):
    def broken(network, inputs):
        raise ValueError("no\nway")

    scores, _, reasons = score_with_errors(SPACE, ARCHITECTURES, batch, metric=own_metric(broken))
    assert np.isnan(scores).all()
    assert reasons.tolist() == ["failed"] * 4
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[0] == f"epsinas: broken failed on {ARCHITECTURES[0]}: ValueError: no way"


def test_a_complex_score_is_none(batch, capsys):
    def spectral(network, inputs):
        return np.complex64(1j)

    found = score_with_errors(SPACE, ARCHITECTURES[:1], batch, metric=own_metric(spectral))
    assert found.reasons.tolist() == ["failed"]
    line = f"epsinas: spectral failed on {ARCHITECTURES[0]}: TypeError: found 1j, expected a real number\n"
    assert capsys.readouterr().err == line


def test_reasons_go_with_scores(batch):
    found = score_with_errors(SPACE, ARCHITECTURES, batch, WEIGHTS)
    assert found.reasons.tolist() == ["", "", "disconnected", ""]


@pytest.mark.parametrize("metric", ["grad_norm", "snip", "plain", "fisher", "grasp", "grad_sign", "zico"])
def test_losses_that_no_image_reaches_give_no_score(batch, metric):
    space = NasBench201(channels=2, cells=1)
    nothing, skip = (
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    )
    labels = np.arange(len(batch)) % 10
    found = score_with_errors(space, [nothing, skip], batch, metric=metric, labels=labels)
    assert found.reasons.tolist() == ["disconnected", ""]
    assert np.isfinite(found.scores).tolist() == [False, True]


def test_the_published_weights_are_the_usual_ones(batch):
    usual = score_architectures(SPACE, ARCHITECTURES, batch)
    np.testing.assert_array_equal(usual, score_architectures(SPACE, ARCHITECTURES, batch, SPACE.weights))


def test_a_metric_that_only_a_study_can_set(batch):
    with pytest.raises(InputError, match="metric random_pair: can only be computed by a study, which has 'ablations'"):
        score_architectures(SPACE, ARCHITECTURES, batch, metric="random_pair")
    with pytest.raises(
        InputError, match=r"^unknown metric 'epsilons': expected one of .*epsilon, .*, or package.module:function "
    ):
        score_architectures(SPACE, ARCHITECTURES, batch, metric="epsilons")


def test_constant_weights_take_no_torch():
    """Its import is most of what a job of a study with few networks takes."""
    program = (
        "import sys, numpy as np; from epsinas import NasBench201, score_architectures;"
        "images = np.random.default_rng(0).random((4, 3, 8, 8), np.float32);"
        f"score_architectures(NasBench201(channels=2), {ARCHITECTURES!r}, images);"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "epsinas.engines.images.lumped" in loaded
    assert {"torch", "scipy.stats", "matplotlib"}.isdisjoint(loaded)
