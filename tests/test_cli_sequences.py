import csv
import io
import subprocess
import sys

import numpy as np
import pytest

from epsinas.cli import main
from epsinas.engines.sequences.batches import TokenBatch, embedding
from epsinas.scoring import score_architectures, score_with_errors
from epsinas.spaces import NasBenchNLP
from tests.spaces.test_nas_bench_nlp import GRU, LSTM, RNN, recipe

DEAF = recipe(h_new_0=("linear", "h_prev_0"))
RECIPES = [RNN, LSTM, GRU, DEAF]


@pytest.fixture
def batch() -> TokenBatch:
    rng = np.random.default_rng(0)
    return TokenBatch(rng.permutation(40).reshape(5, 8), embedding("uniform_positive_1", 40, rng))


@pytest.fixture
def arguments(tmp_path, batch) -> dict[str, list[str]]:
    paths = [tmp_path / name for name in ("recipes.jsonl", "tokens.npy", "embedding.npy")]
    paths[0].write_text("\n".join(RECIPES) + "\n")
    np.save(paths[1], batch.tokens)
    np.save(paths[2], batch.embedding)
    values = dict(zip(("--architectures", "--tokens", "--embedding"), ([str(path)] for path in paths), strict=True))
    return {**values, "--weights": ["1e-5", "1e-3"], "--jobs": ["1"]}


