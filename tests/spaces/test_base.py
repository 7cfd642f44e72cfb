import dataclasses
from typing import Any

import numpy as np
import pytest

from epsinas.errors import InputError
from epsinas.spaces import SPACES, ImageSpace, NasBench101, NasBench201, NasBenchNLP, SequenceSpace, Space, space

# That these are what the engines take is for the type checker to say: pyproject.toml has it read this file.
IMAGES: list[ImageSpace] = [NasBench101(channels=4, cells=1), NasBench201(channels=4, cells=1)]
SEQUENCES: list[SequenceSpace] = [NasBenchNLP(hidden_size=4, embedding=3)]
CLASSES: list[type[Space]] = [NasBench101, NasBench201, NasBenchNLP]

with_each_space = pytest.mark.parametrize("member", [*IMAGES, *SEQUENCES], ids=lambda member: member.name)


@with_each_space
def test_a_space_is_found_by_its_name_with_its_skeleton(member: Space) -> None:
    assert type(member) in CLASSES
    assert SPACES[member.name] is type(member)
    assert space(member.name) == type(member)()
    assert space(member.name, **dataclasses.asdict(member)) == member


@with_each_space
def test_a_space_is_a_value(member: Space) -> None:
    copy = dataclasses.replace(member)
    assert copy is not member
    assert {copy: 1}[member] == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        member.name = "another"  # type: ignore[misc]


@with_each_space
@pytest.mark.parametrize("found", [-1, 2.5, 4.0, True, "8", None, float("nan")])
def test_impossible_skeletons_are_refused(member: Space, found: Any) -> None:
    for field in dataclasses.fields(member):
        with pytest.raises(InputError) as raised:
            space(member.name, **{field.name: found})
        assert str(raised.value).startswith(f"{field.name}: found {found!r}, expected a whole number, ")


def test_the_smallest_skeletons() -> None:
    NasBench201(channels=np.int64(1), cells=0, classes=1)  # type: ignore[arg-type]
    for name, field in (("nas-bench-201", "channels"), ("nas-bench-101", "classes"), ("nas-bench-nlp", "embedding")):
        with pytest.raises(InputError, match=f"^{field}: found 0, expected a whole number, 1 or more$"):
            space(name, **{field: 0})


def test_an_unknown_part_of_a_skeleton_is_refused() -> None:
    with pytest.raises(InputError, match=r"^width: unknown part of a skeleton, expected one of channels, "):
        space("nas-bench-201", width=3)


@with_each_space
def test_samples_and_their_neighbours_are_architectures(member: NasBench101 | NasBench201 | NasBenchNLP) -> None:
    sample = member.sample(3, np.random.default_rng(0))
    assert len(set(sample)) == 3
    for architecture in sample:
        neighbours = member.neighbours(architecture)
        assert len(set(neighbours)) > 5
        for text in (architecture, *neighbours):
            member.parse(text)
        assert architecture not in neighbours


@pytest.mark.parametrize(("family", "members"), [("images", IMAGES), ("sequences", SEQUENCES)])
def test_members_name_their_family(family: str, members: list[Space]) -> None:
    assert {member.family for member in members} == {family}
