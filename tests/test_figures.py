import numpy as np
import pandas as pd
import pytest

from epsinas.figures import save, scatter


@pytest.fixture
def panels():
    rng = np.random.default_rng(0)
    return {
        name: pd.DataFrame(
            {
                "performance": rng.uniform(10, 90, 50),
                "score": rng.uniform(0, 1, 50),
                "parameters": rng.integers(1e4, 1e6, 50),
            }
        )
        for name in ("cifar10", "mine")
    }


def test_scatter_has_a_panel_for_each_dataset(panels):
    figure = scatter(panels)
    *axes, bar = figure.axes
    assert [axis.get_title() for axis in axes] == ["CIFAR-10 (50 networks)", "mine (50 networks)"]
    assert bar.get_ylabel() == "log$_{10}$ parameters"
    drawn = axes[0].collections[0].get_offsets()
    expected = panels["cifar10"].sort_values("parameters")[["performance", "score"]]
    np.testing.assert_allclose(drawn, expected)


def test_one_scale_of_colours_for_all_panels(panels):
    clims = {axis.collections[0].get_clim() for axis in scatter(panels).axes[:2]}
    assert len(clims) == 1


def test_files_are_in_the_format_of_their_suffix_and_repeatable(panels, tmp_path):
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    save(scatter(panels), [first, tmp_path / "a.pdf"])
    save(scatter(panels), [second])
    assert first.read_text() == second.read_text()
    assert first.read_text().lstrip().startswith("<?xml")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