def command(arguments: dict[str, list[str]]) -> list[str]:
    return ["score", "nas-bench-nlp", *(word for option, values in arguments.items() for word in (option, *values))]


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def refused(capsys, arguments: dict[str, list[str]]) -> str:
    assert main(command(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("epsinas: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("epsinas: ").rstrip("\n")


@pytest.mark.parametrize("precision", ["single", "double", "extended"])
def test_prints_recipes_and_scores(capsys, arguments, batch, precision):
    assert main(command(arguments | {"--precision": [precision]})) == 0
    header, *body = rows(capsys.readouterr().out)
    assert header == ["architecture", "score"]
    assert [architecture for architecture, _ in body] == RECIPES
    expected = score_architectures(NasBenchNLP(), RECIPES, batch, (1e-5, 1e-3), precision=precision)
    np.testing.assert_array_equal([float(score or "nan") for _, score in body], expected)
    assert np.isfinite(expected[:3]).all()


def test_hidden_size_and_layers_change_the_network(capsys, arguments, batch):
    assert main(command(arguments | {"--hidden-size": ["5"], "--layers": ["2"], "--precision": ["extended"]})) == 0
    _, *body = rows(capsys.readouterr().out)
    expected = score_architectures(NasBenchNLP(5, 2), RECIPES, batch, (1e-5, 1e-3), precision="extended")
    np.testing.assert_array_equal([float(score or "nan") for _, score in body], expected)


def test_both_engines_score_alike(capsys, arguments):
    arguments |= {"--hidden-size": ["4"], "--layers": ["1"], "--weights": ["1e-3", "1e-2"], "--precision": ["double"]}
    found = []
    for name in ("lumped", "full-width"):
        assert main(command(arguments | {"--engine": [name]})) == 0
        found.append([float(score or "nan") for _, score in rows(capsys.readouterr().out)[1:4]])
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_scores_that_rounding_limits_are_marked(capsys, arguments, batch):
    assert main([*command(arguments | {"--precision": ["double"]}), "--mark-rounding"]) == 0
    header, *body = rows(capsys.readouterr().out)
    assert header == ["architecture", "score", "rounding_limited"]
    errors = score_with_errors(NasBenchNLP(), RECIPES, batch, (1e-5, 1e-3), precision="double").errors
    assert [int(mark) for *_, mark in body] == [int(error > 1e-3) for error in errors]
    assert {mark for *_, mark in body} == {"0", "1"}


def test_two_processes_score_as_one(arguments, batch):
    recipes = NasBenchNLP().sample(20, np.random.default_rng(0))
    weights = [(1e-5, 1e-3), (1e-4, 1e-2)]
    one, two = (score_with_errors(NasBenchNLP(), recipes, batch, weights, jobs=jobs) for jobs in (1, 2))
    assert one.scores.shape == one.errors.shape == (20, 2)
    np.testing.assert_array_equal(one.scores, two.scores)
    np.testing.assert_array_equal(one.errors, two.errors)


def test_output_goes_to_a_file(capsys, arguments, tmp_path):
    main(command(arguments))
    printed = capsys.readouterr().out
    output = tmp_path / "new" / "scores.csv"
    assert main(command(arguments | {"--output": [str(output)]})) == 0
    assert output.read_text() == printed


def test_as_a_program(arguments):
    words = [sys.executable, "-m", "epsinas.cli", *command(arguments | {"--architectures": ["-"]})]
    result = subprocess.run(words, input=RNN, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert rows(result.stdout)[1][0] == RNN


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense", ", line 1: recipe: found 'nonsense', expected JSON like"),
        (f"{RNN}\n{RNN.replace('tanh', 'relu')}", ", line 2: recipe, node 'h_new_0': unknown operation"),
        (f"{RNN}\n\n{RNN}", ", line 2: recipe: found '', expected JSON like"),
        ("", ": no architectures, expected one a line"),
    ],
)
def test_a_bad_recipe_is_named_with_its_line(capsys, arguments, tmp_path, content, message):
    path = tmp_path / "recipes.jsonl"
    path.write_text(content)
    assert refused(capsys, arguments).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("option", "array", "message"),
    [
        ("--tokens", np.zeros((5, 8), np.int32), "found int32, expected an array of int64"),
        ("--tokens", np.zeros(5, np.int64), "found shape (5,), expected (time, batch), none 0"),
        ("--tokens", np.full((5, 8), 40), "found 40 at time 0, sequence 0, expected 0 to 39, a row of the embedding"),
        ("--embedding", np.zeros((40, 400), int), "found int64, expected an array of float32 or float64"),
        ("--embedding", np.zeros((40, 300)), "found 300 units, expected 400"),
        ("--embedding", np.full((40, 400), np.inf), "row 0 has entries that are not finite (NaN or infinite)"),
    ],
)
def test_a_bad_array_is_refused(capsys, arguments, option, array, message):
    (path,) = arguments[option]
    np.save(path, array)
    assert refused(capsys, arguments) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--architectures", "no such file, expected one architecture a line, or -"),
        ("--tokens", "no such file, expected tokens (time, batch) (.npy)"),
        ("--embedding", "no such file, expected an embedding (vocabulary, units) (.npy)"),
    ],
)
def test_a_missing_file_is_refused(capsys, arguments, tmp_path, option, expected):
    path = str(tmp_path / "absent")
    assert refused(capsys, arguments | {option: [path]}) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--hidden-size", "0", "--hidden-size: found 0, expected 1 or more"),
        ("--layers", "-2", "--layers: found -2, expected 1 or more"),
    ],
)
def test_bad_options_are_refused(capsys, arguments, option, value, message):
    assert refused(capsys, arguments | {option: [value]}) == message


def test_help_mentions_every_option(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["score", "nas-bench-nlp", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for option in ("architectures", "tokens", "embedding", "hidden-size", "layers", "weights", "mark-rounding"):
        assert f"--{option}" in text


def test_without_tokens_made_up_ones_stand_in(capsys, tmp_path):
    (tmp_path / "recipes.jsonl").write_text(f"{LSTM}\n{GRU}\n")
    words = ["score", "nas-bench-nlp", "--architectures", str(tmp_path / "recipes.jsonl"), "--hidden-size", "8"]
    assert main([*words, "--jobs", "1"]) == 0
    captured = capsys.readouterr()
    line = "epsinas: no tokens given: Zipf tokens, 256 sequences of 70, embedding uniform, seed 0\n"
    assert captured.err == line
    assert all(score for _, score in list(csv.reader(io.StringIO(captured.out)))[1:])
    assert main([*words, "--tokens", "tokens.npy"]) == 2
    message = "--embedding: found none, expected EMBEDDING.npy, since the other is given"
    assert capsys.readouterr().err == f"epsinas: {message}\n"
