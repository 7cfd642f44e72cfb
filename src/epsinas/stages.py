"""What the workflow's rules do: one function for each, which bears the rule's name and is given the job.

A job is what Snakemake gives a script: `input`, `output`, `params`, `wildcards`, `log`, `threads`, `rule` and `config`.
"""

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from tqdm import tqdm

from epsinas.engines.base import FAMILIES
from epsinas.engines.memory import keep_freed_memory, release_freed_memory
from epsinas.errors import InputError
from epsinas.files.images import read_images
from epsinas.files.tables import (
    TRAINING,
    read_architectures,
    read_scores,
    read_table,
    write_architectures,
    write_csv,
    write_performance,
    write_scores,
    write_table,
)
from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, find_metric
from epsinas.metrics.subject import Conditions
from epsinas.registry import import_all
from epsinas.scoring import score_networks
from epsinas.spaces.base import SPACES, ImageSpace, space
from epsinas.streams import stream
from epsinas.study.config import Study
from epsinas.study.networks import describe, gather, part, sample_table
from epsinas.study.page import PAGES, Page
from epsinas.study.plan import Plan, Run
from epsinas.study.results import Results


def run(job: Any) -> None:
    """Do what a job's rule says: what it writes goes to the log, a user's mistake is one line there and exit code 2."""
    with open(job.log[0], "w") as log, redirect_stderr(log), redirect_stdout(log):
        try:
            import_all(job.config.get("modules", []))
            message = STAGES[job.rule](job)
        except InputError as error:
            print(f"epsinas: {error}", file=log)
            sys.exit(2)
        except Exception:
            # Python would print it after the log is closed.
            traceback.print_exc(file=log)
            raise
    if message:
        print(message)


def retrieve(job: Any) -> str:
    """Fetch an input file, from a mirror or its official source; how far that is, is said on the console."""
    from epsinas.sources.progress import on_console
    from epsinas.sources.retrieval import retrieve as fetch

    params, console = job.params, on_console(sys.__stderr__)  # sys.stderr is the log
    provenance = fetch(job.wildcards.file, job.output.file, params.mirror, params.cache, params.sha256, console)
    _write_json(asdict(provenance), job.output.provenance)
    # Of some official files no checksum is published, or 24 bits of one: people compare what they had.
    return "\n".join(f"epsinas: {name}: sha256 {digest}" for name, digest in provenance.raw.items())


def check_images(job: Any) -> None:
    """Check one's own images and copy them."""
    from epsinas.sources.retrieval import take

    _write_json(asdict(take(job.input[0], job.output.file)), job.output.provenance)


def sample_networks(job: Any) -> None:
    """Draw networks at random, where a study scores no benchmark's."""
    named = space(job.wildcards.space, **job.params.skeleton)
    drawn = sample_table(named, job.params.networks, stream(job.params.seed, "sample of networks"))
    write_architectures(drawn, job.output[0])


def choose_networks(job: Any) -> None:
    """Choose the networks to train."""
    from epsinas.training.benchmark import choose

    write_architectures(choose(_trained_space(job.params.space), job.params.networks, job.params.seed), job.output[0])


def train_chunk(job: Any) -> None:
    """Train a share of the networks."""
    from epsinas.training.fit import Schedule, prepare, split, train_networks

    train = job.params.train
    number, total = int(job.wildcards.chunk), int(job.wildcards.chunks)
    networks = read_architectures(job.input.networks).query("index == trained")[number - 1 :: total]
    images = read_images(job.input.images)
    with _naming(job.input.images):
        positions = split(images.labels, **train["split"], rng=stream(job.params.seed, "split of images"))
    with _progress(len(networks) * len(train["seeds"]), "training") as bar:
        outcomes = train_networks(
            _trained_space(train["space"], **train["skeleton"]),
            networks,
            prepare(images.images, images.labels, positions),
            Schedule(**train["schedule"]),
            train["seeds"],
            bar.update,
        )
    write_table(outcomes, job.output[0], TRAINING)


