"""The command line: `epsinas score ...` and `epsinas weights ...`."""

import argparse
import contextlib
import csv
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from tqdm import tqdm

from epsinas import __version__
from epsinas.errors import InputError

_SCORE = """\
Score architectures with the epsilon metric: how much the shape of a network's outputs changes between two
constant weights, without training it (Gracheva 2024, arXiv 2302.04406). A higher score predicts a higher accuracy.

Output is CSV with the header "architecture,score", in the order of the input; the score is empty where the
network has none (its outputs are constant or leave the range of the numbers under one of the weights).
Architectures with commas stand in quotation marks.
"""

_SCORE_EXAMPLES = """\
examples:
  epsinas score nas-bench-201 --architectures all --images batch.npy --weights 1e-7 1 --output scores.csv
  echo '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|' |
    epsinas score nas-bench-201 --architectures - --images batch.npy --weights 1e-7 1

  echo '010001000:input,conv3x3-bn-relu,output' |
    epsinas score nas-bench-101 --architectures - --images batch.npy --weights 1e-4 10

On two cores, for 256 images of 32x32 in single precision, the whole space of NAS-Bench-201 takes about a minute,
that of NAS-Bench-101 about an hour.
"""

_RECURRENT = """\
Score recurrent cells with the epsilon metric: how much the shape of a network's outputs changes between two
constant weights, without training it (Gracheva 2024, arXiv 2302.04406). Weights, biases and first hidden states are
all equal to the constant. A higher score predicts a lower loss.

Output is CSV with the header "architecture,score", in the order of the input, the recipes in quotation marks; the
score is empty where the network has none (its outputs are constant or leave the range of the numbers under one of
the weights). With small weights most outputs are nearly constant and the score is made of their last digits: see
--mark-rounding.
"""

_RECURRENT_EXAMPLES = """\
examples:
  epsinas score nas-bench-nlp --architectures recipes.jsonl --tokens tokens.npy --embedding embedding.npy \\
    --weights 1e-5 1e-3 --output scores.csv
  echo '{"a": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["a"]}}' |
    epsinas score nas-bench-nlp --architectures - --tokens tokens.npy --embedding embedding.npy --weights 1e-5 1e-3

A network takes about 5 ms of one core for 256 sequences of 70 tokens.
"""

_CELLS = {
    "nas-bench-201": "cells with 4 nodes, 5 operations; 15,625 networks",
    "nas-bench-101": "cells with up to 7 vertices and 9 edges, 3 operations; 423,624 networks",
}


_WEIGHTS = """\
Choose the two constant weights for a new problem, without labels: of the powers of ten from 1e-7 to 1, the widest
window first and then narrower ones from the low end, the first under which fewer than 10 % of random networks
have no score. This is the rule of the metric's authors.

Output is CSV: every window in the order of trial, how many networks have a score, and which window was chosen.
"""


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="epsinas", description="Score neural networks without training them, reproducibly."
    )
    parser.add_argument("--version", action="version", version=f"epsinas {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    score = commands.add_parser(
        "score",
        help="score architectures of a search space",
        description=_SCORE,
        epilog=_SCORE_EXAMPLES,
        formatter_class=formatter,
    )
    spaces = score.add_subparsers(dest="space", required=True, metavar="SPACE")
    for name, summary in _CELLS.items():
        space = spaces.add_parser(
            name, help=summary, description=_SCORE, epilog=_SCORE_EXAMPLES, formatter_class=formatter
        )
        space.add_argument(
            "--architectures",
            required=True,
            metavar="FILE",
            help="one architecture a line; - is standard input, all the whole space",
        )
        _add_images_option(space)
        space.set_defaults(run=_score, inputs=_images, mark_rounding=False)
        _add_scoring_options(space)
    space = spaces.add_parser(
        "nas-bench-nlp",
        help="recurrent cells with up to 24 nodes, 7 operations, 3 hidden states",
        description=_RECURRENT,
        epilog=_RECURRENT_EXAMPLES,
        formatter_class=formatter,
    )
    space.add_argument(
        "--architectures", required=True, metavar="FILE.jsonl", help="one recipe's JSON a line; - is standard input"
    )
    _add_text_options(space)
    space.set_defaults(run=_score, inputs=_text)
    _add_scoring_options(space)
    _add_weights_command(commands)
    return parser


