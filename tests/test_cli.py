import csv
import io
import os
import subprocess
import sys

import numpy as np
import pytest

from epsinas import NasBench101, NasBench201, __version__, score_architectures
from epsinas.cli import main
from epsinas.cli.spaces import usable_cores
from epsinas.engines.images.batches import image_batch, synthetic_batch
from epsinas.files.images import write_images
from epsinas.metrics.base import LABELS, METRICS, Metric, scored
from epsinas.streams import stream

# The fourth is disconnected; the fifth has no score in single precision only.
ARCHITECTURES = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
    "|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((12, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def arguments(tmp_path, images) -> dict[str, list[str]]:
    """A complete command line, by option."""
    np.save(tmp_path / "batch.npy", images)
    (tmp_path / "architectures.txt").write_text("\n".join(ARCHITECTURES) + "\n")
    return {
        "--architectures": [str(tmp_path / "architectures.txt")],
        "--images": [str(tmp_path / "batch.npy")],
        "--weights": ["1e-7", "1"],
        "--jobs": ["1"],
    }


def command(arguments: dict[str, list[str]]) -> list[str]:
    options = [word for option, values in arguments.items() for word in (option, *values)]
    return ["score", "nas-bench-201", *options]


def refused(capsys, arguments: dict[str, list[str]]) -> str:
    """The message of a command that is refused in one line, with nothing on standard output."""
    assert main(command(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("epsinas: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("epsinas: ").rstrip("\n")


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_row_for_each_architecture_in_order_with_all_digits(capsys, arguments, images):
    assert main(command(arguments)) == 0
    captured = capsys.readouterr()
    header, *body = rows(captured.out)
    assert captured.err == ""
    assert header == ["architecture", "score"]
    assert [architecture for architecture, _ in body] == ARCHITECTURES
    scores = score_architectures(NasBench201(), ARCHITECTURES, images, (1e-7, 1.0))
    assert [score == "" for _, score in body] == [False, False, False, True, True, False]
    np.testing.assert_array_equal([float(score or "nan") for _, score in body], scores)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "extended"},
        {"zeros": "kept"},
        {"engine": "full-width", "precision": "double"},
        {"precision": "double", "weights": (1e-3, 0.5)},
    ],
)
def test_options_are_those_of_the_api(capsys, arguments, images, options):
    weights = options.pop("weights", (1e-7, 1.0))
    arguments["--weights"] = list(map(str, weights))
    assert main(command(arguments | {f"--{name}": [value] for name, value in options.items()})) == 0
    found = [float(score or "nan") for _, score in rows(capsys.readouterr().out)[1:]]
    expected = score_architectures(NasBench201(), ARCHITECTURES, images, weights, **options)
    np.testing.assert_array_equal(found, expected)


def test_extended_precision_gives_a_score_to_every_connected_network(capsys, arguments):
    assert main(command(arguments | {"--precision": ["extended"]})) == 0
    body = rows(capsys.readouterr().out)[1:]
    assert [score == "" for _, score in body] == [False, False, False, True, False, False]


def test_output_goes_to_a_file_in_a_new_folder_and_leaves_nothing_else(capsys, arguments, tmp_path):
    main(command(arguments))
    printed = capsys.readouterr().out
    output = tmp_path / "new" / "folder" / "scores.csv"
    assert main(command(arguments | {"--output": [str(output)]})) == 0
    assert capsys.readouterr().out == ""
    assert output.read_text() == printed
    assert list(output.parent.iterdir()) == [output]


def test_an_existing_output_is_replaced(arguments, tmp_path):
    output = tmp_path / "scores.csv"
    output.write_text("old")
    assert main(command(arguments | {"--output": [str(output)]})) == 0
    assert output.read_text().startswith("architecture,score\n")


def test_an_output_that_is_read_only_is_refused_before_the_work(capsys, arguments, tmp_path, monkeypatch):
    monkeypatch.setattr("epsinas.scoring.score_architectures", None)
    output = tmp_path / "scores.csv"
    output.write_text("old")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, how: path != output and access(path, how))  # root may write all
    message = refused(capsys, arguments | {"--output": [str(output)]})
    assert message == f"--output: {output} cannot be written: read-only"
    assert output.read_text() == "old"