def gather_training(job: Any) -> None:
    """Make the table of performances of what was trained."""
    from epsinas.sources.trained import performance_table

    outcomes = pd.concat([read_table(path, TRAINING) for path in job.input.chunks])
    networks = read_architectures(job.input.networks)
    write_performance(performance_table(networks, outcomes, job.params.dataset, job.params.epochs), job.output[0])


def describe_networks(job: Any) -> None:
    """Count every network's parameters and operations, and find networks that are equal."""
    name, sources = job.wildcards.space, job.params.sources
    family = FAMILIES[SPACES[name].family]
    shapes = {dataset: family.data_shape(dataset, next(iter(paths), None)) for dataset, paths in sources.items()}
    with _naming(job.input.networks):
        described = describe(space(name, **job.params.skeleton), read_architectures(job.input.networks), shapes)
    write_architectures(described, job.output[0])


def choose_weights(job: Any) -> None:
    """Choose the two constant weights for a data set."""
    from epsinas.weights import choose_weights as choose

    params, wildcards = job.params, job.wildcards
    family = FAMILIES[SPACES[wildcards.space].family]
    section = params.section
    inputs, size = section[family.inputs_key], section["batch_size"]
    path = next(iter(job.input), None)
    with _naming(path):
        (batch,) = family.draws(path, wildcards.dataset, inputs, size, [0], params.seed, section)
    named = space(wildcards.space, **section["skeleton"])
    table = choose(named, batch, stream(params.seed, "choice of weights"), precision=params.precision)
    write_csv(table, job.output[0])


def score_chunk(job: Any) -> None:
    """Score a share of a run's networks on all of its batches."""
    from epsinas.weights import chosen_pair

    params, one = job.params.job, Run.of(job.wildcards)
    asked = [(find_metric(name), settings) for name, settings in params["metrics"]]
    if asked[0][1] is None:
        ((metric, _),) = asked
        chosen = chosen_pair(pd.read_csv(job.input.weights[0]))
        asked = [(metric, metric.settings[one.settings]({"weights": chosen}))]
    needs = {need for metric, _ in asked for need in metric.needs}
    conditions = conditions_of(one, params, next(iter(job.input.source), None), LABELS in needs)
    networks = part(read_architectures(job.input.networks), one, job.wildcards.part, asked[0][0], params["seed"])
    full_width = RANDOM_WEIGHTS in needs
    if full_width:
        _prepare_torch(job.threads, params["device"])
    with _progress(len(networks), "network") as bar:

        def after(count: int) -> None:
            bar.update(count)
            if full_width:
                release_freed_memory()

        scores = score_networks(asked, conditions, networks, after)
    write_scores(scores, job.output[0])


def conditions_of(one: Run, params: Mapping[str, Any], path: str | None, labelled: bool) -> list[Conditions]:
    """Return what the networks of a run are scored under, for each draw.

    Args:
        one: the run.
        params: what its jobs must know; see `epsinas.study.plan.Plan.job`.
        path: of the file that batches are drawn from, None where they need none.
        labelled: whether a metric needs labels.
    """
    named, section, seed = space(one.space, **params["skeleton"]), params["section"], params["seed"]
    draws, family = range(one.draws), FAMILIES[named.family]
    labels: Sequence[np.ndarray | None] = [None] * one.draws
    with _naming(path):
        batches = family.draws(path, one.dataset, one.inputs, one.size, draws, seed, section)
        if labelled:
            labels = family.labels(path, one.inputs, one.size, draws, seed, cast(ImageSpace, named).classes)
    common = {"zeros": section["zeros"], "seed": seed, "device": params["device"]}
    return [
        Conditions(named, batch, one.precision, labels=own, draw=draw, **common)
        for draw, batch, own in zip(draws, batches, labels, strict=True)
    ]


def gather_scores(job: Any) -> None:
    """Give every network of a run its score."""
    one, metric = Run.of(job.wildcards), find_metric(job.params.metrics[0])
    scores = pd.concat([read_scores(path) for path in job.input.parts])
    networks = read_architectures(job.input.networks)
    params = job.params
    write_scores(gather(networks, one, scores, metric, params.seed, params.stand_in), job.output[0])