def _add_weights_command(commands: argparse._SubParsersAction) -> None:
    """Add `epsinas weights`."""
    weights = commands.add_parser(
        "weights",
        help="choose the two constant weights for a new problem",
        description=_WEIGHTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    weights.add_argument("space", choices=list(_CELLS), metavar="SPACE", help=" or ".join(_CELLS))
    _add_images_option(weights)
    weights.add_argument("--networks", type=int, default=100, metavar="N", help="random networks (default 100)")
    weights.add_argument("--seed", type=int, default=0, metavar="S", help="of the choice of networks (default 0)")
    weights.add_argument("--precision", default="single", choices=["single", "double", "extended"])
    weights.add_argument("--output", metavar="FILE.csv", help="default: standard output")
    weights.set_defaults(run=_weights)


def _add_images_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images",
        required=True,
        metavar="BATCH.npy",
        help="float32 (N, channels, H, W), already normalised, H and W multiples of 4",
    )


def _add_text_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tokens", required=True, metavar="TOKENS.npy", help="int64 (time, batch)")
    parser.add_argument(
        "--embedding", required=True, metavar="EMBEDDING.npy", help="float32 or float64 (vocabulary, 400)"
    )
    parser.add_argument(
        "--hidden-size",
        type=int,
        default=600,
        metavar="UNITS",
        help="of every recurrent layer but the last, which has as many as the embedding (default 600)",
    )
    parser.add_argument("--layers", type=int, default=3, metavar="N", help="recurrent layers (default 3)")
    parser.add_argument(
        "--mark-rounding",
        action="store_true",
        help='add the column "rounding_limited": 1 where rounding may change the score by more than 0.1 %%',
    )


