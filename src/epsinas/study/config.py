"""Studies: the configuration of the workflow."""

from pathlib import Path
from typing import Any

import jsonschema
import yaml

from epsinas.errors import InputError
from epsinas.scoring import check_weights
from epsinas.spaces import SPACES


def read_study(config: dict[str, Any], schema: str | Path) -> dict[str, Any]:
    """Check a study's configuration and fill in the schema's defaults.

    Args:
        config: the keys of a study, as read from its YAML file.
        schema: path of the JSON schema (YAML).

    Returns:
        A new configuration with every key that has a default.

    Raises:
        InputError: a key is unknown or missing, or its value is not what the schema or the metric admits.
    """
    rules = yaml.safe_load(Path(schema).read_text())
    study = _with_defaults(config, rules, rules)
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(rules).iter_errors(study))
    if error is not None:
        raise InputError(_one_line(error))
    for space in SPACES:
        weights = study.get(space, {}).get("weights", "auto")
        if weights != "auto":
            check_weights(weights)
    if "train" in study:
        _check_training(study["train"], study["nas-bench-201"])
    _check_datasets(study["nas-bench-201"])
    _check_corpora(study.get("nas-bench-nlp", {}))
    return study


def _check_corpora(section: dict[str, Any]) -> None:
    """Check that Table 10 takes corpora of the study."""
    named = section.get("ablations", {}).get("embeddings", {}).get("datasets") or []
    unknown = [corpus for corpus in named if corpus not in section["corpora"]]
    if unknown:
        raise InputError(
            f"config: nas-bench-nlp.ablations.embeddings.datasets: found {', '.join(unknown)}, "
            f"expected only nas-bench-nlp.corpora, {', '.join(section['corpora'])}"
        )


def _check_datasets(section: dict[str, Any]) -> None:
    """Check that what tables and figures take are datasets of the study, and that they can be compared."""
    if section["performance"] is None:
        raise InputError("config: nas-bench-201.performance: found null, expected split and epochs")
    ablations = section["ablations"]
    weights = ablations.get("weights", {})
    named = {
        "ablations.weights.repeated": weights.get("repeated"),
        "ablations.weights.wide.datasets": weights.get("wide", {}).get("datasets"),
        "ablations.initialisation.datasets": ablations.get("initialisation", {}).get("datasets"),
        "ablations.inputs.datasets": ablations.get("inputs", {}).get("datasets"),
    }
    for key, datasets in named.items():
        unknown = [dataset for dataset in datasets or [] if dataset not in section["datasets"]]
        if unknown:
            raise InputError(
                f"config: nas-bench-201.{key}: found {', '.join(unknown)}, "
                f"expected only nas-bench-201.datasets, {', '.join(section['datasets'])}"
            )


def _check_training(train: dict[str, Any], section: dict[str, Any]) -> None:
    """Check that what is trained is what is scored and compared."""
    if section["datasets"] != [train["dataset"]]:
        raise InputError(
            f"config: nas-bench-201.datasets: found {', '.join(section['datasets'])}, "
            f"expected only train.dataset, {train['dataset']}"
        )
    if section["performance"]["epochs"] != train["recipe"]["epochs"]:
        raise InputError(
            f"config: nas-bench-201.performance.epochs: found {section['performance']['epochs']}, "
            f"expected train.recipe.epochs, {train['recipe']['epochs']}"
        )


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


def _one_line(error: jsonschema.ValidationError) -> str:
    """Name the key, what was found and what was expected."""
    where = ".".join(str(part) for part in error.absolute_path) or "the study"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(set(error.instance) - set(known))
        return f"config: {where}: found unknown key {', '.join(unknown)}, expected only {', '.join(known)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"config: {where}: key {', '.join(missing)} is missing"
    return f"config: {where}: {error.message}"
