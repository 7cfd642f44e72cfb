"""The schema of a study: what every key means, put together from the spaces, the families and the pages."""

from __future__ import annotations

import dataclasses
import sys
from importlib.resources import files
from typing import Any

import yaml

from epsinas.engines.base import FAMILIES
from epsinas.spaces.base import SPACES, Space
from epsinas.study.page import PAGES

MOST = 1_000_000
"""Of anything that is counted: networks, batches, images in a batch, resamples; the largest benchmark has 423,624."""


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of a study; `python -m epsinas.study.schema` prints it."""
    schema = yaml.safe_load(files("epsinas").joinpath("study/study.schema.yaml").read_text())
    for space in SPACES:
        schema["properties"][space.name] = section_schema(space, schema["$defs"]["section"])
    _bound(schema)
    return schema


def _bound(rules: Any) -> None:
    """Give every number of things that has no largest value one that a plan of the jobs can be made for."""
    if isinstance(rules, dict):
        if "integer" in (rules["type"] if isinstance(rules.get("type"), list) else [rules.get("type")]):
            rules.setdefault("maximum", MOST)
        rules = list(rules.values())
    if isinstance(rules, list):
        for inner in rules:
            _bound(inner)


def section_schema(space: type[Space], common: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a search space's section.

    Args:
        space: the search space.
        common: what the sections of all spaces have.
    """
    family = FAMILIES[space.family]
    own = {
        "skeleton": {
            "description": f"Of the networks: {', '.join(field.name for field in dataclasses.fields(space))}.",
            "type": "object",
            "additionalProperties": False,
            "default": {},
            "properties": {
                field.name: {"type": "integer", "minimum": 1, "default": field.default}
                for field in dataclasses.fields(space)
            },
        },
        "weights": {"$ref": "#/$defs/weights_to_use", "default": list(space.weights)},
        "networks": {
            "description": "Networks in the table of architectures; the number of scoring jobs follows from it.",
            "type": "integer",
            "minimum": 1,
            "maximum": max(space.size, MOST),
            "default": space.size,
        },
    }
    section = {
        "description": f"{space.title}: {space.summary}.",
        "type": "object",
        "additionalProperties": False,
        "required": list(family.required),
        "properties": {**common["properties"], **own, **family.section},
    }
    for page in PAGES:
        if page.admits(space):
            for key, option in page.options.items():
                _insert(section, key.split("."), dict(option))
    return section


def _insert(schema: dict[str, Any], keys: list[str], option: dict[str, Any]) -> None:
    """Add an option below an object's keys, which are made where they are missing."""
    properties = schema["properties"]
    first, *rest = keys
    if not rest:
        properties[first] = option
        return
    if first not in properties:
        properties[first] = {"type": "object", "additionalProperties": False, "default": {}, "properties": {}}
    _insert(properties[first], rest, option)


if __name__ == "__main__":
    yaml.safe_dump(study_schema(), sys.stdout, sort_keys=False, width=120)
