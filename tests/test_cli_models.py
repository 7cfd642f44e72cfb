"""The command line on torch models of one's own."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import epsinas
from epsinas.cli import main
from epsinas.engines.images.batches import image_batch
from epsinas.files.images import write_images
from epsinas.models.diagnosis import WEIGHTS
from epsinas.streams import stream
from epsinas.weights import choose_weights, chosen_pair

MODELS = """
import warnings
import torch
from torch import nn

class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, width, 3), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, images):
        x = self.first(images)
        return (x + torch.nn.functional.silu(self.second(x))).mean((2, 3))

def small():
    return Residual(4)

large = Residual(8).double()

def normalised():
    return nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.LayerNorm(4), nn.Linear(4, 2))

def speaking():
    warnings.warn("two\\nlines")
    warnings.warn("two\\nlines")
    return Residual(4)

def embedded():
    return nn.Sequential(nn.Embedding(9, 2), nn.Flatten(), nn.Linear(8, 2))

def deep():
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 8), *[nn.Linear(8, 8) for _ in range(8)])

frozen = nn.ReLU()
number = 3

def needs(width):
    return Residual(width)

def returns():
    return 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The working directory, with a module of models, images, and nothing of an earlier test."""
    (tmp_path / "my_models.py").write_text(MODELS)
    np.save(tmp_path / "batch.npy", np.random.default_rng(0).standard_normal((6, 3, 8, 8)).astype(np.float32))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield tmp_path
    sys.modules.pop("my_models", None)


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def command(*words: str, images: str = "batch.npy") -> int:
    return main([*words, "--images", images])


def refused(capsys, *words: str, images: str = "batch.npy") -> str:
    """The message of a command that is refused in one line, with nothing on standard output."""
    assert command(*words, images=images) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("epsinas: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("epsinas: ").rstrip("\n")


def made(name: str) -> torch.nn.Module:
    import my_models

    found = getattr(my_models, name)
    return found if isinstance(found, torch.nn.Module) else found()


def test_a_row_for_each_model_in_order_with_all_digits(capsys, folder):
    assert command("score", "model", "my_models:large", "my_models:small") == 0
    captured = capsys.readouterr()
    header, *body = rows(captured.out)
    assert header == ["model", "score"]
    assert [name for name, _ in body] == ["my_models:large", "my_models:small"]
    batch = np.load(folder / "batch.npy")
    expected = [epsinas.score(made("large"), batch.astype(np.float64)), epsinas.score(made("small"), batch)]
    np.testing.assert_array_equal([float(score) for _, score in body], expected)
    assert captured.err == "epsinas: my_models:large: batch converted from float32 to float64, as the parameters\n"


def test_options_are_those_of_the_api(capsys, folder):
    options = ["--weights", "0.1", "0.5", "--zeros", "kept", "--engine", "full-width"]
    assert command("score", "model", "my_models:small", *options) == 0
    ((_, score),) = rows(capsys.readouterr().out)[1:]
    batch = np.load(folder / "batch.npy")
    assert float(score) == epsinas.score(made("small"), batch, (0.1, 0.5), "kept", engine="full-width")


def test_another_metric(capsys, folder):
    np.save(folder / "labels.npy", np.arange(6) % 4)
    batch, labels = np.load(folder / "batch.npy"), np.arange(6) % 4
    for metric, words in (("expected_synflow", []), ("snip", ["--labels", "labels.npy"])):
        assert command("score", "model", "my_models:large", "my_models:deep", "--metric", metric, *words) == 0
        found = [float(score) for _, score in rows(capsys.readouterr().out)[1:]]
        given = ((made("large"), batch.astype(np.float64)), (made("deep"), batch))
        expected = [epsinas.score(model, inputs, metric=metric, labels=labels) for model, inputs in given]
        # The deep model has random weights, which are others each time.
        assert found[0] == expected[0]
        assert (found[1] == expected[1]) == (metric == "expected_synflow")


def test_a_metric_of_ones_own(capsys, folder):
    (folder / "my_metrics.py").write_text("def width(network, batch):\n    return network.first.weight.shape[0]\n")
    assert command("score", "model", "my_models:small", "--metric", "my_metrics:width") == 0
    assert rows(capsys.readouterr().out)[1:] == [["my_models:small", "4.0"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metric", "snip"], "--labels: found none, expected LABELS.npy; the metric snip needs them"),
        (["--metric", "cv", "--labels", "labels.npy"], "my_models:small: metric cv: found a torch model, expected a "),
        (["--metric", "near", "--weights", "1", "2"], "my_models:small: weights: found some, expected none for the "),
        (["--seed", "-1"], "--seed: found -1, expected 0 or more"),
    ],
)
def test_metrics_are_refused_in_a_line(capsys, folder, words, message):
    np.save(folder / "labels.npy", np.arange(6) % 4)
    assert refused(capsys, "score", "model", "my_models:small", *words).startswith(message)


def test_the_help_names_the_metrics_that_any_model_has(capsys):
    with pytest.raises(SystemExit):
        main(["score", "model", "--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in ("expected_synflow", "naswot", "grad_norm", "--labels"))
    assert "tenas_regions" not in text


def test_the_default_weights_are_said(capsys):
    with pytest.raises(SystemExit):
        main(["score", "model", "--help"])
    low, high = WEIGHTS
    assert f"(default {low:g} {high:g})" in capsys.readouterr().out


def test_no_score_is_an_empty_field_and_a_line(capsys):
    assert command("score", "model", "my_models:normalised", "my_models:small") == 0
    captured = capsys.readouterr()
    (_, (first, empty), (second, score)) = rows(captured.out)
    assert (first, empty, second) == ("my_models:normalised", "", "my_models:small")
    assert float(score) > 0
    assert captured.err == (
        "epsinas: my_models:normalised: no score: under 0.001 the outputs are 0 for all samples from layer 2 "
        "(LayerNorm) on; layer normalisation over equal channels gives exactly 0\n"
    )


def test_warnings_are_lines(capsys):
    assert command("score", "model", "my_models:speaking") == 0
    assert capsys.readouterr().err == "epsinas: my_models:speaking: two lines\n"


def test_integers_stay_integers(capsys, folder):
    np.save(folder / "tokens.npy", np.arange(12).reshape(3, 4) % 9)
    assert command("score", "model", "my_models:embedded", images="tokens.npy") == 0
    captured = capsys.readouterr()
    assert rows(captured.out)[1:] == [["my_models:embedded", ""]]
    assert "tokens are not told apart" in captured.err


def test_raw_images_are_normalised(capsys, folder):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    write_images(images, np.zeros(20, int), "made up", folder / "raw.npz")
    for name, words in (("cifar10", ["--dataset", "cifar10"]), ("raw.npz", [])):
        assert command("score", "model", "my_models:small", *words, images="raw.npz") == 0
        ((_, score),) = rows(capsys.readouterr().out)[1:]
        assert float(score) == epsinas.score(made("small"), image_batch(images, name, 20, stream(0, "batch", 0)))


def test_output_goes_to_a_file(capsys, folder):
    command("score", "model", "my_models:small")
    printed = capsys.readouterr().out
    assert command("score", "model", "my_models:small", "--output", "new/scores.csv") == 0
    assert capsys.readouterr().out == ""
    assert (folder / "new" / "scores.csv").read_text() == printed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_models", "my_models: model: found 'my_models', expected PACKAGE.MODULE:FUNCTION"),
        (":small", ":small: model: found ':small', expected PACKAGE.MODULE:FUNCTION"),
        ("absent:small", "absent:small: module absent: cannot be imported: No module named 'absent'"),
        (
            "my_models:other",
            "my_models:other: model: found nothing of that name, expected a function without arguments, or a "
            "torch.nn.Module",
        ),
        (
            "my_models:number",
            "my_models:number: model: found int, expected a function without arguments, or a torch.nn.Module",
        ),
        ("my_models:needs", "my_models:needs: TypeError: needs() missing 1 required positional argument: 'width'"),
        ("my_models:returns", "my_models:returns: model: the function returned int, expected a torch.nn.Module"),
        (
            "my_models:frozen",
            "my_models:frozen: model: found no weights (it has no parameters; a frozen script has constants in their "
            "place), expected parameters to set",
        ),
        ("broken:small", "broken:small: NameError: name 'absent' is not defined"),
    ],
)
def test_what_is_no_model_is_refused(capsys, folder, name, message):
    (folder / "broken.py").write_text("absent\n")
    assert refused(capsys, "score", "model", "my_models:small", name) == message
    assert refused(capsys, "diagnose", name) == message


def test_a_batch_that_a_model_does_not_take_is_refused(capsys, folder):
    np.save(folder / "grey.npy", np.zeros((2, 1, 8, 8), np.float32))
    message = refused(capsys, "score", "model", "my_models:small", images="grey.npy")
    assert message.startswith("my_models:small: RuntimeError: ")
    assert "expected input[2, 1, 8, 8] to have 3 channels" in message
    message = refused(capsys, "weights", "model", "my_models:small", images="grey.npy")
    assert message.startswith("weights: networks[0]: RuntimeError: ")


@pytest.mark.parametrize(
    ("words", "images", "message"),
    [
        ([], "absent.npy", "absent.npy: no such file, expected what the model takes (.npy)"),
        ([], "absent.npz", "absent.npz: found no such file, expected a file"),
        ([], "my_models.py", "my_models.py: not a readable .npy file: "),
        (
            ["--dataset", "cifar10"],
            "batch.npy",
            "dataset: found cifar10, expected none, which is for raw images (.npz)",
        ),
        ([], "text.npy", "my_models:small: batch: found an array of <U1, expected numbers that torch has"),
        ([], "nan.npy", "my_models:small: batch: has entries that are not finite (NaN or infinite)"),
    ],
)
def test_a_bad_batch_is_refused(capsys, folder, words, images, message):
    np.save(folder / "text.npy", np.array(["a"]))
    np.save(folder / "nan.npy", np.full((2, 3, 8, 8), np.nan, np.float32))
    assert refused(capsys, "score", "model", "my_models:small", *words, images=images).startswith(message)


def test_other_mistakes_are_refused_before_the_work(capsys):
    expected = "weights: found 1.0 1.0, equal weights; expected LOW < HIGH"
    for words in (["score", "model"], ["diagnose"]):
        assert refused(capsys, *words, "absent:small", "--weights", "1", "1") == expected
    for name in ("score", "weights"):
        message = refused(capsys, name, "model", "absent:small", "--output", ".")
        assert message == "--output: found '.', expected the name of a file"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["score", "model", "--images", "batch.npy"], "required: PACKAGE.MODULE:FUNCTION"),
        (["score", "model", "my_models:small"], "required: --images"),
        (["diagnose", "my_models:small", "my_models:large", "--images", "batch.npy"], "unrecognized arguments"),
    ],
)
def test_words_that_are_missing_or_too_many(capsys, words, found):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert found in capsys.readouterr().err


# Diagnoses.


def test_a_diagnosis_is_printed(capsys, folder):
    assert command("diagnose", "my_models:small", "--weights", "0.1", "0.5", "--zeros", "kept") == 0
    captured = capsys.readouterr()
    batch = np.load(folder / "batch.npy")
    expected = epsinas.diagnose(made("small"), batch, (0.1, 0.5), "kept")
    assert captured.out.startswith(f"score {expected.score:.6g} (weights 0.1 and 0.5, lumped, ")
    assert "2 parameters set to the weight: first.weight, second.weight\n" in captured.out
    assert captured.err == ""


def test_a_diagnosis_of_no_score_is_no_mistake(capsys):
    assert command("diagnose", "my_models:normalised", "--engine", "full-width") == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("no score: under 0.001 the outputs ")
    assert "(weights 0.001 and 1, full-width, " in first


# Weights.


def test_weights_are_chosen(capsys, folder):
    assert command("weights", "model", "my_models:deep", "my_models:small") == 0
    captured = capsys.readouterr()
    table = choose_weights([made("deep"), made("small")], np.load(folder / "batch.npy"))
    assert captured.out == table.to_csv(index=False)
    low, high = chosen_pair(table)
    assert captured.err == f"epsinas: chosen weights {low:g} {high:g}\n"
    assert low > 1e-7


def test_no_weights_to_choose(capsys):
    assert command("weights", "model", "my_models:normalised", "--output", "windows.csv") == 2
    message = "no window passes; the best, 1e-07 1, scores 0 of 1 networks"
    assert capsys.readouterr().err == f"epsinas: batch.npy: {message}\n"


# The program.


def test_as_a_program(folder):
    """Nothing heavy is loaded but torch: neither its compiler nor pandas, and no warning in Python's format."""
    program = (
        "import sys; from epsinas.cli import main; code = main(sys.argv[1:]);"
        "print({'pandas', 'scipy', 'numba', 'torch._dynamo'} & set(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    words = [sys.executable, "-c", program, "diagnose", "my_models:speaking", "--images", "batch.npy"]
    result = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ)
    assert (result.returncode, result.stderr) == (0, "epsinas: my_models:speaking: two lines\nset()\n")
    assert result.stdout.startswith("score ")
