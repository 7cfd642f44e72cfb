"""The commands for torch models of one's own: `epsinas score model`, `epsinas weights model`, `epsinas diagnose`."""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from epsinas.cli.options import (
    add_command,
    add_metric_options,
    add_output_option,
    add_zeros_option,
    check_output,
    check_seed,
    check_standard_output,
    chosen_metric,
    digits,
    opened_output,
    write_choice,
)
from epsinas.engines.base import ENGINES, FAMILIES
from epsinas.errors import InputError, one_line
from epsinas.metrics.base import METRICS
from epsinas.metrics.epsilon import check_weights

if TYPE_CHECKING:
    from torch import nn

_SCORE = """\
Score torch models of one's own without training them. Each is named by a function without arguments that returns a
torch.nn.Module, or by such a module; the working directory is searched, too. The metric is epsilon unless --metric
names another, most of which are of the weights that the models have.

Output is CSV with the header "model,score", in the order given; the score is empty where a model has none. Standard
error says why, and what else may make a score another than expected.
"""

_EXAMPLES = """\
examples:
  epsinas score model my_models:small my_models:large --images batch.npy --weights 1e-3 1 --output scores.csv
  epsinas score model my_models:small --images cifar10.npz --dataset cifar10
  epsinas score model my_models:small --images batch.npy --metric expected_synflow
  epsinas score model my_models:small --images batch.npy --metric grad_norm --labels labels.npy
"""

_WEIGHTS = """\
Choose the two constant weights for torch models of one's own, without labels: of the powers of ten from 1e-7 to 1, the
widest window first and then narrower ones from the low end, the first under which fewer than 10 % of the models have
no score. Give all the models that are to be compared.

Output is CSV: every window in the order of trial, how many models have a score, and which window was chosen.
"""

_DIAGNOSE = """\
Say how the score of a torch model of one's own comes about, or why it has none: which parameters are set, which layers'
outputs vary over the batch, how far rounding matters, and how long each operation takes.
"""


def add_score_models(spaces: Any) -> None:
    """Add models to what can be scored."""
    parser = add_command(spaces, "model", help="torch models of one's own", description=_SCORE, epilog=_EXAMPLES)
    _add_models_options(parser, "+")
    add_metric_options(parser, (metric for metric in METRICS if metric.any_model))
    _add_epsilon_options(parser)
    add_output_option(parser)
    parser.set_defaults(run=_score)


def add_weights_models(spaces: Any) -> None:
    """Add models to what weights can be chosen for."""
    parser = add_command(spaces, "model", help="torch models of one's own", description=_WEIGHTS)
    _add_models_options(parser, "+")
    add_output_option(parser)
    parser.set_defaults(run=_weights)


def add_diagnose(commands: Any) -> None:
    """Add the command."""
    summary = "say how the score of a torch model comes about, or why it has none"
    parser = add_command(commands, "diagnose", help=summary, description=_DIAGNOSE)
    _add_models_options(parser, 1)
    _add_epsilon_options(parser)
    parser.set_defaults(run=_diagnose)


def _add_models_options(parser: argparse.ArgumentParser, number: str | int) -> None:
    parser.add_argument(
        "models",
        nargs=number,
        metavar="PACKAGE.MODULE:FUNCTION",
        help="a function without arguments that returns a torch.nn.Module, or such a module",
    )
    parser.add_argument(
        "--images",
        required=True,
        metavar="FILE",
        help="BATCH.npy, an array that the models take, such as images (N, channels, H, W), already normalised, in any "
        "floating-point format; or IMAGES.npz, raw images uint8 (N, H, W, channels) and labels, of which 256 are "
        "chosen",
    )
    _, description = FAMILIES["images"].files["dataset"]
    parser.add_argument("--dataset", metavar="NAME", help=description)


def _add_epsilon_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="the two constant weights of epsilon (default 0.001 1)",
    )
    add_zeros_option(parser)
    parser.add_argument(
        "--engine",
        default="lumped",
        choices=list(ENGINES),
        help="lumped: equal channels are computed once (default); full-width: the module as it is, slow",
    )


def _score(options: argparse.Namespace) -> None:
    from epsinas.models.diagnosis import score

    check_seed(options.seed)
    check_output(options.output)
    metric, labels = chosen_metric(options)
    settings = _settings(options) | {"metric": metric, "labels": labels, "seed": options.seed}
    scores = []
    for name, model, batch in _models(options):
        with _speaking_of(name):
            scores.append(score(model, batch, **settings))
    with opened_output(options.output) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["model", "score"])
        table.writerows([name, digits(found)] for name, found in zip(options.models, scores, strict=True))


def _weights(options: argparse.Namespace) -> None:
    from epsinas.weights import choose_weights

    check_output(options.output)
    _, models, batches = zip(*_models(options), strict=True)
    with _speaking_of("weights"):
        table = choose_weights(models, batches[0])
    write_choice(table, options.output, options.images)


def _diagnose(options: argparse.Namespace) -> None:
    from epsinas.models.diagnosis import diagnose

    settings = _settings(options)
    check_standard_output()
    for name, model, batch in _models(options):
        with _speaking_of(name):
            print(diagnose(model, batch, **settings))


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `score` and `diagnose` take beside a model and a batch."""
    settings = {"zeros": options.zeros, "engine": options.engine}
    if options.weights is None:
        return settings
    check_weights(options.weights)
    return settings | {"weights": tuple(options.weights)}


def _models(options: argparse.Namespace) -> Iterator[tuple[str, nn.Module, Any]]:
    """Make one model after the other, and the batch as it takes it; a wrong name is found before the first."""
    from epsinas.models.named import find_model, in_dtype_of, read_inputs

    makers = []
    for name in options.models:
        with _speaking_of(name):
            makers.append(find_model(name))
    batch = read_inputs(options.images, options.dataset)
    for name, make in zip(options.models, makers, strict=True):
        with _speaking_of(name):
            model = make()
            inputs = in_dtype_of(model, batch)
        found, dtype = batch.dtype.name, str(inputs.dtype).removeprefix("torch.")
        if inputs is not batch and dtype != found:
            print(f"epsinas: {name}: batch converted from {found} to {dtype}, as the parameters", file=sys.stderr)
        yield name, model, inputs


@contextmanager
def _speaking_of(name: str) -> Iterator[None]:
    """Print warnings as one line each, and make one line of whatever fails, which begins with a name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        except Exception as error:  # one's own code may fail in any way
            raise InputError(f"{name}: {type(error).__name__}: {one_line(error)}") from error
    for line in dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught):
        print(f"epsinas: {name}: {line}", file=sys.stderr)
