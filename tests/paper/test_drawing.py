import numpy as np
import pandas as pd
import pytest

from epsinas.paper.drawing import batch_sizes, distributions, save, scatter, search_curves, weight_pairs


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
        for name in ("CIFAR-10", "mine")
    }


LABELS = {"CIFAR-10": "test accuracy (%)", "mine": "test loss (nats)"}


def test_scatter_has_a_panel_for_each_dataset(panels):
    figure = scatter([panels], LABELS)
    *axes, bar = figure.axes
    assert [axis.get_title() for axis in axes] == ["CIFAR-10\n50 networks", "mine\n50 networks"]
    assert [axis.get_xlabel() for axis in axes] == list(LABELS.values())
    assert bar.get_ylabel() == "log$_{10}$ parameters"
    drawn = axes[0].collections[0].get_offsets()
    expected = panels["CIFAR-10"].sort_values("parameters")[["performance", "score"]]
    np.testing.assert_allclose(drawn, expected)


def test_one_scale_of_colours_for_each_group(panels):
    clims = {axis.collections[0].get_clim() for axis in scatter([panels], LABELS).axes[:2]}
    assert len(clims) == 1
    apart = scatter([{title: panel} for title, panel in panels.items()], LABELS)
    assert len({axis.collections[0].get_clim() for axis in apart.axes[:2]}) == 2
    assert len(apart.axes) == 4  # two panels, two scales


def test_files_are_in_the_format_of_their_suffix_and_repeatable(panels, tmp_path):
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    save(scatter([panels], LABELS), [first, tmp_path / "a.pdf"])
    save(scatter([panels], LABELS), [second])
    assert first.read_text() == second.read_text()
    assert first.read_text().lstrip().startswith("<?xml")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_distributions(tmp_path):
    rng = np.random.default_rng(0)
    scores = pd.Series([np.nan] * 10 + [0.0] + list(10 ** rng.uniform(-3, 1, 89)))
    figure = distributions({"one": scores, "two": scores, "none": scores * np.nan, "four": scores})
    assert [axis.get_title() for axis in figure.axes[:2]] == ["one\n90 of 100 networks", "two\n90 of 100 networks"]
    # Scores of 0 have no place on the axis; the outermost ones do.
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 89
    assert [axis.get_visible() for axis in figure.axes] == [True] * 4 + [False] * 2
    assert written(figure, tmp_path)


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def written(figure, folder):
    paths = [folder / "figure.svg", folder / "figure.pdf"]
    save(figure, paths)
    return all(path.stat().st_size > 1000 for path in paths)


def test_search_curves(tmp_path):
    searches = [
        "evolution",
        "evolution_warm_up",
        "evolution_move",
        "evolution_warm_up_move",
        "random",
        "random_warm_up",
    ]
    steps = np.arange(1, 21)
    curves = pd.concat(
        pd.DataFrame({"dataset": dataset, "search": search, "trained": steps, "median": 80 + steps / 10})
        for dataset in ("cifar10", "mine")
        for search in searches
    )
    figure = search_curves(curves.assign(lower=curves["median"] - 1, upper=curves["median"] + 1))
    assert [len(axis.lines) for axis in figure.axes] == [4, 4, 2, 2]
    assert [axis.get_title() for axis in figure.axes] == ["CIFAR-10", "mine", "", ""]
    assert legend_of(figure) == ["plain", "warm-up", "move", "warm-up + move"]
    assert written(figure, tmp_path)


def test_batch_sizes(tmp_path):
    rng = np.random.default_rng(0)
    columns = ["spearman_global", "spearman_top10", "kendall_global", "kendall_top10"]
    draws = pd.DataFrame(
        [
            {"dataset": dataset, "batch_size": size, "draw": draw}
            | dict(zip(columns, rng.uniform(size=4), strict=True))
            for dataset in ("cifar10", "cifar100", "mine")
            for size in (8, 16, 32)
            for draw in range(5)
        ]
    )
    figure = batch_sizes(draws)
    assert len(figure.axes) == 6
    assert legend_of(figure) == ["all networks", "10 % best networks"]
    line = figure.axes[0].lines[0]
    assert line.get_xdata().tolist() == [8, 16, 32]
    own = draws.query("dataset == 'cifar10' and batch_size == 16")["spearman_global"]
    assert line.get_ydata()[1] == own.median()
    assert written(figure, tmp_path)


def test_weight_pairs(tmp_path):
    table = pd.DataFrame(
        {
            "dataset": "cifar10",
            "weight_low": [1e-3, 1e-3, 0.1],
            "weight_high": [0.1, 100.0, 100.0],
            "spearman_global": [0.5, np.nan, -0.25],
            "archs": [7, 0, 9],
            "networks": 10,
        }
    )
    figure = weight_pairs(table)
    axis = figure.axes[0]
    assert axis.get_title() == "CIFAR-10\n0 to 9 of 10 networks have a score"
    assert [text.get_text() for text in axis.texts] == [".50", "-.25"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["$10^{-3}$", "$10^{-1}$"]
    assert written(figure, tmp_path)
