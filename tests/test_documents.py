"""The code of the documents runs, and prints what they say."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from epsinas.models import lumped
from epsinas.models.lumped import RULES, Classes, LumpedTensor, full

ROOT = Path(__file__).parents[1]


def blocks(document: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


class Shortcut(nn.Linear):
    def forward(self, x):
        return x + super().forward(x).sigmoid()


def models() -> list[nn.Module]:
    return [nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 8), Shortcut(8, 8), nn.Linear(8, 1)) for _ in range(2)]


def test_the_readme_prints_what_it_says(capsys):
    names: dict[str, object] = {}
    for block in blocks("README.md"):
        exec(block, names)
    first = capsys.readouterr().out.splitlines()
    said = re.search(r"# (\d\.\d{4})$", blocks("README.md")[0], re.MULTILINE)
    assert said is not None
    assert first[0] == said.group(1)
    assert first[1].startswith("score 0.044")


@pytest.mark.filterwarnings("ignore:score:UserWarning")  # of models made up here
def test_the_page_on_models_runs():
    rules = dict(RULES)
    names: dict[str, object] = {"models": models(), "model": models()[0]}
    try:
        for block in blocks("docs/models.md"):
            exec(block, names)
        x = LumpedTensor(torch.tensor([[2.0, 3.0]]), [Classes(3), Classes(5, torch.tensor([0, 1, 1, 0, 0]), 2)])
        assert full(x.prod(1)).tolist() == [72.0] * 3
        assert isinstance(x.prod(1), LumpedTensor)
        assert names["product"] is RULES[torch.ops.aten.prod.dim_int]
    finally:
        RULES.clear()
        RULES.update(rules)
        lumped._rule_of.cache_clear()
