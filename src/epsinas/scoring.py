"""Scoring: many architectures of a search space by any metric."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from epsinas.engines.base import family_of
from epsinas.errors import InputError, one_line
from epsinas.metrics.base import CONSTANT_WEIGHTS, LABELS, Metric, Scored, find_metric
from epsinas.metrics.epsilon import check_weights, pair_setting
from epsinas.metrics.normalisation import check_zeros
from epsinas.metrics.subject import Conditions, Subject
from epsinas.spaces.base import Space

if TYPE_CHECKING:
    import pandas as pd

    from epsinas.engines.sequences.batches import TokenBatch

_TASK = 64
"""Networks that a worker takes at most at a time."""


_WATCH = 0.5
"""Seconds after which a worker looks again whether the process that started it is there."""


class Scores(NamedTuple):
    """Scores, NaN for none, estimates of their relative error by rounding, and why there is no score.

    There are estimates for epsilon on recurrent networks only (see `epsinas.metrics.rounding`); elsewhere they are NaN.
    Reasons are empty where there is a score (see `epsinas.metrics.base.REASONS`).
    """

    scores: np.ndarray
    errors: np.ndarray
    reasons: np.ndarray


def score_architectures(
    space: Space,
    architectures: Iterable[str],
    batch: np.ndarray | TokenBatch,
    weights: tuple[float, float] | Sequence[tuple[float, float]] | None = None,
    engine: str = "lumped",
    precision: str = "single",
    zeros: str = "masked",
    jobs: int = 1,
    progress: Callable[[int], object] | None = None,
    *,
    metric: str | Metric = "epsilon",
    labels: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Score architectures of a search space on a batch (for epsilon: Gracheva 2024, Algorithm 1).

    Networks that the metric cannot tell apart are scored once.

    Args:
        space: the search space.
        architectures: architecture strings.
        batch: images (N, C, H, W), float32 or float64, already normalised, finite; H and W multiples of 4. For
            recurrent networks, a `TokenBatch`.
        weights: (low, high), or a sequence of such pairs; the space's published ones where there are none. Of epsilon
            only.
        engine: `lumped` (exact reduction, hundreds of times faster) or `full-width` (torch).
        precision: `single` (float32, as published), `double`, or `extended` (lumped only).
        zeros: see `epsinas.epsilon`.
        jobs: processes to use.
        progress: called with the number of architectures done since the last call.
        metric: a name of `epsinas.list_metrics`, `package.module:function` (see `epsinas.metrics.base.find_metric`), or
            a metric.
        labels: int64 (N,), for metrics that need them.
        seed: of random weights.

    Returns:
        float64 (architectures,), or (architectures, pairs) for a sequence of pairs; NaN where there is no score.

    Raises:
        InputError: a malformed architecture (naming its position from 1), batch, weight, engine or precision, or a
            metric that is unknown or lacks labels.

    Example:
        >>> import numpy as np
        >>> from epsinas import NasBench201
        >>> images = np.random.default_rng(0).standard_normal((8, 3, 8, 8)).astype(np.float32)
        >>> cell = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
        >>> score_architectures(NasBench201(), [cell], images, (1e-7, 1.0)).shape
        (1,)
    """
    arguments = (space, architectures, batch, weights, engine, precision, zeros, jobs, progress)
    return score_with_errors(*arguments, metric=metric, labels=labels, seed=seed).scores


def score_with_errors(
    space: Space,
    architectures: Iterable[str],
    batch: np.ndarray | TokenBatch,
    weights: tuple[float, float] | Sequence[tuple[float, float]] | None = None,
    engine: str = "lumped",
    precision: str = "single",
    zeros: str = "masked",
    jobs: int = 1,
    progress: Callable[[int], object] | None = None,
    *,
    metric: str | Metric = "epsilon",
    labels: np.ndarray | None = None,
    seed: int = 0,
) -> Scores:
    """Score architectures as `score_architectures` does; say how far rounding limits each score, and why some lack one.

    Returns:
        Scores, errors and reasons, each as `score_architectures` returns scores. A score whose error is above
        `epsinas.metrics.base.LIMIT` is limited by rounding; see `epsinas.metrics.base.Scored` for networks without one.
    """
    metric = find_metric(metric) if isinstance(metric, str) else metric
    single, settings = _settings(metric, space, weights)
    check_zeros(zeros)
    if jobs < 1:
        raise InputError(f"jobs: found {jobs}, expected 1 or more")
    architectures = list(architectures)
    members = _members(metric, space, architectures)
    first, places = np.unique(members, return_inverse=True)
    multiplicity = np.bincount(places, minlength=len(first))
    labels = None if labels is None else np.asarray(labels)
    conditions = Conditions(space, batch, precision, engine, zeros, labels, seed)
    check_conditions(metric, conditions)
    report = progress or (lambda count: None)
    found: list[list[Scored]] = []
    chosen = [(position, architectures[position]) for position in first.tolist()]
    with closing(_scored_in_tasks(metric, settings, conditions, chosen, jobs)) as tasks:
        for rows in tasks:
            report(int(multiplicity[len(found) : len(found) + len(rows)].sum()))
            found += rows
    scores = np.array([[one.score for one in row] for row in found], np.float64).reshape(len(first), len(settings))
    errors = np.array([[one.error for one in row] for row in found], np.float64).reshape(scores.shape)
    reasons = np.array([[one.reason for one in row] for row in found], object).reshape(scores.shape)
    columns = [values[places] for values in (scores, errors, reasons)]
    return Scores(*(values[:, 0] for values in columns)) if single else Scores(*columns)


