"""Studies: the configuration of the workflow, checked and with its defaults."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema.validators
import yaml

from epsinas.engines.base import FAMILIES, Family
from epsinas.errors import InputError, one_line, shown
from epsinas.metrics.base import Metric, find_metric
from epsinas.metrics.epsilon import check_weights
from epsinas.registry import import_all
from epsinas.spaces.base import SPACES, Space, space
from epsinas.study.schema import study_schema


def _matches(_: Any, pattern: str, value: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    """Compare a text with a pattern whose `$` is its end, and not, as in Python, also what precedes a last newline."""
    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value):
        yield jsonschema.ValidationError(f"{shown(value)} does not match {pattern!r}")


_VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _matches},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            # JSON has neither NaN nor infinity, and takes 1e9 for an integer, which YAML does not.
            "number": lambda _, value: type(value) in (int, float) and abs(value) <= sys.float_info.max,
            "integer": lambda _, value: type(value) is int and abs(value) <= sys.float_info.max,
        }
    ),
)


@dataclass(frozen=True)
class Section:
    """What a study says of one search space.

    Attributes:
        name: of the search space.
        options: the section, with its defaults.
    """

    name: str
    options: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.options[key]

    def ablation(self, name: str) -> Mapping[str, Any] | None:
        """Return the options of an ablation, None where the study does not have it."""
        return self.options["ablations"].get(name)

    @property
    def family(self) -> Family:
        """The kind of the space's networks."""
        return FAMILIES[SPACES[self.name].family]

    def space(self, **changes: int) -> Space:
        """Return the search space with the study's skeleton, or changes to it."""
        return space(self.name, **{**self.options["skeleton"], **changes})

    @property
    def datasets(self) -> list[str]:
        """Data sets on which networks are scored."""
        return self.family.datasets(self.options)

    def datasets_of(self, options: Mapping[str, Any]) -> list[str]:
        """Return the data sets that the options of a page, or of a comparison, name, or all."""
        return options["datasets"] or self.datasets

    @property
    def inputs(self) -> str:
        """The kind of inputs that networks are scored on unless a page says otherwise."""
        return self.options[self.family.inputs_key]

    @property
    def batch_options(self) -> dict[str, Any]:
        """The options that decide on the batches, and on how they are scored."""
        kept = {"skeleton", "zeros", *self.family.section} - {*self.family.required, "precisions"}
        return {key: value for key, value in self.options.items() if key in kept}

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """By name, the metrics of the study."""
        found = [find_metric(name) for name in self.options["metrics"]]
        return {metric.name: metric for metric in found}

    @cached_property
    def together(self) -> list[tuple[Metric, list[str]]]:
        """The metrics of the comparison that take more than counting, and the settings of each."""
        options, found = self.options["comparison"], []
        for metric in map(find_metric, options["metrics"] if options else ()):
            if metric.cost != "nothing":
                settings = options["settings"].get(metric.name, next(iter(metric.settings)))
                found.append((metric, list(metric.settings[settings](self.options))))
        return found

    def full_name(self, name: str) -> str:
        """Return how the study calls a metric: `package.module:function` for one's own."""
        compared = self.options["comparison"]
        written = [*self.options["metrics"], *(compared["metrics"] if compared else [])]
        return next((found for found in written if found.rpartition(":")[2] == name), name)

    def metric(self, name: str) -> Metric:
        """Return one of the study's metrics, or of the package's, which an ablation may take."""
        return self.metrics[name] if name in self.metrics else find_metric(self.full_name(name))


class Study:
    """A study: the sections of its search spaces, and what is common to them.

    Args:
        config: as `read_study` returns it, or the part of it that a job needs.
    """

    def __init__(self, config: Mapping[str, Any]):
        self.config = config
        self.sections = {name: Section(name, config[name]) for name in config if name in SPACES}

    @property
    def name(self) -> str:
        """Results go to the folder of this name."""
        return self.config["study"]

    @property
    def seed(self) -> int:
        """Of everything random."""
        return self.config["seed"]

    @property
    def train(self) -> Mapping[str, Any] | None:
        """How to train networks, None where a benchmark has."""
        return self.config.get("train")

    def extract(self, spaces: tuple[str, ...]) -> dict[str, Any]:
        """Return the part of the configuration that says what becomes of some search spaces."""
        common = {key: self.config[key] for key in ("study", "seed", "ledger", "networks_per_job", "device")}
        train = self.train
        trained = {"train": {key: train[key] for key in ("space", "networks")}} if train else {}
        return common | trained | {name: self.config[name] for name in spaces if name in self.sections}


def check_keys(paths: Iterable[str | Path]) -> None:
    """Check that no key of a study's files comes twice in one place; YAML takes the last one without a word.

    Raises:
        InputError: one does; the message names the file and the line.
    """
    for path in map(Path, paths):
        nodes, seen = [yaml.compose(path.read_text(), Loader=yaml.SafeLoader)], set()
        while nodes:
            node = nodes.pop()
            if not isinstance(node, yaml.CollectionNode) or node in seen:
                continue
            seen.add(node)  # which more than one place may have, or one within it
            if isinstance(node, yaml.SequenceNode):
                nodes += node.value
                continue
            keys: set[str] = set()
            for key, value in node.value:
                if str(key.value) in keys:
                    where = f"{path}: line {key.start_mark.line + 1}"
                    raise InputError(f"{where}: found key {shown(str(key.value))} a second time, expected it once")
                keys.add(str(key.value))
                nodes.append(value)


