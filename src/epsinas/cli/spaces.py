"""The commands for search spaces: `epsinas score SPACE` and `epsinas weights SPACE`."""

import argparse
import csv
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from epsinas.cli.models import add_score_models, add_weights_models
from epsinas.cli.options import (
    add_command,
    add_metric_options,
    add_output_option,
    add_zeros_option,
    check_output,
    check_seed,
    chosen_metric,
    digits,
    opened_output,
    write_choice,
)
from epsinas.engines.base import ENGINES, FAMILIES, PRECISIONS
from epsinas.errors import InputError
from epsinas.metrics.base import LIMIT, METRICS, Metric
from epsinas.spaces.base import SPACES, Space
from epsinas.streams import stream

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


def add_score(commands: Any) -> None:
    """Add the command."""
    texts = {"description": _SCORE, "epilog": _EXAMPLES}
    score = add_command(commands, "score", help="score architectures of a search space, or torch models", **texts)
    spaces = score.add_subparsers(dest="space", required=True, metavar="SPACE")
    for space in SPACES:
        parser = add_command(spaces, space.name, help=space.summary, **texts)
        _add_network_options(parser, space)
        _add_score_options(parser, space)
    add_score_models(spaces)


def add_weights(commands: Any) -> None:
    """Add the command."""
    summary = "choose the two constant weights for a new problem"
    weights = add_command(commands, "weights", help=summary, description=_WEIGHTS)
    spaces = weights.add_subparsers(dest="space", required=True, metavar="SPACE")
    for space in SPACES:
        parser = add_command(spaces, space.name, help=space.summary, description=_WEIGHTS)
        _add_network_options(parser, space)
        _add_weights_options(parser, space)
    add_weights_models(spaces)


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
    add_metric_options(parser, (metric for metric in METRICS if _is_scorable(metric, space)))
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
    add_zeros_option(parser)
    if FAMILIES[space.family].estimates_rounding:
        parser.add_argument(
            "--mark-rounding",
            action="store_true",
            help='add the column "rounding_limited": 1 where rounding may change the score by more than 0.1 %%',
        )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")
    add_output_option(parser)
    parser.set_defaults(run=_score, mark_rounding=False)


def _is_scorable(metric: Metric, space: type[Space]) -> bool:
    """Say whether a metric is for a space's networks and needs no study to say what its settings are."""
    return metric.suits(space.family) and not {"pair", "one"}.isdisjoint(metric.settings)


def _add_weights_options(parser: argparse.ArgumentParser, space: type[Space]) -> None:
    parser.add_argument("--networks", type=int, default=100, metavar="N", help="random networks (default 100)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the choice of networks (default 0)")
    _add_precision_option(parser)
    add_output_option(parser)
    parser.set_defaults(run=_weights)


def _add_precision_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        default="single",
        choices=list(PRECISIONS),
        help="single: float32 as published (default); extended: float64 with exponents, so that nothing under- or "
        "overflows; on recurrent cells float64 deviations from constants, so that hardly anything is rounded away",
    )


def _score(options: argparse.Namespace) -> None:
    from epsinas.metrics.epsilon import check_weights
    from epsinas.scoring import score_with_errors

    if options.weights is not None:
        check_weights(options.weights)
    metric, labels = chosen_metric(options)
    jobs = options.jobs if options.jobs is not None else usable_cores()
    if jobs < 1:
        raise InputError(f"--jobs: found {jobs}, expected 1 or more")
    check_seed(options.seed)
    check_output(options.output)
    space, batch = _network_inputs(options)
    architectures = _architectures(options.architectures, space)
    with tqdm(total=len(architectures), unit="network", disable=None, file=sys.stderr) as bar:
        scores, errors, reasons = score_with_errors(
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
    if (reasons == "failed").all():
        raise InputError(f"metric {metric.name}: failed on all of {len(architectures)} networks")
    header = ["architecture", "score", *(["rounding_limited"] if options.mark_rounding else [])]
    with opened_output(options.output) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        for architecture, score, error in zip(architectures, scores, errors, strict=True):
            row = [architecture, digits(score), int(error > LIMIT)]
            table.writerow(row[: len(header)])


def _weights(options: argparse.Namespace) -> None:
    from epsinas.weights import choose_weights

    if options.networks < 1:
        raise InputError(f"--networks: found {options.networks}, expected 1 or more")
    check_seed(options.seed)
    check_output(options.output)
    space, batch = _network_inputs(options)
    table = choose_weights(space, batch, stream(options.seed, "choice of weights"), options.networks, options.precision)
    given = next(getattr(options, name) for name in FAMILIES[space.family].files)
    write_choice(table, options.output, given or "weights")


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