def test_an_output_behind_a_link_is_replaced_in_its_place(arguments, tmp_path):
    (tmp_path / "private").mkdir()
    target, link = tmp_path / "private" / "scores.csv", tmp_path / "link.csv"
    target.touch(0o600)
    link.symlink_to(target)
    assert main(command(arguments | {"--output": [str(link)]})) == 0
    assert link.is_symlink()
    assert target.read_text().startswith("architecture,score\n")
    assert target.stat().st_mode & 0o777 == 0o600


def test_lines_may_end_in_any_way(capsys, arguments, tmp_path):
    main(command(arguments))
    expected = capsys.readouterr().out
    path = tmp_path / "architectures.txt"
    for text in ("\r\n".join(ARCHITECTURES), "\n".join(ARCHITECTURES) + "\n\n \n"):
        path.write_bytes(text.encode())
        assert main(command(arguments)) == 0
        assert capsys.readouterr().out == expected


def test_architectures_come_from_standard_input(capsys, arguments, monkeypatch):
    main(command(arguments))
    expected = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(ARCHITECTURES)))
    assert main(command(arguments | {"--architectures": ["-"]})) == 0
    assert capsys.readouterr().out == expected


def test_all_is_the_whole_space_in_order(capsys, arguments, images):
    # One cell for each stage instead of five, and images of 4x4, to be quick.
    np.save(arguments["--images"][0], images[:4, :, :4, :4])
    small = {"--architectures": ["all"], "--channels": ["1"], "--cells": ["1"]}
    assert main(command(arguments | small)) == 0
    _, *body = rows(capsys.readouterr().out)
    assert [architecture for architecture, _ in body] == list(NasBench201().architectures())
    assert sum(score != "" for _, score in body) > 5_000


def test_as_a_program(arguments):
    words = [sys.executable, "-m", "epsinas.cli", *command(arguments | {"--architectures": ["-"]})]
    result = subprocess.run(words, input=ARCHITECTURES[0], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    (header, (architecture, score)) = rows(result.stdout)
    assert header == ["architecture", "score"]
    assert architecture == ARCHITECTURES[0]
    assert float(score) > 0


def test_a_mistake_ends_the_program_with_one_line_and_exit_code_2(arguments, tmp_path):
    output = tmp_path / "scores.csv"
    arguments |= {"--weights": ["1", "1"], "--output": [str(output)]}
    words = [sys.executable, "-m", "epsinas.cli", *command(arguments)]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "epsinas: weights: found 1.0 1.0, equal weights; expected LOW < HIGH\n"
    assert not output.exists()


@pytest.mark.parametrize("line", [1, 3])
def test_an_unknown_operation_is_named_with_its_line(capsys, arguments, tmp_path, line):
    lines = list(ARCHITECTURES)
    lines[line - 1] = lines[line - 1].replace("none", "conv_7x7", 1)
    path = tmp_path / "architectures.txt"
    path.write_text("\n".join(lines))
    assert refused(capsys, arguments) == (
        f"{path}, line {line}: unknown operation 'conv_7x7': "
        "expected one of none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"|none~0|\n", ", line 1: malformed architecture '|none~0|': expected '|op~0|+|op~0|op~1|+"),
        (ARCHITECTURES[0].encode() + b"\n\n" + ARCHITECTURES[1].encode(), ", line 2: unknown operation ''"),
        (b"", ": no architectures, expected one a line"),
        (b"\n \n", ": no architectures, expected one a line"),
        (b"\xff\xfe\x00", ": not a text file, expected one architecture a line"),
    ],
)
def test_a_bad_list_of_architectures_is_refused(capsys, arguments, tmp_path, content, message):
    path = tmp_path / "architectures.txt"
    path.write_bytes(content)
    assert refused(capsys, arguments).startswith(f"{path}{message}")


def test_a_bad_line_of_standard_input_is_refused(capsys, arguments, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("nonsense"))
    message = refused(capsys, arguments | {"--architectures": ["-"]})
    assert message.startswith("standard input, line 1: unknown operation 'nonsense'")


