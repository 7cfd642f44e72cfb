"""The command line: `epsinas score ...` and `epsinas weights ...`."""

import argparse
import contextlib
import csv
import dataclasses
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from tqdm import tqdm

from epsinas import __version__
from epsinas.engines.base import ENGINES, FAMILIES, PRECISIONS
from epsinas.errors import InputError, one_line
from epsinas.metrics.base import LABELS, LIMIT, METRICS, find_metric
from epsinas.registry import import_all
from epsinas.spaces.base import SPACES, Space

_SCORE = """\
Score the networks of a search space without training them. The metric is epsilon unless --metric names another: how
much the shape of a network's outputs changes between two constant weights (Gracheva 2024, arXiv 2302.04406); a higher
score predicts a better network.

Output is CSV with the header "architecture,score", in the order of the input; the score is empty where the
network has none (its outputs are constant or leave the range of the numbers under one of the weights).
Architectures with commas stand in quotation marks.
"""

_EXAMPLES = """\
examples:
  epsinas score nas-bench-201 --architectures all --output scores.csv
  epsinas score nas-bench-201 --architectures all --images cifar10.npz --dataset cifar10
  echo '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|' |
    epsinas score nas-bench-201 --architectures - --images batch.npy --weights 1e-7 1

  echo '010001000:input,conv3x3-bn-relu,output' |
    epsinas score nas-bench-101 --architectures - --images batch.npy --weights 1e-4 10

  epsinas score nas-bench-nlp --architectures recipes.jsonl --tokens tokens.npy --embedding embedding.npy \\
    --weights 1e-5 1e-3 --output scores.csv
  echo '{"a": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["a"]}}' |
    epsinas score nas-bench-nlp --architectures - --tokens tokens.npy --embedding embedding.npy

  epsinas score nas-bench-201 --architectures - --images batch.npy --metric package.module:function

On two cores, for 256 images of 32x32 in single precision, the whole space of NAS-Bench-201 takes about a minute,
that of NAS-Bench-101 about an hour; a network of NAS-Bench-NLP takes about 5 ms of one core for 256 sequences of 70
tokens. With small weights most outputs of recurrent cells are nearly constant and the score is made of their last
digits: see --mark-rounding.
"""

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
    _add_import_option(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    score = commands.add_parser(
        "score",
        help="score architectures of a search space",
        description=_SCORE,
        epilog=_EXAMPLES,
        formatter_class=formatter,
    )
    weights = commands.add_parser(
        "weights",
        help="choose the two constant weights for a new problem",
        description=_WEIGHTS,
        formatter_class=formatter,
    )
    for command, add_options, epilog in ((score, _add_score_options, _EXAMPLES), (weights, _add_weights_options, None)):
        spaces = command.add_subparsers(dest="space", required=True, metavar="SPACE")
        for space in SPACES:
            own = spaces.add_parser(
                space.name,
                help=space.summary,
                description=command.description,
                epilog=epilog,
                formatter_class=formatter,
            )
            _add_network_options(own, space)
            add_options(own, space)
    return parser


def _add_import_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of one's own that registers search spaces or metrics; may be repeated",
    )


def _add_network_options(parser: argparse.ArgumentParser, space: type[Space]) -> None:
    """Add what a search space's networks take, and their skeleton."""
    for option, (metavar, description) in FAMILIES[space.family].files.items():
        parser.add_argument(f"--{option}", metavar=metavar, help=description)
    for field in dataclasses.fields(space):
        option = f"--{field.name.replace('_', '-')}"
        if option[2:] not in FAMILIES[space.family].files:
            parser.add_argument(
                option,
                dest=f"skeleton_{field.name}",
                type=int,
                default=field.default,
                metavar="N",
                help=f"of the skeleton (default {field.default})",
            )