def _settings(
    metric: Metric, space: Space, weights: Sequence[float] | Sequence[Sequence[float]] | None
) -> tuple[bool, list[str]]:
    """Return whether one setting was asked for rather than several, and the metric's settings."""
    if "pair" not in metric.settings:
        if weights is not None:
            raise InputError(f"weights: found a pair, expected none for the metric {metric.name}")
        (usual, *_) = metric.settings.values()
        try:
            settings = list(usual({}))
        except KeyError as error:
            raise InputError(f"metric {metric.name}: can only be computed by a study, which has {error}") from None
        return len(settings) == 1, settings
    if weights is None:
        weights = space.weights
    single = len(weights) == 2 and all(np.isscalar(weight) for weight in weights)
    pairs: list[Any] = [weights] if single else list(weights)
    for pair in pairs:
        check_weights(pair)
    return single, [pair_setting(pair) for pair in pairs]


def _members(metric: Metric, space: Space, architectures: Sequence[str]) -> np.ndarray:
    """Return for each architecture the position of the one that is scored in its place."""
    first, members = distinct(space, architectures)
    return first[members] if metric.tells_apart_by == CONSTANT_WEIGHTS else np.arange(len(architectures))


def check_conditions(metric: Metric, conditions: Conditions) -> None:
    """Check a batch, that the metric is for such networks, and labels if it needs them.

    Raises:
        InputError: they are not what the metric takes.
    """
    conditions.check()
    metric.check_family(conditions.space.family)
    if LABELS in metric.needs:  # else the tensor is not asked for, which takes torch
        metric.check_labels(conditions.labels, len(conditions.tensor))


def distinct(
    space: Space, architectures: Sequence[str], weights: str = CONSTANT_WEIGHTS
) -> tuple[np.ndarray, np.ndarray]:
    """Find the architectures whose networks are the same function.

    Args:
        space: the search space.
        architectures: architecture strings.
        weights: the same function of a constant weight (CONSTANT_WEIGHTS), or of any weights, so that they train alike
            (RANDOM_WEIGHTS).

    Returns:
        first: int64 (distinct,), the position of each distinct network's first occurrence, ascending.
        members: int64 (architectures,), for each architecture the position in `first` of its network.

    Raises:
        InputError: an architecture is malformed; the message gives its position from 1.
    """
    family = family_of(space)
    identity = family.identity if weights == CONSTANT_WEIGHTS else family.trained_identity
    seen: dict[bytes, int] = {}
    first: list[int] = []
    members = np.empty(len(architectures), dtype=np.int64)
    for position, architecture in enumerate(architectures):
        try:
            digest = identity(space, architecture)
        except InputError as error:
            raise InputError(f"architecture {position + 1}: {error}") from None
        if digest not in seen:
            seen[digest] = len(first)
            first.append(position)
        members[position] = seen[digest]
    return np.array(first, dtype=np.int64), members


def score_subject(metric: Metric, subject: Subject, setting: str) -> Scored:
    """Compute a score; a computation that fails gives none, and its message as a line on standard error.

    A metric that sets images against labels has no score where the images do not reach the outputs.
    """
    if LABELS in metric.needs and not subject.connected:
        return Scored(math.nan, reason="disconnected")
    try:
        return metric.score(subject, setting)
    except InputError:
        raise
    except Exception as error:  # a metric may be one's own code, and one network is not to end a run of thousands
        import sys

        line = f"{metric.name} failed on {subject.architecture}: {type(error).__name__}: {one_line(error)}"
        print(f"epsinas: {line}", file=sys.stderr)
        return Scored(math.nan, reason="failed")