NAN = np.zeros((2, 3, 4, 4), np.float32)
NAN[1, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 4, 4), np.float32), "found shape (3, 4, 4), expected (images, channels, height, width)"),
        (np.zeros((2, 3, 4, 4), np.float64), "found float64, expected an array of float32"),
        (np.zeros((2, 3, 4, 4), np.uint8), "found uint8, expected an array of float32"),
        (np.zeros((2, 4, 4, 3), np.float32), "found 4x3 pixels in the last two dimensions, expected multiples of 4"),
        (NAN, "image 1 has entries that are not finite (NaN or infinite)"),
    ],
)
def test_a_bad_batch_is_refused(capsys, arguments, array, message):
    (path,) = arguments["--images"]
    np.save(path, array)
    assert refused(capsys, arguments).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--architectures", "no such file, expected one architecture a line, or - or all"),
        ("--images", "no such file, expected a batch of images (.npy)"),
    ],
)
def test_a_missing_file_is_refused(capsys, arguments, tmp_path, option, expected):
    path = str(tmp_path / "absent")
    assert refused(capsys, arguments | {option: [path]}) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["1", "1"], "weights: found 1.0 1.0, equal weights; expected LOW < HIGH"),
        (["1", "1e-7"], "weights: found 1.0 1e-07, the larger one first; expected LOW < HIGH"),
        (["-1", "1"], "weights: found -1.0 1.0, expected two positive numbers"),
        (["0", "1"], "weights: found 0.0 1.0, expected two positive numbers"),
        (["nan", "1"], "weights: found nan 1.0, expected two positive numbers"),
        (["1", "inf"], "weights: found 1.0 inf, expected two positive numbers"),
    ],
)
def test_bad_weights_are_refused(capsys, arguments, weights, message):
    assert refused(capsys, arguments | {"--weights": weights}) == message


def test_other_bad_options_are_refused(capsys, arguments):
    assert refused(capsys, arguments | {"--jobs": ["0"]}) == "--jobs: found 0, expected 1 or more"
    extended = arguments | {"--engine": ["full-width"], "--precision": ["extended"]}
    assert refused(capsys, extended) == "precision: found 'extended', the full-width engine has single and double"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"--weights": ["low", "1"]}, "argument --weights: invalid float value: 'low'"),
        ({"--weights": ["1"]}, "argument --weights: expected 2 arguments"),
        ({"--jobs": ["two"]}, "argument --jobs: invalid int value: 'two'"),
        ({"--precision": ["half"]}, "argument --precision: invalid choice: 'half'"),
        ({"--colour": ["red"]}, "unrecognized arguments: --colour red"),
    ],
)
def test_words_that_are_no_options_are_refused(capsys, arguments, options, found):
    with pytest.raises(SystemExit) as caught:
        main(command(arguments | options))
    assert caught.value.code == 2
    assert found in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_refused_before_the_work(capsys, arguments, tmp_path, monkeypatch):
    monkeypatch.setattr("epsinas.scoring.score_architectures", None)
    for output, expected in {
        tmp_path: f"found {str(tmp_path)!r}, expected the name of a file",
        "": "found '.', expected the name of a file",
        tmp_path / "batch.npy" / "scores.csv": (
            f"{tmp_path / 'batch.npy' / 'scores.csv'} cannot be written, "
            f"{tmp_path / 'batch.npy'} is not a writable folder"
        ),
    }.items():
        assert refused(capsys, arguments | {"--output": [str(output)]}) == f"--output: {expected}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["architectures.txt", "batch.npy"]


def test_a_full_disk_leaves_no_output(capsys, arguments, tmp_path, monkeypatch):
    def full(path, text, encoding):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    output = tmp_path / "scores.csv"
    message = refused(capsys, arguments | {"--output": [str(output)]})
    assert message == f"{output}: cannot be written: No space left on device"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["architectures.txt", "batch.npy"]