def make_table(job: Any) -> None:
    """Make the table of a page."""
    results = _results(job)
    if results.page.table:
        made = results.page.table(results)
        if results.page.with_draws:
            made, draws = made
            write_csv(draws, job.output.draws)
        write_csv(made, job.output.table)
        _present_table(results.page, job.output)


def _present_table(page: Page, output: Any) -> None:
    from epsinas.paper.presentation import heading, show

    shown, title = show(page, pd.read_csv(output.table)), heading(page)
    Path(output.markdown).write_text(shown.markdown(title, page.caption), encoding="utf-8")
    Path(output.latex).write_text(shown.latex(title, page.caption, page.name), encoding="utf-8")


def make_figure(job: Any) -> None:
    """Draw the figure of a page."""
    from epsinas.paper.drawing import save

    results = _results(job)
    if results.page.figure:
        save(results.page.figure(results), job.output)


def write_ledger(job: Any) -> None:
    """Compare the tables of the paper with what it prints."""
    from epsinas.paper.ledger import ledger

    tables = {name: pd.read_csv(path) for name, path in zip(job.params.pages, job.input, strict=True)}
    write_csv(ledger(tables), job.output[0])


def count_verdicts(job: Any) -> None:
    """Count the ledger's verdicts."""
    from epsinas.paper.ledger import count_verdicts as count

    write_csv(count(pd.read_csv(job.input[0])), job.output[0])


def write_provenance(job: Any) -> None:
    """Say what the run used and what it cost."""
    from epsinas.study.provenance import describe_run

    _write_json(describe_run(Path(job.output[0]).parent, job.params.config), job.output[0])


def write_report(job: Any) -> None:
    """Make the page that shows everything, and the lines that the run ends with."""
    from epsinas.paper.ledger import count_verdicts as count
    from epsinas.report.document import render_report
    from epsinas.report.explorer import EXPLORED, measures_of
    from epsinas.report.headline import closing_lines, headline

    results = Results(Plan(Study(job.params.study)), EXPLORED)
    tables = {name: pd.read_csv(path) for name, path in zip(job.params.pages, job.input.tables, strict=True)}
    ledger = pd.read_csv(job.input.ledger[0]) if job.input.ledger else None
    found = headline(results.plan, tables, measures_of(results))
    provenance = json.loads(Path(job.input.provenance).read_text())
    page = render_report(results, found, tables, ledger, provenance)
    Path(job.output.page).write_text(page, encoding="utf-8")
    lines = closing_lines(found, None if ledger is None else count(ledger), job.output.page)
    Path(job.output.lines).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _results(job: Any) -> Results:
    page: Page = PAGES[job.wildcards.page]
    return Results(Plan(Study(job.params.study)), page)


@contextmanager
def _naming(path: str | None) -> Iterator[None]:
    """Name the file that is at fault in what is said of its content."""
    try:
        yield
    except InputError as error:
        if path is None or str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error


def _trained_space(name: str, **skeleton: int) -> ImageSpace:
    """Return the search space whose networks are trained: a study has checked that it is one of images."""
    return cast(ImageSpace, space(name, **skeleton))


def _prepare_torch(threads: int, device: str) -> None:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("config: device: found cuda, expected cpu: torch sees no CUDA device here")

    torch.set_num_threads(threads)
    keep_freed_memory()


def _progress(total: int, unit: str) -> Any:
    return tqdm(total=total, unit=unit, file=sys.stderr, mininterval=10)


def _write_json(record: Any, path: str) -> None:
    Path(path).write_text(json.dumps(record, indent=1) + "\n")


STAGES: dict[str, Callable[[Any], str | None]] = {
    function.__name__: function
    for function in (
        retrieve,
        check_images,
        sample_networks,
        choose_networks,
        train_chunk,
        gather_training,
        describe_networks,
        choose_weights,
        score_chunk,
        gather_scores,
        make_table,
        make_figure,
        write_ledger,
        count_verdicts,
        write_provenance,
        write_report,
    )
}
"""By the name of the rule."""
STAGES |= {
    "score_comparison_chunk": score_chunk,
    "gather_scores_of_large_space": gather_scores,
    "make_table_of_draws": make_table,
    "make_large_table": make_table,
    "make_large_table_of_draws": make_table,
    "make_large_figure": make_figure,
}
