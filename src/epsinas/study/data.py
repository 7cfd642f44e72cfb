"""The data of a study: what it wants, what there is, and what is taken instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from epsinas.errors import InputError
from epsinas.evaluation.performance import MEASURES
from epsinas.files.tables import count_rows, distinct_rows
from epsinas.sources import packaged
from epsinas.sources.base import Holdings, Trained
from epsinas.sources.retrieval import (
    PACKAGE,
    announcement,
    is_filled_in,
    known_sources,
    missing_files,
    planned_downloads,
)
from epsinas.study.config import Section, Study
from epsinas.study.page import PAGES, Request
from epsinas.study.plan import Plan

_SPLITS = {"valid": "validation", "test": "test"}
"""How the splits are called in print."""


def settle(study: Study) -> tuple[Study, list[str]]:
    """Compare what a study wants with what there is, before anything is downloaded or computed.

    What there is, is read off the files of the mirror, or known of the package and of the official files. Where there
    are other networks than the study names, those that there are are taken, and where there is no performance of its
    split, that of the other split. What a study trains or draws at random is left alone.

    Args:
        study: checked.

    Returns:
        The study as it can be, and a line for each thing that is taken instead of what it wants.

    Raises:
        InputError: there is no performance of either split after the study's number of epochs, a table of the mirror
            cannot be read, or there is no file of one's own at a path that is given.
    """
    _require_files(study)
    mirror, changed, messages = study.config["mirror"], {}, []
    for section in study.sections.values():
        found = _holdings(section.name, mirror) if _is_retrieved(study, section) else None
        if found is not None:
            _check_shipped(section, found, _place(mirror))
            options = dict(section.options)
            for adjust in (_take_networks, _take_performance):
                messages += [f"{section.name}: {line}" for line in adjust(options, section, found, _place(mirror))]
            changed[section.name] = options
    return Study({**study.config, **changed}), messages


def describe_files(study: Study) -> list[str]:
    """Say which input files of a study its mirror lacks, what comes from the package, and what will be downloaded.

    Args:
        study: as `settle` returns it.

    Returns:
        Lines; none where everything is at hand.

    Raises:
        InputError: there is no mirror, and a file has no official source.
    """
    plan, mirror, cache = Plan(study), study.config["mirror"], study.config["cache"]
    names = [name for name in wanted_files(plan) if not Path(plan.data(name)).exists()]
    lines = [
        f"{name}: not in {_place(mirror)}; it comes from the package" for name in names if is_filled_in(name, mirror)
    ]
    if missing := missing_files(names, mirror):
        lines.append(f"missing from {_place(mirror)}: {', '.join(missing)}; what needs them cannot be made")
    return lines + announcement(planned_downloads(names, mirror, cache), cache).splitlines()


def wanted_files(plan: Plan) -> list[str]:
    """Return the names of the files that a study's pages are made of and that are retrieved."""
    paths: dict[str, None] = {}
    for request in filter(None, (page.request(plan) for page in PAGES)):
        paths |= dict.fromkeys(_retrieved(plan, request))
    made = _made(plan.study)
    return [name for name in (path.removeprefix(plan.data("")) for path in paths) if name not in made]


def _retrieved(plan: Plan, request: Request) -> Iterator[str]:
    """Yield the retrieved files that what a page requests is made of."""
    yield from (plan.data(name) for name in request.data)
    for space in request.spaces:
        yield plan.data(f"{space}.architectures.parquet")
        for dataset in plan.sections[space].datasets:
            yield from plan.shape_source(space, dataset)
    for run in map(plan.computed, request.runs):
        yield from plan.source(run.space, run.dataset, run.inputs)
    for space, dataset in request.weights:
        yield from plan.source(space, dataset)


def _made(study: Study) -> set[str]:
    """Return the names of the files that the study makes by itself."""
    names = {f"{name}.architectures.parquet" for name, section in study.sections.items() if section["sample"]}
    if study.train:
        names |= {f"{study.train['space']}.{kind}.parquet" for kind in ("architectures", "performance")}
    if study.train and study.train["images"]:
        names.add(f"{study.train['dataset']}.npz")
    return names