def test_an_interruption_leaves_no_output(capsys, arguments, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("epsinas.scoring.score_with_errors", interrupted)
    output = tmp_path / "scores.csv"
    assert main(command(arguments | {"--output": [str(output)]})) == 130
    assert capsys.readouterr().err == "epsinas: interrupted\n"
    assert not output.exists()


def test_memory_that_ends_is_one_line(capsys, arguments, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("epsinas.scoring.score_with_errors", full)
    assert refused(capsys, arguments) == "memory ended; expected more of it, a smaller batch or fewer jobs"


def test_grey_images_are_scored_like_those_that_weights_are_chosen_for(capsys, arguments, images):
    np.save(arguments["--images"][0], images[:, :1])
    assert main(command(arguments)) == 0
    assert any(score for _, score in rows(capsys.readouterr().out)[1:])
    chosen = ["weights", "nas-bench-201", "--images", *arguments["--images"], "--networks", "5", "--channels", "2"]
    assert main([*chosen, "--cells", "1"]) in (0, 2)


def test_a_byte_order_mark_is_no_part_of_the_first_line(capsys, arguments, tmp_path):
    main(command(arguments))
    expected = capsys.readouterr().out
    (tmp_path / "architectures.txt").write_text("\ufeff" + "\n".join(ARCHITECTURES), encoding="utf-8")
    assert main(command(arguments)) == 0
    assert capsys.readouterr().out == expected


def test_the_published_weights_are_the_usual_ones(capsys, arguments):
    main(command(arguments))
    expected = capsys.readouterr().out
    del arguments["--weights"]
    assert main(command(arguments)) == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed", "-1"], "--seed: found -1, expected 0 or more"),
        (["--networks", "0"], "--networks: found 0, expected 1 or more"),
        (["--cells", "0"], "--cells: found 0, expected 1 or more"),
        (["--channels", "-1"], "--channels: found -1, expected 1 or more"),
        (["--output", "."], "--output: found '.', expected the name of a file"),
    ],
)
def test_mistakes_in_the_choice_of_weights(capsys, arguments, words, message):
    assert main(["weights", "nas-bench-201", "--images", *arguments["--images"], *words]) == 2
    assert capsys.readouterr().err == f"epsinas: {message}\n"


def test_without_images_noise_stands_in_and_is_said(capsys, arguments):
    del arguments["--images"], arguments["--weights"]
    small = {"--channels": ["2"], "--cells": ["1"]}
    assert main(command(arguments | small)) == 0
    captured = capsys.readouterr()
    assert captured.err == "epsinas: no images given: 1/f noise, 256 images of 3x32x32, seed 0\n"
    images = synthetic_batch("pink_noise", (256, 3, 32, 32), stream(0, "batch", 0))
    expected = score_architectures(NasBench201(channels=2, cells=1), ARCHITECTURES, images)
    np.testing.assert_allclose([float(score or "nan") for _, score in rows(captured.out)[1:]], expected, rtol=1e-12)