def _add_scoring_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every search space shares."""
    parser.add_argument(
        "--weights",
        required=True,
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="the two constant weights; published: 1e-7 1 for nas-bench-201, 1e-4 10 for nas-bench-101, 1e-5 1e-3 for "
        "nas-bench-nlp",
    )
    parser.add_argument(
        "--engine",
        default="lumped",
        choices=["lumped", "full-width"],
        help="lumped: exact reduction to one map per class of identical channels (default); full-width: torch, slow",
    )
    parser.add_argument(
        "--precision",
        default="single",
        choices=["single", "double", "extended"],
        help="single: float32 as published (default); extended: float64 with exponents, so that nothing under- or "
        "overflows; on recurrent cells float64 deviations from constants, so that hardly anything is rounded away",
    )
    parser.add_argument(
        "--zeros",
        default="masked",
        choices=["masked", "kept"],
        help="leave entries that are 0 after normalisation out, as the published numbers do (default), or keep them",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")
    parser.add_argument("--output", metavar="FILE.csv", help="default: standard output")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for a mistake in the input, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    # A reader that closes the pipe early, such as head, ends this program like any other filter.
    with contextlib.suppress(AttributeError, ValueError):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        options.run(options)
    except InputError as error:
        print(f"epsinas: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"epsinas: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("epsinas: interrupted", file=sys.stderr)
        return 130
    return 0


def _score(options: argparse.Namespace) -> None:
    from epsinas.metrics.rounding import LIMIT
    from epsinas.scoring import check_weights, score_with_errors

    check_weights(options.weights)
    jobs = options.jobs if options.jobs is not None else len(os.sched_getaffinity(0))
    if jobs < 1:
        raise InputError(f"--jobs: found {jobs}, expected 1 or more")
    if options.output is not None:
        _check_output(Path(options.output))
    space, batch, architectures = options.inputs(options)
    with tqdm(total=len(architectures), unit="network", disable=None, file=sys.stderr) as bar:
        scores, errors = score_with_errors(
            space,
            architectures,
            batch,
            tuple(options.weights),
            options.engine,
            options.precision,
            options.zeros,
            jobs,
            bar.update,
        )
    header = ["architecture", "score", *(["rounding_limited"] if options.mark_rounding else [])]
    with _output(options.output) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(header)
        for architecture, score, error in zip(architectures, scores, errors, strict=True):
            row = [architecture, "" if np.isnan(score) else repr(float(score)), int(error > LIMIT)]
            table.writerow(row[: len(header)])


def _images(options: argparse.Namespace) -> tuple:
    """Return the space, the batch and the architectures of convolutional cells."""
    from epsinas.engines.images.batches import read_batch
    from epsinas.spaces import space as named

    space = named(options.space)
    batch = read_batch(options.images)
    if batch.shape[1] != 3:
        raise InputError(f"{options.images}: found {batch.shape[1]} channels, expected 3")
    if options.architectures == "all":
        return space, batch, list(space.architectures())
    return space, batch, _read_architectures(options.architectures, space, "one architecture a line, or - or all")


def _text(options: argparse.Namespace) -> tuple:
    """Return the space, the batch and the architectures of recurrent cells."""
    from epsinas.engines.sequences.batches import read_token_batch
    from epsinas.spaces import NasBenchNLP

    for option in ("hidden_size", "layers"):
        if (found := getattr(options, option)) < 1:
            raise InputError(f"--{option.replace('_', '-')}: found {found}, expected 1 or more")
    space = NasBenchNLP(options.hidden_size, options.layers)
    batch = read_token_batch(options.tokens, options.embedding)
    if (units := batch.embedding.shape[1]) != space.embedding:
        raise InputError(f"{options.embedding}: found {units} units, expected {space.embedding}")
    return space, batch, _read_architectures(options.architectures, space, "one recipe's JSON a line, or -")


def _weights(options: argparse.Namespace) -> None:
    from epsinas.engines.images.batches import read_batch
    from epsinas.spaces import space as named
    from epsinas.weights import choose_weights, chosen_pair

    rng = np.random.default_rng(options.seed)
    table = choose_weights(named(options.space), read_batch(options.images), rng, options.networks, options.precision)
    with _output(options.output) as stream:
        table.to_csv(stream, index=False)
    low, high = chosen_pair(table, options.images)
    print(f"epsinas: chosen weights {low:g} {high:g}", file=sys.stderr)


def _read_architectures(file: str, space, expected: str) -> list[str]:
    """Read one architecture a line; empty lines at the end are ignored, any other mistake names its line."""
    name = "standard input" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except FileNotFoundError:
        raise InputError(f"{name}: no such file, expected {expected}") from None
    except UnicodeDecodeError:
        raise InputError(f"{name}: not a text file, expected one architecture a line") from None
    lines = text.rstrip().splitlines()
    if not lines:
        raise InputError(f"{name}: no architectures, expected one a line")
    for number, line in enumerate(lines, 1):
        try:
            space.parse(line)
        except InputError as error:
            raise InputError(f"{name}, line {number}: {error}") from None
    return [line.strip() for line in lines]


def _check_output(path: Path) -> None:
    """Find before the work what would keep its result from being written."""
    if not path.name or (path.exists() and not path.is_file()):
        raise InputError(f"--output: found {str(path)!r}, expected the name of a file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"--output: {path} cannot be written, {folder} is not a writable folder")


@contextlib.contextmanager
def _output(file: str | None) -> Iterator[TextIO]:
    """Write to standard output or to a file that appears only when it is complete."""
    from epsinas.files.whole import atomic

    if file is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    with atomic(file) as temporary:
        buffer = io.StringIO()
        yield buffer
        Path(temporary).write_text(buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
