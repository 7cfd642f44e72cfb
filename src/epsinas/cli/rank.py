"""The command `rank`: a metric of one's own on a benchmark, beside the other metrics."""

import argparse
import sys
from pathlib import Path
from typing import Any

from epsinas.cli.options import add_command, check_output, check_seed
from epsinas.errors import InputError
from epsinas.files.whole import atomic
from epsinas.spaces.base import SPACES

_RANK = """\
Evaluate scores of one's own metric on a benchmark: how many networks have a score and why others have none, rank
correlations with 95 % intervals, also given the size of the networks, the top of the ranking, and where the metric
stands among the others. Needs no download: accuracies and the other metrics' scores are inside the package.
"""

_EXAMPLES = """\
SCORES.csv has the columns architecture and score; empty, NaN and infinite scores count as none. An architecture is

  nas-bench-201   |nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|
                  or NASLib's six numbers, in quotes because of their commas: "(2, 1, 1, 0, 1, 3)"
  nas-bench-101   010001000:input,conv3x3-bn-relu,output (in quotes), or the benchmark's hash of 32 digits
  nas-bench-nlp   the recipe's JSON (in quotes, its own quotes doubled)

or, of each, the benchmark's index (of nas-bench-101: the place in the package's sample of 15,000).

examples:
  epsinas score nas-bench-201 --architectures all --metric expected_synflow --output scores.csv
  epsinas rank scores.csv --benchmark nas-bench-201 --dataset cifar10 --report page.html
"""


def add_rank(commands: Any) -> None:
    """Add the command."""
    summary = "evaluate the scores of one's own metric on a benchmark"
    parser = add_command(commands, "rank", help=summary, description=_RANK, epilog=_EXAMPLES)
    parser.add_argument("scores", metavar="SCORES.csv", help="the columns architecture and score")
    parser.add_argument(
        "--benchmark",
        default="nas-bench-201",
        metavar="NAME",
        help=f"{', '.join(SPACES.names)} (default nas-bench-201)",
    )
    parser.add_argument("--dataset", metavar="NAME", help="such as cifar10 (default: the benchmark's first)")
    parser.add_argument("--split", help="valid or test (default: test where there is one)")
    parser.add_argument("--epochs", type=int, metavar="N", help="of training (default: the most that there are)")
    parser.add_argument("--lower-is-better", action="store_true", help="lower scores are to predict better networks")
    parser.add_argument("--resamples", type=int, default=2000, metavar="N", help="for the intervals (default 2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the resamples (default 0)")
    parser.add_argument("--report", metavar="PAGE.html", help="write the same as a page, too")
    parser.set_defaults(run=_rank)


def _rank(options: argparse.Namespace) -> None:
    from epsinas.bench.standing import rank
    from epsinas.report.standing import render_standing

    check_seed(options.seed)
    check_output(options.report, "--report")  # without which the result is on standard output only
    if options.report is not None and Path(options.report).absolute() == Path(options.scores).absolute():
        raise InputError(f"--report: found {options.report}, the file of the scores, expected another")
    standing = rank(
        options.scores,
        options.benchmark,
        options.dataset,
        split=options.split,
        epochs=options.epochs,
        higher_is_better=not options.lower_is_better,
        resamples=options.resamples,
        seed=options.seed,
    )
    print(standing)
    if options.report is not None:
        with atomic(options.report) as temporary:
            Path(temporary).write_text(render_standing(standing, Path(options.scores).name), encoding="utf-8")
        print(f"epsinas: {options.report}", file=sys.stderr)
