from pathlib import Path

import pytest

from tests.workflow.running import copy_workflow


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the workflow."""
    return copy_workflow(tmp_path / "checkout")
