from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from epsinas.paper.drawing import (
    draw_batch_sizes,
    draw_distributions,
    draw_scatter,
    draw_search_curves,
    draw_weight_pairs,
    save,
)


@pytest.fixture(autouse=True)
def settings():
    """Drawing leaves the settings of everyone else alone."""
    before = dict(matplotlib.rcParams)
    yield
    # The first drawing of all decides for a backend.
    assert dict(matplotlib.rcParams) | {"backend": None} == before | {"backend": None}


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
    figure = draw_scatter({"epsilon": [panels]}, LABELS)
    *axes, bar = figure.axes
    assert [axis.get_title() for axis in axes] == ["CIFAR-10\n50 networks", "mine\n50 networks"]
    assert [axis.get_xlabel() for axis in axes] == list(LABELS.values())
    assert bar.get_ylabel() == "log$_{10}$ parameters"
    drawn = axes[0].collections[0].get_offsets()
    expected = panels["CIFAR-10"].sort_values("parameters")[["performance", "score"]]
    np.testing.assert_allclose(drawn, expected)


def test_one_scale_of_colours_for_each_group(panels):
    clims = {axis.collections[0].get_clim() for axis in draw_scatter({"epsilon": [panels]}, LABELS).axes[:2]}
    assert len(clims) == 1
    apart = draw_scatter({"epsilon": [{title: panel} for title, panel in panels.items()]}, LABELS)
    assert len({axis.collections[0].get_clim() for axis in apart.axes[:2]}) == 2
    assert len(apart.axes) == 4  # two panels, two scales


def test_files_are_in_the_format_of_their_suffix_and_repeatable(panels, tmp_path):
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    save(draw_scatter({"epsilon": [panels]}, LABELS), [first, tmp_path / "a.pdf"])
    save(draw_scatter({"epsilon": [panels]}, LABELS), [second])
    assert first.read_text() == second.read_text()
    assert first.read_text().lstrip().startswith("<?xml")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_row_of_panels_for_each_metric(panels):
    one, *_ = panels
    figure = draw_scatter({"epsilon": [panels], "mine": [{one: panels[one]}]}, LABELS)
    shown = [axis for axis in figure.axes if axis.get_visible() and axis.get_title()]
    assert len(shown) == len(panels) + 1
    assert [axis.get_ylabel() for axis in shown if axis.get_ylabel()] == ["epsilon", "mine"]
    assert len({axis.collections[0].get_clim() for axis in shown}) == 1