def test_raw_images_are_normalised(capsys, arguments, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    write_images(images, np.zeros(20, int), "made up", tmp_path / "raw.npz")
    arguments["--images"] = [str(tmp_path / "raw.npz")]
    for name, words in (("cifar10", {"--dataset": ["cifar10"]}), ("raw", {})):
        assert main(command(arguments | words)) == 0
        batch = image_batch(images, name, 20, stream(0, "batch", 0))
        expected = score_architectures(NasBench201(), ARCHITECTURES, batch)
        found = [float(score or "nan") for _, score in rows(capsys.readouterr().out)[1:]]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_normalisation_is_for_raw_images(capsys, arguments):
    message = "dataset: found cifar10, expected none, which is for raw images (.npz) only"
    assert refused(capsys, arguments | {"--dataset": ["cifar10"]}) == message


def test_cores_are_counted_where_the_system_has_no_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_cores() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_a_metric_of_ones_own(capsys, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (tmp_path / "my_metric.py").write_text("def weights(network, batch):\n    return len(list(network.parameters()))\n")
    del arguments["--weights"]
    own = {"--metric": ["my_metric:weights"], "--channels": ["2"], "--cells": ["1"]}
    assert main(command(arguments | own)) == 0
    found = [float(score) for _, score in rows(capsys.readouterr().out)[1:]]
    # The third network has no convolution in its cells.
    assert found[2] == min(found)
    arguments["--weights"] = ["1e-3", "1"]
    assert refused(capsys, arguments | own) == "weights: found a pair, expected none for the metric weights"


def test_a_metric_that_fails_on_every_network_is_a_mistake(capsys, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (tmp_path / "wrong_metric.py").write_text("def forgets_the_batch(network):\n    return 1.0\n")
    del arguments["--weights"]
    own = {
        "--metric": ["wrong_metric:forgets_the_batch"],
        "--channels": ["2"],
        "--cells": ["1"],
        "--output": ["new.csv"],
    }
    assert main(command(arguments | own)) == 2
    *failures, last = capsys.readouterr().err.splitlines()
    assert last == f"epsinas: metric forgets_the_batch: failed on all of {len(failures)} networks"
    assert all("failed on |" in line and "TypeError: " in line for line in failures)
    assert not (tmp_path / "new.csv").exists()


def test_labels(capsys, arguments, tmp_path):
    def classes(subject, setting):
        return scored(float(subject.labels.max()))

    METRICS.register(Metric("classes", "Classes", "a test", classes, needs=(LABELS,)))
    try:
        del arguments["--weights"]
        own = arguments | {"--metric": ["classes"]}
        assert refused(capsys, own) == "--labels: found none, expected LABELS.npy; the metric classes needs them"
        path = tmp_path / "labels.npy"
        np.save(path, np.arange(12))
        assert main(command(own | {"--labels": [str(path)]})) == 0
        # A network that the images do not reach has no score by a metric that needs labels.
        assert {score for _, score in rows(capsys.readouterr().out)[1:]} == {"11.0", ""}
        np.save(path, np.arange(11))
        message = "labels: found int64 of shape (11,), expected integers of shape (12,), one for each image"
        assert refused(capsys, own | {"--labels": [str(path)]}) == message
    finally:
        METRICS.unregister("classes")


def test_help_mentions_every_option(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["score", "nas-bench-201", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for option in (
        "architectures",
        "images",
        "weights",
        "engine",
        "precision",
        "zeros",
        "jobs",
        "output",
        "metric",
        "labels",
        "seed",
        "channels",
    ):
        assert f"--{option}" in text


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"epsinas {__version__}\n"


# NAS-Bench-101.

CELLS = [
    "010001000:input,maxpool3x3,output",
    "0110000100010000:input,conv3x3-bn-relu,conv1x1-bn-relu,output",
    "0100:input,output",
]


@pytest.fixture
def cells(arguments, tmp_path) -> list[str]:
    """A complete command line that scores cells of NAS-Bench-101."""
    (tmp_path / "cells.txt").write_text("\n".join(CELLS) + "\n")
    arguments |= {"--architectures": [str(tmp_path / "cells.txt")], "--weights": ["1e-2", "10"]}
    return ["score", "nas-bench-101", *command(arguments)[2:]]


def test_cells_of_nas_bench_101_are_scored(capsys, cells, images):
    assert main(cells) == 0
    header, *body = rows(capsys.readouterr().out)
    assert header == ["architecture", "score"]
    # Their commas do not separate columns.
    assert [architecture for architecture, _ in body] == CELLS
    scores = score_architectures(NasBench101(), CELLS, images, (1e-2, 10.0))
    np.testing.assert_array_equal([float(score or "nan") for _, score in body], scores)
    assert np.isfinite(scores).all()


def test_a_bad_cell_of_nas_bench_101_is_named_with_its_line(capsys, cells, tmp_path):
    (tmp_path / "cells.txt").write_text(f"{CELLS[0]}\n0110:input,output\n")
    assert main(cells) == 2
    assert capsys.readouterr().err == (
        f"epsinas: {tmp_path / 'cells.txt'}, line 2: found an edge from vertex 1 to vertex 0, "
        "expected edges to later vertices only\n"
    )


def test_all_is_the_whole_space_of_nas_bench_101(capsys, cells, monkeypatch):
    monkeypatch.setattr(NasBench101, "architectures", lambda space: iter(CELLS[::-1]))
    cells[cells.index("--architectures") + 1] = "all"
    assert main(cells) == 0
    assert [architecture for architecture, _ in rows(capsys.readouterr().out)[1:]] == CELLS[::-1]
