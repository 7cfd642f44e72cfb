"""The code of the documents runs, and prints what they say."""

import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

from epsinas.cli import main
from epsinas.models import lumped
from epsinas.models.lumped import RULES, Classes, LumpedTensor, full
from tests.conftest import PROJECT

TUTORIALS = sorted(str(path.relative_to(PROJECT)) for path in (PROJECT / "docs" / "tutorials").glob("*.md"))
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


class Block(NamedTuple):
    """A block of code in a document: its language, the file that it is the content of, and the mark above it."""

    language: str
    title: str
    code: str
    mark: str


def blocks(document: str) -> list[Block]:
    text = (PROJECT / document).read_text(encoding="utf-8")
    found = re.finditer(
        r'(?:^<!-- (not \w+) -->\n)?^```(\w*)(?: title="(.*?)")?\n(.*?)^```$', text, re.MULTILINE | re.DOTALL
    )
    return [Block(*(part or "" for part in match.group(2, 3, 4, 1))) for match in found]


def python_of(document: str) -> list[str]:
    return [block.code for block in blocks(document) if block.language == "python"]


def agree(found: str, said: str) -> bool:
    """Whether two texts are the same but for 2 % of their numbers: other machines add in another order.

    Three dots in a line of their own, and empty lines after it, stand for any lines.
    """
    lines, pairs, left_out = iter(found.rstrip().splitlines()), [], False
    for line in said.rstrip().splitlines():
        if line.strip() == "..." or (left_out and not line):
            left_out = True
            continue
        one = next((one for one in lines if alike(one, line) or not left_out), None)
        if one is None or not alike(one, line):
            return False
        pairs += zip(NUMBER.findall(one), NUMBER.findall(line), strict=True)
        left_out = False
    if not left_out and any(lines):
        return False
    return all(float(one) == pytest.approx(float(other), rel=0.02, abs=1e-6) for one, other in pairs)


def alike(found: str, said: str) -> bool:
    return NUMBER.sub("#", found) == NUMBER.sub("#", said)


def commands(console: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console and what it is said to print."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def printed_by(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints, standard error first; epsinas runs in this process, anything else in a shell."""
    program, *arguments = shlex.split(command)
    if program == "epsinas":
        assert main(arguments) == 0
        captured = capsys.readouterr()
        return captured.err + captured.out
    # This Python's `python`, also where its environment is not activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(autouse=True)
def _pipe_signal():
    """The command line changes what a closed pipe does to the process."""
    before = signal.getsignal(signal.SIGPIPE)
    yield
    signal.signal(signal.SIGPIPE, before)


class Shortcut(nn.Linear):
    def forward(self, x):
        return x + super().forward(x).sigmoid()


def models() -> list[nn.Module]:
    return [nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 8), Shortcut(8, 8), nn.Linear(8, 1)) for _ in range(2)]


@pytest.mark.parametrize("document", ["README.md", "docs/install.md", "docs/lumping.md", *TUTORIALS])
def test_what_a_document_shows_is_what_comes_out(document, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, object] = {}
    printed = None
    for block in blocks(document):
        if block.title:
            Path(block.title).write_text(block.code)
        elif block.language == "text" and printed is not None:
            assert agree(printed, block.code), printed
        printed = None
        if block.mark == "not run" or block.title:
            continue
        if block.language == "python":
            exec(block.code, names)
            printed = capsys.readouterr().out
        elif block.language == "console":
            for command, said in commands(block.code):
                found = printed_by(command, capsys)
                assert block.mark == "not compared" or agree(found, said), f"$ {command}\n{found}"
    for module in ("my_models", "my_metric"):
        sys.modules.pop(module, None)


def test_numbers_agree_within_two_percent_and_texts_to_the_letter():
    assert agree("a 0.1000001 of 15", "a 0.1 of 15\n")
    assert not agree("a 0.11", "a 0.10")
    assert not agree("a 0.1", "b 0.1")
    assert not agree("a 0.1\nb", "a 0.1")
    assert not agree("a 0.1", "a 0.1\nb")


def test_three_dots_stand_for_any_lines():
    assert agree("a 1\nb 2\nc 3\nd 4", "a 1\n  ...\nd 4\n...")
    assert agree("a 1\n\nb 2\n\nc 3", "a 1\n...\n\nc 3")
    assert agree("a 1", "a 1\n...")
    assert not agree("a 1\nb 2\nc 3\nd 4", "a 1\n...\nd 5")
    assert not agree("a 1\nb 2\nc 3", "a 1\n...\nb 2")


@pytest.mark.filterwarnings("ignore:score:UserWarning")  # of models made up here
def test_the_page_on_models_runs():
    rules = dict(RULES)
    names: dict[str, object] = {"models": models(), "model": models()[0]}
    try:
        for block in python_of("docs/models.md"):
            exec(block, names)
        x = LumpedTensor(torch.tensor([[2.0, 3.0]]), [Classes(3), Classes(5, torch.tensor([0, 1, 1, 0, 0]), 2)])
        assert full(x.prod(1)).tolist() == [72.0] * 3
        assert isinstance(x.prod(1), LumpedTensor)
        assert names["product"] is RULES[torch.ops.aten.prod.dim_int]
    finally:
        RULES.clear()
        RULES.update(rules)
        lumped._rule_of.cache_clear()


def test_the_page_on_metrics_runs():
    for block in python_of("docs/metrics.md"):
        exec(block, {})


def test_the_tables_of_the_documents_are_those_of_the_committed_results():
    tables = runpy.run_path(str(PROJECT / "docs" / "fill_tables.py"))
    for document in tables["DOCUMENTS"]:
        text = (PROJECT / document).read_text(encoding="utf-8")
        assert "<!-- table: " in text
        assert tables["filled"](text) == text, f"{document}: run docs/fill_tables.py"


def test_the_study_that_the_tutorial_shows_is_the_one_that_travels():
    (shown,) = (block.code for block in blocks("docs/tutorials/images.md") if block.language == "yaml")
    study = (PROJECT / "workflow" / "studies" / "own-images.yaml").read_text()
    assert study.endswith(shown)


def test_every_room_of_the_package_has_its_reference():
    pages = "".join(path.read_text() for path in (PROJECT / "docs" / "reference").rglob("*.md"))
    described = set(re.findall(r"^::: epsinas\.(\w+)", pages, re.MULTILINE))
    rooms = {path.stem for path in (PROJECT / "src" / "epsinas").iterdir() if not path.name.startswith("_")}
    assert rooms - described == {"cli", "stages", "data", "py"}