def read_study(config: Mapping[str, Any]) -> Study:
    """Check a study's configuration and fill in its defaults.

    Args:
        config: the keys of a study, as read from its YAML file.

    Returns:
        The study, with every key that has a default.

    Raises:
        InputError: a key is unknown or missing, or its value is not what the schema or a metric admits.
    """
    modules = config.get("modules")
    if isinstance(modules, list):
        import_all(str(name) for name in modules)
    schema = study_schema()
    filled = _with_defaults(dict(config), schema, schema)
    try:
        error = jsonschema.exceptions.best_match(_VALIDATOR(schema).iter_errors(filled))
    except ValueError as problem:  # of an integer that is too long to be printed
        raise InputError(f"config: {one_line(problem)}") from problem
    if error is not None:
        raise InputError(_message(error))
    study = Study(filled)
    if not study.sections:
        raise InputError(f"config: the study: found no search space, expected one of {', '.join(SPACES.names)}")
    for section in study.sections.values():
        _check_section(section)
    if study.train:
        _check_training(study, study.train)
    return study


def _check_section(section: Section) -> None:
    """Check skeleton, weights, metrics and the names of data sets."""
    _check_skeleton(section.name, section["skeleton"], section.name)
    if section["weights"] != "auto":
        check_weights(section["weights"])
    metrics = [find_metric(name) for name in section["metrics"]]
    for metric in metrics:
        metric.check_family(section.family.name)
    if compared := section["comparison"]:
        _check_comparison(section, compared)
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"config: {section.name}.metrics: found two metrics called {name}, expected unique names")
    for key, datasets in _named_datasets(section.options, section.name):
        unknown = [dataset for dataset in datasets if dataset not in section.datasets]
        if unknown:
            raise InputError(
                f"config: {key}: found {', '.join(unknown)}, expected only data sets of {section.name}, "
                f"{', '.join(section.datasets)}"
            )


def _check_skeleton(name: str, skeleton: Mapping[str, Any], where: str) -> None:
    """Check what the schema cannot say of a skeleton."""
    try:
        space(name, **skeleton)
    except InputError as error:
        raise InputError(f"config: {where}.skeleton.{error}") from None


def _check_comparison(section: Section, options: Mapping[str, Any]) -> None:
    """Check that the metrics of a comparison suit the networks and have the settings that are asked for."""
    if options["networks"] == 0 and section.together and not options["shipped"]:
        raise InputError(f"config: {section.name}.comparison.networks: found 0, expected 1 or more, or shipped: true")
    for metric in map(find_metric, options["metrics"]):
        metric.check_family(section.family.name)
        wanted = options["settings"].get(metric.name)
        if wanted is not None and wanted not in metric.settings:
            raise InputError(
                f"config: {section.name}.comparison.settings: found {metric.name}: {wanted}, "
                f"expected one of {', '.join(metric.settings)}"
            )


def _named_datasets(options: Mapping[str, Any], where: str) -> Iterator[tuple[str, list[str]]]:
    """Yield every list of data sets below a section, by its dotted key."""
    for key, value in options.items():
        name = f"{where}.{key}"
        if isinstance(value, Mapping):
            yield from _named_datasets(value, name)
        elif key in ("datasets", "repeated") and value and where.count("."):
            yield name, value


def _check_training(study: Study, train: Mapping[str, Any]) -> None:
    """Check that what is trained is what is scored and compared."""
    name = train["space"]
    if name not in study.sections:
        raise InputError(f"config: train.space: found {name}, expected one of {', '.join(study.sections)}")
    section = study.sections[name]
    if section.family.name != "images":
        raise InputError(f"config: train.space: found {name}, expected a space of convolutional cells")
    _check_skeleton(name, train["skeleton"], "train")
    if section.datasets != [train["dataset"]]:
        raise InputError(
            f"config: {name}.datasets: found {', '.join(section.datasets)}, "
            f"expected only train.dataset, {train['dataset']}"
        )
    shares = train["split"]
    if shares["valid"] + shares["test"] >= 1:
        raise InputError(
            f"config: train.split: found valid {shares['valid']} and test {shares['test']}, "
            "expected fractions with a sum below 1"
        )
    performance, epochs = section["performance"], train["schedule"]["epochs"]
    if performance is None or performance["epochs"] != epochs:
        found = "null" if performance is None else performance["epochs"]
        raise InputError(f"config: {name}.performance.epochs: found {found}, expected train.schedule.epochs, {epochs}")


def _with_defaults(value: Any, rules: dict[str, Any], root: dict[str, Any]) -> Any:
    """Return a copy of a value with the defaults of its schema, at every depth."""
    rules = _resolved(rules, root)
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, inner in rules.get("properties", {}).items():
        if key not in filled and "default" in _resolved(inner, root):
            filled[key] = _resolved(inner, root)["default"]
        if key in filled:
            filled[key] = _with_defaults(filled[key], inner, root)
    return filled


def _resolved(rules: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to the schema's definitions."""
    if "$ref" not in rules:
        return rules
    beside = {key: value for key, value in rules.items() if key != "$ref"}
    return root["$defs"][rules["$ref"].rpartition("/")[2]] | beside


def _message(error: Any) -> str:
    """Name the key, what was found and what was expected in a `jsonschema.ValidationError`.

    It is not annotated as such: its attributes may be unset, but not where a validator raised it.
    """
    where = ".".join(str(part) for part in error.absolute_path) or "the study"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(str(key) for key in set(error.instance) - set(known))
        return f"config: {where}: found unknown key {', '.join(unknown)}, expected only {', '.join(known)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"config: {where}: key {', '.join(missing)} is missing"
    return f"config: {where}: {error.message}"