def _require_files(study: Study) -> None:
    """Check files of one's own here, since a rule whose input is missing gives way to another rule."""
    path = study.train["images"] if study.train else None
    if path is not None and not Path(path).is_file():
        raise InputError(f"config: train.images: found no file {path}, expected an npz with images and labels")
    for section in study.sections.values():
        for name, scores in (section["comparison"] or {"scores": {}})["scores"].items():
            if not Path(scores).is_file():
                key = f"{section.name}.comparison.scores.{name}"
                raise InputError(f"config: {key}: found no file {scores}, expected a CSV with architecture and score")


def _is_retrieved(study: Study, section: Section) -> bool:
    """Say whether the networks of a section are a benchmark's."""
    return not section["sample"] and not (study.train and study.train["space"] == section.name)


def _place(mirror: str | None) -> str:
    return "the official files" if mirror is None else "the package" if mirror == PACKAGE else f"the mirror {mirror}"


def _holdings(space: str, mirror: str | None) -> Holdings | None:
    """Return what there is of a space; None where that is not known, and left for the retrieval to say."""
    if mirror is None:
        source = known_sources().get(f"{space}.performance.parquet")
        return source.holdings if source else None
    if mirror == PACKAGE:
        return packaged.holdings(space)
    architectures, performance = (Path(mirror, f"{space}.{kind}.parquet") for kind in ("architectures", "performance"))
    if not architectures.is_file():
        return None
    trained = []
    if performance.is_file():
        trained = distinct_rows(performance, Trained._fields, tuple(MEASURES))
        _check_networks(architectures, performance)
    return Holdings(count_rows(architectures), tuple(Trained(*row) for row in trained))


def _check_networks(architectures: Path, performance: Path) -> None:
    """Check that some network of a mirror has a performance."""
    theirs, known = (set(distinct_rows(path, ["index"])) for path in (performance, architectures))
    if theirs.isdisjoint(known):
        raise InputError(
            f"{performance}: column index: found none of the {len(known):,} networks of {architectures.name}, "
            "expected their performances"
        )


def _take_networks(options: dict[str, Any], section: Section, found: Holdings, place: str) -> Iterator[str]:
    """Take the networks that there are."""
    wanted = section["networks"]
    if wanted != found.networks:
        options |= _capped(options, found.networks) | {"networks": found.networks}
        yield f"{found.networks:,} networks in {place}, where the study names {wanted:,}: these are taken"


def _check_shipped(section: Section, found: Holdings, place: str) -> None:
    """Check that scores of the package are of the networks that there are, which go by their places in a table."""
    compared, packed = section["comparison"], packaged.holdings(section.name)
    if compared and compared["shipped"] and packed and packed.networks != found.networks:
        raise InputError(
            f"config: {section.name}.comparison.shipped: found true, expected false: the package's scores are of its "
            f"own {packed.networks:,} networks, not of the {found.networks:,} in {place}"
        )


def _capped(options: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return options with every number of networks that is larger than `most` brought down to it, at any depth."""
    capped = {}
    for key, value in options.items():
        if isinstance(value, Mapping):
            value = _capped(value, most)
        elif key in ("networks", "further_networks") and value is not None:
            value = min(value, most)
        capped[key] = value
    return capped


def _take_performance(options: dict[str, Any], section: Section, found: Holdings, place: str) -> Iterator[str]:
    """Take the other split where the study's own is not there."""
    wanted = section["performance"]
    if wanted is None or not found.performance:
        return
    split, epochs = wanted["split"], wanted["epochs"]
    other = "valid" if split == "test" else "test"
    lacking = _lacking(section, found, split, epochs)
    if not lacking:
        return
    if _lacking(section, found, other, epochs):
        raise InputError(
            f"config: {section.name}.performance: found no {split} performance after {epochs} epochs on "
            f"{', '.join(lacking)} in {place}, expected one of {_listed(found.performance)}"
        )
    options["performance"] = {**wanted, "split": other}
    yield (
        f"no {_SPLITS[split]} performance after {epochs} epochs on {', '.join(lacking)} in {place}: "
        f"{_SPLITS[other]} is taken"
    )


def _lacking(section: Section, found: Holdings, split: str, epochs: int) -> list[str]:
    """Return the data sets that have no performance of a split and number of epochs."""
    return [name for name in section.datasets if Trained(name, split, epochs) not in found.performance]


def _listed(trained: tuple[Trained, ...]) -> str:
    return ", ".join(" ".join(map(str, row)) for row in sorted(trained))