def score_networks(
    asked: Sequence[tuple[Metric, Sequence[str]]],
    conditions: Sequence[Conditions],
    networks: pd.DataFrame,
    progress: Callable[[int], object] = lambda count: None,
) -> pd.DataFrame:
    """Score networks by several metrics on several batches; what they have in common is computed once.

    Args:
        asked: the metrics, and the settings of each.
        conditions: one for each draw.
        networks: columns `index` and `architecture`.
        progress: called with the number of networks done since the last call.

    Returns:
        A row for each network, draw and setting: `index`, `metric`, `setting`, `draw`, `score` (NaN where there is
        none), `error`, the estimate of its relative error by rounding, `reason` why there is none, and `seconds` that
        it took: a pass that metrics share is part of the first one's.

    Raises:
        InputError: as `score_architectures`.
    """
    import pandas as pd

    for metric, _ in asked:
        for one in conditions:
            check_conditions(metric, one)
    rows = []
    for index, architecture in zip(networks["index"], networks["architecture"], strict=True):
        rows += _score_network(asked, conditions, index, architecture)
        progress(1)  # nothing of the network is left in memory
    columns = ["index", "metric", "setting", "draw", "score", "error", "reason", "seconds"]
    types = {"index": np.int32, "draw": np.int16, "score": np.float64, "error": np.float64, "seconds": np.float64}
    return pd.DataFrame(rows, columns=columns).astype(types | {"metric": str, "setting": str, "reason": str})


def _score_network(
    asked: Sequence[tuple[Metric, Sequence[str]]], conditions: Sequence[Conditions], index: int, architecture: str
) -> list[tuple[Any, ...]]:
    """Score a network by several metrics on several batches, and return the rows of `score_networks`."""
    rows = []
    for one in conditions:
        subject = Subject(one, architecture, int(index))
        for metric, setting in ((metric, setting) for metric, settings in asked for setting in settings):
            start = time.perf_counter()
            found = score_subject(metric, subject, setting)
            seconds = time.perf_counter() - start
            rows.append((index, metric.name, setting, one.draw, *found, seconds))
    return rows


def _scored_in_tasks(
    metric: Metric, settings: Sequence[str], conditions: Conditions, networks: Sequence[tuple[int, str]], jobs: int
) -> Generator[list[list[Scored]], None, None]:
    """Score networks, (index, architecture) each, in this process or in `jobs` others; yield rows in order."""
    size = max(min(_TASK, math.ceil(len(networks) / (4 * jobs))), 1)
    tasks = [networks[start : start + size] for start in range(0, len(networks), size)]
    if jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield _score_task(metric, settings, conditions, task)
        return
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    # Workers that joblib starts need no main guard, and take large arrays by memory map.
    pool = joblib.Parallel(
        n_jobs=jobs,
        return_as="generator",
        pre_dispatch="all",
        batch_size=1,
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    try:
        with _starting_workers():
            results = pool(joblib.delayed(_score_task)(metric, settings, conditions, task) for task in tasks)
        yield from results
    except TerminatedWorkerError:
        raise InputError(
            f"jobs: a worker process was killed, perhaps because memory ran out; found {jobs}, expected fewer"
        ) from None
    except (BrokenProcessPool, PicklingError) as error:
        # A worker's stack trace, which ends in quotes, or what kept the task from being sent.
        (*_, reason) = (line for line in str(error.__cause__ or error).splitlines() if line.strip('" '))
        raise InputError(
            f"jobs: workers cannot take the metric or the search space ({reason}); found {jobs}, expected 1, or what "
            "can be imported"
        ) from None


@contextmanager
def _starting_workers() -> Iterator[None]:
    """Hold signals back while workers are started, and let these never hear Ctrl-C, which a terminal tells them, too.

    A worker that is half started would complain of its end. It keeps what is blocked when it is started, so that it
    does not hear Ctrl-C while it starts either; `_end_with` ends it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which would unblock signals
    heard: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # the only one that handles signals
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(number)):
                handlers[number] = signal.signal(number, lambda number, frame: heard.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for one in heard:
            signal.raise_signal(one)


def _end_with(parent: int) -> None:
    """Have this worker end when the process that started it has ended, in whatever way.

    It would wait for work for minutes otherwise, and keep standard output open for whoever reads it.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _score_task(
    metric: Metric, settings: Sequence[str], conditions: Conditions, task: Sequence[tuple[int, str]]
) -> list[list[Scored]]:
    subjects = (Subject(conditions, architecture, index) for index, architecture in task)
    return [[score_subject(metric, subject, setting) for setting in settings] for subject in subjects]