def _add_score_options(parser: argparse.ArgumentParser, space: type[Space]) -> None:
    parser.add_argument(
        "--architectures",
        required=True,
        metavar="FILE",
        help="one architecture a line; - is standard input"
        + (", all the whole space" if hasattr(space, "architectures") else ""),
    )
    parser.add_argument(
        "--metric",
        default="epsilon",
        metavar="NAME",
        help=f"one of {', '.join(name for name in METRICS.names if _is_scorable(name))} (default epsilon), or "
        "package.module:function for one's own, of a network and a batch",
    )
    parser.add_argument(
        "--labels", metavar="LABELS.npy", help="integers (N,), one for each image, where a metric needs them"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of random weights (default 0)")
    low, high = space.weights
    parser.add_argument(
        "--weights",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help=f"the two constant weights of epsilon (default {low:g} {high:g}, the published ones)",
    )
    parser.add_argument(
        "--engine",
        default="lumped",
        choices=list(ENGINES),
        help="lumped: exact reduction to one map per class of identical channels (default); full-width: torch, slow",
    )
    _add_precision_option(parser)
    parser.add_argument(
        "--zeros",
        default="masked",
        choices=["masked", "kept"],
        help="leave entries that are 0 after normalisation out, as the published numbers do (default), or keep them",
    )
    if FAMILIES[space.family].estimates_rounding:
        parser.add_argument(
            "--mark-rounding",
            action="store_true",
            help='add the column "rounding_limited": 1 where rounding may change the score by more than 0.1 %%',
        )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")
    parser.add_argument("--output", metavar="FILE.csv", help="default: standard output")
    parser.set_defaults(run=_score, mark_rounding=False)


def _is_scorable(name: str) -> bool:
    """Say whether a metric needs no study to say what its settings are."""
    return "pair" in METRICS[name].settings or "one" in METRICS[name].settings


def _add_weights_options(parser: argparse.ArgumentParser, space: type[Space]) -> None:
    parser.add_argument("--networks", type=int, default=100, metavar="N", help="random networks (default 100)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the choice of networks (default 0)")
    _add_precision_option(parser)
    parser.add_argument("--output", metavar="FILE.csv", help="default: standard output")
    parser.set_defaults(run=_weights)


def _add_precision_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        default="single",
        choices=list(PRECISIONS),
        help="single: float32 as published (default); extended: float64 with exponents, so that nothing under- or "
        "overflows; on recurrent cells float64 deviations from constants, so that hardly anything is rounded away",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for a mistake in the input, 130 when interrupted."""
    # A reader that closes the pipe early, such as head, ends this program like any other filter.
    with contextlib.suppress(AttributeError, ValueError):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        # Modules of one's own first: they may add search spaces to the options.
        first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        _add_import_option(first)
        import_all(first.parse_known_args(arguments)[0].modules)
        options = _parser().parse_args(arguments)
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
    from epsinas.metrics.epsilon import check_weights
    from epsinas.scoring import score_with_errors

    if options.weights is not None:
        check_weights(options.weights)
    metric = find_metric(options.metric)
    jobs = options.jobs if options.jobs is not None else usable_cores()
    if jobs < 1:
        raise InputError(f"--jobs: found {jobs}, expected 1 or more")
    _check_seed(options.seed)
    _check_output(options.output)
    labels = None if options.labels is None else _read_labels(options.labels)
    if labels is None and LABELS in metric.needs:
        raise InputError(f"--labels: found none, expected LABELS.npy; the metric {metric.name} needs them")
    space, batch = _network_inputs(options)
    architectures = _architectures(options.architectures, space)
    with tqdm(total=len(architectures), unit="network", disable=None, file=sys.stderr) as bar:
        scores, errors, _ = score_with_errors(
            space,
            architectures,
            batch,
            None if options.weights is None else tuple(options.weights),
            options.engine,
            options.precision,
            options.zeros,
            jobs,
            bar.update,
            metric=metric,
            labels=labels,
            seed=options.seed,
        )
    header = ["architecture", "score", *(["rounding_limited"] if options.mark_rounding else [])]
    with _output(options.output) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(header)
        for architecture, score, error in zip(architectures, scores, errors, strict=True):
            row = [architecture, "" if np.isnan(score) else repr(float(score)), int(error > LIMIT)]
            table.writerow(row[: len(header)])


def _weights(options: argparse.Namespace) -> None:
    from epsinas.weights import choose_weights, chosen_pair

    if options.networks < 1:
        raise InputError(f"--networks: found {options.networks}, expected 1 or more")
    _check_seed(options.seed)
    _check_output(options.output)
    space, batch = _network_inputs(options)
    table = choose_weights(space, batch, np.random.default_rng(options.seed), options.networks, options.precision)
    with _output(options.output) as stream:
        table.to_csv(stream, index=False)
    given = next(getattr(options, name) for name in FAMILIES[space.family].files)
    low, high = chosen_pair(table, given or "weights")
    print(f"epsinas: chosen weights {low:g} {high:g}", file=sys.stderr)


def usable_cores() -> int:
    """Return how many cores this process may use, on any system."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _network_inputs(options: argparse.Namespace) -> tuple[Space, Any]:
    """Return the search space with its skeleton, and the batch."""
    kind = SPACES[options.space]
    family = FAMILIES[kind.family]
    skeleton = {
        name.removeprefix("skeleton_"): value for name, value in vars(options).items() if name.startswith("skeleton_")
    }
    for name, found in skeleton.items():
        if found < 1:
            raise InputError(f"--{name.replace('_', '-')}: found {found}, expected 1 or more")
    space = kind(**skeleton)
    batch, stand_in = family.read(space, options.seed, **{name: getattr(options, name) for name in family.files})
    if stand_in:
        print(f"epsinas: {stand_in}", file=sys.stderr)
    return space, batch


def _architectures(file: str, space: Space) -> list[str]:
    """Read one architecture a line; empty lines at the end are ignored, any other mistake names its line."""
    if file == "all" and hasattr(space, "architectures"):
        return list(space.architectures())
    name = "standard input" if file == "-" else file
    expected = "one architecture a line, or -" + (" or all" if hasattr(space, "architectures") else "")
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{name}: no such file, expected {expected}") from None
    except UnicodeDecodeError:
        raise InputError(f"{name}: not a text file, expected one architecture a line") from None
    # A byte-order mark is no part of the first line.
    lines = text.removeprefix("\ufeff").rstrip().splitlines()
    if not lines:
        raise InputError(f"{name}: no architectures, expected one a line")
    for number, line in enumerate(lines, 1):
        try:
            space.parse(line)
        except InputError as error:
            raise InputError(f"{name}, line {number}: {error}") from None
    return [line.strip() for line in lines]


def _read_labels(path: str) -> np.ndarray:
    try:
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected labels (.npy)") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a readable .npy file: {one_line(error)}") from None


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise InputError(f"--seed: found {seed}, expected 0 or more")


def _check_output(file: str | None) -> None:
    """Find before the work what would keep its result from being written."""
    if file is None:
        return
    path = Path(file)
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