def test_negative_scores_have_a_linear_axis():
    scores = pd.Series(np.linspace(-3, 5, 100), name="mine")
    (axis,) = draw_distributions([("one", scores)]).axes
    assert axis.get_xscale() == "linear"
    assert axis.get_xlabel() == "mine"
    assert sum(bar.get_height() for bar in axis.patches) == 100


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def edges(band):
    """Return where a band begins and ends, by its place on the horizontal axis."""
    points = pd.DataFrame(band.get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    return {x: (y.min(), y.max()) for x, y in points}


def numbers(axis):
    """Return the labels of the ticks within the limits of an axis."""
    low, high = sorted(axis.get_view_interval())
    ticks = axis.get_major_ticks() + axis.get_minor_ticks()
    return [tick.label1 for tick in ticks if low <= tick.get_loc() <= high and tick.label1.get_text()]


def overlaps(figure):
    """Return the titles and the unrotated numbers that lie on one another or leave the page."""
    FigureCanvasAgg(figure).draw()
    texts = [
        text
        for axis in figure.axes
        for text in [axis.title, *axis.texts, *numbers(axis.xaxis), *numbers(axis.yaxis)]
        if text.get_visible() and text.get_text() and not text.get_rotation()
    ]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    beyond = [name for name, box in boxes if box.x0 < 0 or box.x1 > figure.bbox.x1]
    return beyond + [(one, two) for (one, a), (two, b) in combinations(boxes, 2) if a.overlaps(b)]


def written(draw, data, folder):
    """Draw and write a figure twice, compare the bytes and ask whether there is something in them."""
    for name in ("one", "two"):
        figure = draw(data)
        save(figure, [folder / f"{name}.svg", folder / f"{name}.pdf"])
    assert 3.4 <= figure.get_figwidth() <= 7
    same = [(folder / f"one.{kind}").read_bytes() == (folder / f"two.{kind}").read_bytes() for kind in ("svg", "pdf")]
    return all(same) and all(path.stat().st_size > 1000 for path in folder.iterdir())


def test_distributions(tmp_path):
    rng = np.random.default_rng(0)
    scores = pd.Series([np.nan] * 10 + [0.0] + list(10 ** rng.uniform(-3, 1, 89)))
    scores = scores.rename("epsilon")
    panels = [("one", scores), ("two", scores), ("none", scores * np.nan), ("four", scores)]
    figure = draw_distributions(panels)
    found = {"one": 90, "two": 90, "none": 0, "four": 90}
    assert [axis.get_title() for axis in figure.axes] == [f"{name}\n{n} of 100 networks" for name, n in found.items()]
    assert {axis.get_xlabel() for axis in figure.axes} == {"epsilon"}
    assert figure.get_supylabel() == "networks"
    assert [figure.axes[place].get_xscale() for place in (0, 1, 3)] == ["log"] * 3
    bars = figure.axes[0].patches
    assert len(bars) == 40
    # Scores of 0 have no place on the axis; the outermost ones do, in the outermost bins.
    assert sum(bar.get_height() for bar in bars) == 89
    low, high = scores[scores > 0].quantile([0.005, 0.995])
    ends = [bars[0].get_x(), *(bar.get_x() + bar.get_width() for bar in bars)]
    np.testing.assert_allclose(ends, np.geomspace(low, high, 41))
    assert written(draw_distributions, panels, tmp_path)


@pytest.mark.parametrize("decades", [0.0, 0.1, 0.9, 1.1, 7.0])
def test_axes_of_distributions_have_numbers_that_do_not_overlap(decades):
    scores = pd.Series(0.013 * np.logspace(0, decades, 500))
    figure = draw_distributions([(f"NAS-Bench-201, ImageNet16-{number}", scores) for number in (120, 121, 122)])
    assert overlaps(figure) == []
    assert all(numbers(axis.xaxis) for axis in figure.axes)


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
        pd.DataFrame({"dataset": dataset, "search": search, "trained": steps, "median": top + steps / 10})
        for dataset, top in (("cifar10", 80), ("mine", 40))
        for search in searches
    )
    curves = curves.assign(lower=curves["median"] - 1, upper=curves["median"] + 1)
    figure = draw_search_curves(curves)
    assert [len(axis.lines) for axis in figure.axes] == [4, 4, 2, 2]
    assert [axis.get_title() for axis in figure.axes] == ["CIFAR-10", "mine", "", ""]
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "", "trained networks", "trained networks"]
    names = ["ageing evolution:\nbest test accuracy (%)", "", "random search:\nbest test accuracy (%)", ""]
    assert [axis.get_ylabel() for axis in figure.axes] == names
    assert legend_of(figure) == ["plain", "warm-up", "move", "warm-up + move"]
    # Both searches have one scale, every dataset has its own, with numbers.
    limits = [axis.get_ylim() for axis in figure.axes]
    assert limits[:2] == limits[2:]
    assert limits[0] != limits[1]
    assert all(label.get_visible() for axis in figure.axes for label in axis.get_yticklabels())
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), np.stack([steps, 80 + steps / 10], axis=1))
    assert edges(figure.axes[0].collections[0])[5] == (79.5, 81.5)
    assert written(draw_search_curves, curves, tmp_path)


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
    figure = draw_batch_sizes(draws)
    assert [axis.get_title() for axis in figure.axes] == ["CIFAR-10", "CIFAR-100", "mine", "", "", ""]
    assert [axis.get_xlabel() for axis in figure.axes] == [""] * 3 + ["batch size"] * 3
    assert [axis.get_ylabel() for axis in figure.axes] == [r"Spearman's $\rho$", "", "", r"Kendall's $\tau$", "", ""]
    assert {axis.get_xscale() for axis in figure.axes} == {"log"}
    assert [label.get_text() for label in figure.axes[3].get_xticklabels()] == ["8", "16", "32"]
    assert legend_of(figure) == ["all networks", "10 % best networks"]
    assert not any(axis.get_legend() for axis in figure.axes)
    own = draws.query("dataset == 'cifar10' and batch_size == 16")
    drawn = zip(figure.axes[0:6:3], [columns[:2], columns[2:]], strict=True)
    for line, band, column in ((axis.lines[n], axis.collections[n], names[n]) for axis, names in drawn for n in (0, 1)):
        assert line.get_xdata().tolist() == [8, 16, 32]
        assert line.get_ydata()[1] == own[column].median()
        assert edges(band)[16] == pytest.approx(tuple(own[column].quantile([0.25, 0.75])))
    assert written(draw_batch_sizes, draws, tmp_path)


def test_one_draw_has_no_band_and_no_correlation_no_line(tmp_path):
    columns = {"spearman_global": 0.5, "spearman_top10": np.nan, "kendall_global": 0.4, "kendall_top10": np.nan}
    draws = pd.DataFrame({"dataset": "cifar10", "batch_size": [8, 16], "draw": 0} | columns)
    figure = draw_batch_sizes(draws)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.5, 0.5]
    assert written(draw_batch_sizes, draws, tmp_path)


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
    figure = draw_weight_pairs(table)
    axis, bar = figure.axes
    assert axis.get_title() == "CIFAR-10\n0 to 9 of 10\nnetworks have a score"
    assert [axis.get_xlabel(), axis.get_ylabel()] == ["low weight", "high weight"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["$10^{-3}$", "$10^{-1}$"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["$10^{2}$", "$10^{-1}$"]
    assert bar.get_ylabel() == r"Spearman's $\rho$, all networks"
    # The higher weight is above; a pair without a correlation is blank.
    squares = axis.collections[0]
    assert squares.get_array().tolist() == [[None, -0.25], [0.5, None]]
    assert squares.get_clim() == (-1, 1)
    assert axis.get_ylim() == (2, 0)
    assert {text.get_text(): text.get_position() for text in axis.texts} == {"-.25": (1.5, 0.5), ".50": (0.5, 1.5)}
    assert written(draw_weight_pairs, table, tmp_path)


@pytest.mark.parametrize(("datasets", "weights"), [(3, 8), (1, 10), (1, 2), (2, 5)])
def test_heat_maps_have_text_that_does_not_overlap(datasets, weights):
    pairs = pd.DataFrame(combinations(np.logspace(-7, weights - 8, weights), 2), columns=["weight_low", "weight_high"])
    columns = {"spearman_global": -0.88, "archs": np.arange(len(pairs)) + 14_000, "networks": 15_625}
    table = pd.concat([pairs.assign(dataset=f"ImageNet16-{number}", **columns) for number in range(datasets)])
    figure = draw_weight_pairs(table)
    assert overlaps(figure) == []
    assert 3.4 <= figure.get_figwidth() <= 7
    *axes, _ = figure.axes
    assert [axis.get_ylabel() for axis in axes] == ["high weight"] + [""] * (datasets - 1)
    assert [len(axis.texts) for axis in axes] == [len(pairs)] * datasets
