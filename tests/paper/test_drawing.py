from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from epsinas.errors import InputError
from epsinas.metrics.base import METRICS
from epsinas.paper.drawing import (
    ONE_COLUMN,
    TWO_COLUMNS,
    draw_batch_sizes,
    draw_curves,
    draw_distributions,
    draw_explanations,
    draw_forest,
    draw_percentiles,
    draw_scatter,
    draw_search_curves,
    draw_warm_ups,
    draw_weight_pairs,
    save,
)
from epsinas.paper.style import BLUE, metric_style


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


LABELS = {"CIFAR-10": "test accuracy (%)", "mine": "test loss (nats a word)"}


def test_scatter_has_a_panel_for_each_dataset(panels):
    figure = draw_scatter({"epsilon": [panels]}, LABELS)
    *axes, bar = figure.axes
    assert [axis.get_title() for axis in axes] == ["CIFAR-10\n50 networks", "mine\n50 networks"]
    assert [axis.get_xlabel() for axis in axes] == list(LABELS.values())
    assert bar.get_ylabel() == "log$_{10}$ parameters"
    assert figure.get_figwidth() == TWO_COLUMNS
    assert draw_scatter({"epsilon": [{"mine": panels["mine"]}]}, LABELS).get_figwidth() == ONE_COLUMN


def image_of(axis):
    """Return the image of a panel's dots, and the rows and columns of pixels at some places of the axis."""
    (image,) = axis.images
    pixels = image.get_array()
    left, right, bottom, top = image.get_extent()

    def at(x, y):
        high, wide = np.subtract(pixels.shape, 1)
        return round((y - bottom) / (top - bottom) * high), round((x - left) / (right - left) * wide)

    return pixels, at


def test_every_network_has_a_dot_in_its_place_with_the_colour_of_its_parameters(panels):
    panel = panels["CIFAR-10"].iloc[:20]
    axis, _ = draw_scatter({"epsilon": [{"CIFAR-10": panel}]}, LABELS).axes
    pixels, at = image_of(axis)
    box = axis.get_window_extent()
    # As many pixels as the axis has at 300 for an inch.
    assert pixels.shape == (round(box.height), round(box.width))
    assert axis.figure.dpi == 300
    for network in panel.itertuples():
        assert pixels[at(network.performance, network.score)] >= np.log10(network.parameters)
    # A dot has 2.8 points across, 11.7 pixels, which is 107 in all, and few of these 20 overlap.
    assert 0.8 < pixels.count() / (20 * np.pi * (2.8 / 72 * 300 / 2) ** 2) < 1.1


def test_the_largest_network_lies_on_top():
    same = pd.DataFrame({"performance": [1.0, 1.0, 2.0], "score": [1.0, 1.0, 2.0], "parameters": [1e6, 1e4, 1e5]})
    pixels, at = image_of(draw_scatter({"epsilon": [{"CIFAR-10": same}]}, LABELS).axes[0])
    assert [pixels[at(1, 1)], pixels[at(2, 2)]] == pytest.approx([6, 5])
    assert sorted(set(pixels.compressed())) == pytest.approx([5, 6])


def test_one_scale_of_colours_for_each_group(panels):
    clims = {axis.images[0].get_clim() for axis in draw_scatter({"epsilon": [panels]}, LABELS).axes[:2]}
    assert len(clims) == 1
    apart = draw_scatter({"epsilon": [{title: panel} for title, panel in panels.items()]}, LABELS)
    assert len({axis.images[0].get_clim() for axis in apart.axes[:2]}) == 2
    assert len(apart.axes) == 4  # two panels, two scales


def test_files_are_in_the_format_of_their_suffix_and_repeatable(panels, tmp_path):
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    save(draw_scatter({"epsilon": [panels]}, LABELS), [first, tmp_path / "a.pdf"])
    save(draw_scatter({"epsilon": [panels]}, LABELS), [second])
    assert first.read_text() == second.read_text()
    assert first.read_text().lstrip().startswith("<?xml")
    # Letters are outlines, on white, whatever fonts and page a reader has.
    assert "<text" not in first.read_text()
    assert 'style="fill: #ffffff"' in first.read_text()
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_row_of_panels_for_each_metric(panels):
    one, *_ = panels
    figure = draw_scatter({"epsilon": [panels], "mine": [{one: panels[one]}]}, LABELS)
    shown = [axis for axis in figure.axes if axis.get_visible() and axis.get_title()]
    assert len(shown) == len(panels) + 1
    assert [axis.get_ylabel() for axis in shown if axis.get_ylabel()] == ["epsilon", "mine"]
    assert len({axis.images[0].get_clim() for axis in shown}) == 1


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
    figure.draw_without_rendering()
    texts = [
        text
        for axis in figure.axes
        for text in [axis.title, *axis.texts, *numbers(axis.xaxis), *numbers(axis.yaxis)]
        if text.get_visible() and text.get_text() and not text.get_rotation()
    ]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    beyond = [name for name, box in boxes if box.x0 < 0 or box.x1 > figure.bbox.x1]
    return beyond + [(one, two) for (one, a), (two, b) in combinations(boxes, 2) if a.overlaps(b)]


def texts_of(figure):
    """Return every text that is printed; numbers beyond the limits of their axis are not."""
    figure.draw_without_rendering()
    ticks = {text for axis in figure.axes for one in (axis.xaxis, axis.yaxis) for text in one.findobj(Text)}
    ticks -= {label for axis in figure.axes for label in (axis.xaxis.label, axis.yaxis.label)}
    shown = {text for axis in figure.axes for one in (axis.xaxis, axis.yaxis) for text in numbers(one)}
    texts = set(figure.findobj(Text)) - (ticks - shown)
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def outside(figure):
    """Return the texts that leave the page."""
    page = figure.bbox.expanded(1.001, 1.001)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts_of(figure)]
    return [name for name, box in boxes if not (page.contains(*box.min) and page.contains(*box.max))]


def small(figure):
    """Return the texts that are printed smaller than 7 points."""
    return [text.get_text() for text in texts_of(figure) if text.get_fontsize() < 7]


def written(draw, data, folder):
    """Draw and write a figure twice, compare the bytes and ask whether there is something in them."""
    for name in ("one", "two"):
        figure = draw(data)
        save(figure, [folder / f"{name}.svg", folder / f"{name}.pdf"])
    assert figure.get_figwidth() in (ONE_COLUMN, TWO_COLUMNS)
    assert outside(figure) + small(figure) == []
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
    assert {to_hex(bar.get_facecolor()) for axis in figure.axes for bar in axis.patches} == {BLUE.lower()}
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
    figure = draw_search_curves(curves, "epsilon")
    assert [len(axis.lines) for axis in figure.axes] == [4, 4, 2, 2]
    assert [axis.get_title() for axis in figure.axes] == ["CIFAR-10", "mine", "", ""]
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "", "trained networks", "trained networks"]
    names = ["ageing evolution:\nbest test accuracy (%)", "", "random search:\nbest test accuracy (%)", ""]
    assert [axis.get_ylabel() for axis in figure.axes] == names
    names = ["without epsilon", "moves", "warm-up", "warm-up and moves", "quartiles of the rounds"]
    assert legend_of(figure) == names
    # The metric's colour is for searches that warm up by it, and half way to white for those that move, too.
    assert [to_hex(line.get_color()) for line in figure.axes[0].lines] == [
        "#000000",
        "#808080",
        BLUE.lower(),
        "#80b8d8",
    ]
    # Both searches have one scale, every dataset has its own, with numbers.
    limits = [axis.get_ylim() for axis in figure.axes]
    assert limits[:2] == limits[2:]
    assert limits[0] != limits[1]
    assert all(label.get_visible() for axis in figure.axes for label in axis.get_yticklabels())
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), np.stack([steps, 80 + steps / 10], axis=1))
    assert edges(figure.axes[0].collections[0])[5] == (79.5, 81.5)
    assert written(lambda data: draw_search_curves(data, "epsilon"), curves, tmp_path)


def test_batch_sizes(tmp_path):
    rng = np.random.default_rng(0)
    columns = ["spearman_global", "spearman_top10", "kendall_global", "kendall_top10"]
    draws = pd.DataFrame(
        [
            {"metric": "epsilon", "dataset": dataset, "batch_size": size, "draw": draw, "networks": 1000}
            | dict(zip(columns, rng.uniform(size=4), strict=True))
            for dataset in ("cifar10", "cifar100", "mine")
            for size in (8, 16, 32)
            for draw in range(5)
        ]
    )
    figure = draw_batch_sizes(draws)
    titles = [f"{name}\n1,000 networks" for name in ("CIFAR-10", "CIFAR-100", "mine")]
    assert [axis.get_title() for axis in figure.axes] == titles + [""] * 3
    assert [axis.get_xlabel() for axis in figure.axes] == [""] * 3 + ["images in a batch"] * 3
    assert [axis.get_ylabel() for axis in figure.axes] == [r"Spearman's $\rho$", "", "", r"Kendall's $\tau$", "", ""]
    assert {axis.get_xscale() for axis in figure.axes} == {"log"}
    assert [label.get_text() for label in figure.axes[3].get_xticklabels()] == ["8", "16", "32"]
    assert legend_of(figure) == ["all networks", "10 % best networks", "quartiles of the draws", "a draw"]
    assert not any(axis.get_legend() for axis in figure.axes)
    own = draws.query("dataset == 'cifar10' and batch_size == 16")
    drawn = zip(figure.axes[0:6:3], [columns[:2], columns[2:]], strict=True)
    for axis, name, n in ((axis, names[n], n) for axis, names in drawn for n in (0, 1)):
        dots, line, band, column = axis.lines[2 * n], axis.lines[2 * n + 1], axis.collections[n], name
        assert sorted(dots.get_ydata()[dots.get_xdata() == 16]) == sorted(own[column])
        assert line.get_xdata().tolist() == [8, 16, 32]
        assert line.get_ydata()[1] == own[column].median()
        assert edges(band)[16] == pytest.approx(tuple(own[column].quantile([0.25, 0.75])))
    assert written(draw_batch_sizes, draws, tmp_path)


def test_one_draw_has_no_band_and_no_correlation_no_line(tmp_path):
    columns = {"spearman_global": 0.5, "spearman_top10": np.nan, "kendall_global": 0.4, "kendall_top10": np.nan}
    facts = {"metric": "epsilon", "dataset": "cifar10", "batch_size": [8, 16], "draw": 0, "networks": 100}
    draws = pd.DataFrame(facts | columns)
    figure = draw_batch_sizes(draws)
    assert figure.axes[0].lines[1].get_ydata().tolist() == [0.5, 0.5]
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


@pytest.mark.parametrize(("datasets", "weights"), [(3, 8), (1, 10), (1, 2), (2, 5), (3, 10)])
def test_heat_maps_have_text_that_does_not_overlap(datasets, weights):
    pairs = pd.DataFrame(combinations(np.logspace(-7, weights - 8, weights), 2), columns=["weight_low", "weight_high"])
    columns = {"spearman_global": -0.88, "archs": np.arange(len(pairs)) + 14_000, "networks": 15_625}
    table = pd.concat([pairs.assign(dataset=f"ImageNet16-{number}", **columns) for number in range(datasets)])
    figure = draw_weight_pairs(table)
    assert overlaps(figure) == []
    assert outside(figure) + small(figure) == []
    *axes, _ = [axis for axis in figure.axes if axis.get_visible()]
    # 27 squares side by side are too small for their digits.
    rows = {(3, 10): 2}.get((datasets, weights), 1)
    assert sum(axis.get_ylabel() == "high weight" for axis in axes) == rows
    assert figure.get_figwidth() == (ONE_COLUMN if datasets == 1 else TWO_COLUMNS)
    assert [len(axis.texts) for axis in axes] == [len(pairs)] * datasets


def comparison(metrics=("epsilon", "flops", "mine@own"), datasets=("cifar10", "mine")):
    """Return coefficients of some metrics on some data sets, with intervals."""
    rows = [
        {"space": "nas-bench-201", "dataset": dataset, "metric": metric, "scored": 1000 * (place + 1)}
        | {"spearman": 0.9 - 0.1 * place, "spearman_low": 0.85 - 0.1 * place, "spearman_high": 0.92 - 0.1 * place}
        for dataset in datasets
        for place, metric in enumerate(metrics)
    ]
    return pd.DataFrame(rows)


def test_forest(tmp_path):
    table = comparison(["epsilon", "parameters", "mine@own"]).iloc[::-1]
    table["ceiling"] = table["dataset"].map({"cifar10": 0.96})
    figure = draw_forest(table)
    assert [axis.get_title() for axis in figure.axes] == ["mine", "CIFAR-10"]
    # The best one is above.
    axis = figure.axes[1]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["epsilon", "parameters", "mine (own)"]
    assert axis.get_ylim() == (2.6, -0.6)
    assert axis.get_xlabel() == r"Spearman's $\rho$"
    zero, parameters, ceiling, *rows = axis.lines
    assert [line.get_xdata()[0] for line in (zero, parameters, ceiling)] == [0, 0.8, 0.96]
    points, bars = rows[::2], rows[1::2]
    pairs = zip(points, bars, strict=True)
    drawn = {point.get_ydata()[0]: (point.get_xdata()[0], *bar.get_xdata()) for point, bar in pairs}
    expected = {0: (0.9, 0.85, 0.92), 1: (0.8, 0.75, 0.82), 2: (0.7, 0.65, 0.72)}
    assert {place: pytest.approx(values) for place, values in expected.items()} == drawn
    # The number of networks is at the right of its row; a metric from elsewhere has an open marker.
    texts = {text.get_text(): text.xy[1] for text in axis.texts}
    assert texts == {"networks": 1, "1,000": 0, "2,000": 1, "3,000": 2}
    assert [point.get_markerfacecolor() for point in points] == ["white", metric_style("parameters").colour, BLUE]
    # No other data set has a ceiling.
    assert len(figure.axes[0].lines) == len(axis.lines) - 1
    assert legend_of(figure) == ["95 % interval", "scores from elsewhere", "parameters", "noise ceiling"]
    own = table[table["metric"] != "mine@own"].drop(columns="ceiling")
    assert legend_of(draw_forest(own, baseline="flops")) == ["95 % interval"]
    assert written(draw_forest, table, tmp_path)


def test_forests_name_what_tells_rows_apart():
    table = comparison(["epsilon", "epsilon", "flops"], ["cifar10"])
    with pytest.raises(InputError, match="found several rows of epsilon on CIFAR-10, expected one, or others"):
        draw_forest(table)
    table = table.assign(precision=["single", "extended", "single"], setting="")
    labels = draw_forest(table).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["epsilon, single", "epsilon, extended", "FLOPs"]
    labels = draw_forest(table.assign(label=["a", "b", "c"])).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["a", "b", "c"]


def test_spaces_are_below_one_another_in_forests_each_with_its_own_metrics():
    table = comparison(datasets=["cifar10", "cifar100", "ImageNet16-120"])
    other = comparison(["synflow"], ["cifar10", "mine"]).assign(space="nas-bench-101")
    figure = draw_forest(pd.concat([table, other]))
    shown = [axis for axis in figure.axes if axis.get_visible()]
    names = [f"NAS-Bench-201,\n{name}" for name in ("CIFAR-10", "CIFAR-100", "ImageNet16-120")]
    assert [axis.get_title() for axis in shown] == [*names, "NAS-Bench-101,\nCIFAR-10", "NAS-Bench-101,\nmine"]
    assert [label.get_text() for label in shown[3].get_yticklabels()] == ["SynFlow"]
    assert overlaps(figure) == []
    assert outside(figure) == []


def test_a_metric_without_a_coefficient_has_its_row():
    table = comparison()
    table.loc[table["metric"] == "epsilon", ["spearman", "spearman_low", "spearman_high"]] = np.nan
    table.loc[table["metric"] == "epsilon", "scored"] = 0
    axis = draw_forest(table).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["FLOPs", "mine (own)", "epsilon"]
    assert {"0", "2,000", "3,000"} < {text.get_text() for text in axis.texts}


@pytest.mark.parametrize("metrics", [["epsilon"], list(METRICS.names)])
@pytest.mark.parametrize("datasets", [["cifar10"], ["cifar10", "cifar100", "ImageNet16-120"]])
def test_forests_have_text_that_does_not_overlap(metrics, datasets):
    figure = draw_forest(comparison(metrics, datasets).assign(ceiling=0.96))
    assert overlaps(figure) == []
    assert outside(figure) + small(figure) == []


def explanations():
    rows = [
        {"population": population, "what": what, "archs": archs, "spearman": rho, "epsilon_given": left}
        for population, archs in (("path", 1167), ("connected", 1961))
        for what, rho, left in (
            ("epsilon", 0.8, np.nan),
            ("share of active inputs", -0.9, 0.2),
            ("brightness", 0.3, 0.5),
        )
        if (population, what) != ("connected", "brightness")
    ]
    table = pd.DataFrame(rows)
    ends = {f"{name}{end}": table[name] + away for name in ("spearman", "epsilon_given") for end, away in _ENDS.items()}
    return table.assign(**ends)


_ENDS = {"_low": -0.05, "_high": 0.02}


def test_explanations(tmp_path):
    figure = draw_explanations(explanations())
    assert [axis.get_title() for axis in figure.axes] == ["path\n1,167 networks", "connected\n1,961 networks"]
    labels = ["epsilon", "share of active inputs", "brightness"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == labels
    for axis, explained in zip(figure.axes, (2, 1), strict=True):
        points = [line for line in axis.lines if line.get_marker() == "o"]
        open_ones = [line for line in points if line.get_markerfacecolor() == "white"]
        assert [len(points), len(open_ones)] == [1 + 2 * explained, explained]
        assert open_ones[0].get_xdata() == pytest.approx([0.2])
        (dashed,) = [line for line in axis.lines if line.get_linestyle() == "--"]
        assert list(dashed.get_xdata()) == [0.8, 0.8]
        intervals = [list(line.get_xdata()) for line in axis.lines if line.get_marker() == "None"]
        assert any(ends == pytest.approx([0.15, 0.22]) for ends in intervals)
    assert legend_of(figure) == ["with the performance", "what it leaves of epsilon's", "epsilon"]
    assert written(draw_explanations, explanations(), tmp_path)
    assert overlaps(figure) == []
    assert outside(figure) + small(figure) == []


def test_curves(tmp_path):
    table = pd.DataFrame(
        [
            {"dataset": dataset, "metric": metric, "networks": networks, "spearman": 0.5, "kind": "a kind"}
            | {"spearman_low": 0.5 - 1 / networks, "spearman_high": 0.5 + 2 / networks}
            for dataset in ("cifar10", "mine")
            for metric in ("epsilon", "flops")
            for networks in (1000, 10, 100)
        ]
    )

    def draw(data):
        return draw_curves(data, "networks", "spearman", "metric", {"networks": "networks in a sample"})

    figure = draw(table)
    assert [axis.get_title() for axis in figure.axes] == ["CIFAR-10", "mine"]
    assert [axis.get_xscale() for axis in figure.axes] == ["log", "log"]
    assert figure.axes[0].get_xlabel() == "networks in a sample"
    assert [axis.get_ylabel() for axis in figure.axes] == [r"Spearman's $\rho$", ""]
    epsilon, _ = figure.axes[0].lines
    assert epsilon.get_xdata().tolist() == [10, 100, 1000]
    assert edges(figure.axes[0].collections[0])[100] == pytest.approx((0.49, 0.52))
    styles = [metric_style(name) for name in ("epsilon", "flops")]
    assert [line.get_color() for line in figure.axes[0].lines] == [style.colour for style in styles]
    assert legend_of(figure) == ["epsilon", "FLOPs"]
    assert written(draw, table, tmp_path)
    # Without intervals there are no bands, and what is no metric has colours in turn.
    plain = draw_curves(table.drop(columns=["spearman_low", "spearman_high"]), "networks", "spearman", "kind")
    assert not plain.axes[0].collections
    assert legend_of(plain) == ["a kind"]


def test_warm_ups(tmp_path):
    steps = np.arange(1, 101)
    curves = pd.concat(
        pd.DataFrame({"dataset": "cifar10", "search": search, "metric": metric, "trained": steps, "median": 90 + place})
        for search in ("evolution", "random")
        for place, metric in enumerate(["", "epsilon", "meco", "zico", "synflow"])
    )
    curves = curves.assign(lower=curves["median"] - 1, upper=curves["median"] + 1)

    def draw(data):
        return draw_warm_ups(data, ["epsilon", "synflow", "fisher"])

    figure = draw(curves)
    # Metrics of no colour are one entry, and those without searches none.
    names = ["no warm-up", "epsilon", "SynFlow", "2 other metrics", "quartiles of the rounds"]
    assert legend_of(figure) == names
    colours = {line.get_label(): to_hex(line.get_color()).upper() for line in figure.axes[0].lines}
    expected = {name: metric_style(metric).colour for name, metric in (("epsilon", "epsilon"), ("SynFlow", "synflow"))}
    assert colours == {"_other": "#CCCCCC", "no warm-up": "#000000"} | expected
    assert [edges(band)[5] for band in figure.axes[0].collections] == [(89, 91), (90, 92)]
    assert written(draw, curves, tmp_path)


def test_percentiles(panels, tmp_path):
    tables = {name: panel.assign(score=panel["score"].rank(pct=True) * 100) for name, panel in panels.items()}
    rows = {name: tables for name in ["synflow", "meco", "zico", "flops"]}

    def draw(data):
        return draw_percentiles(data, "test accuracy (%)")

    figure = draw(rows)
    panels_drawn = [axis for axis in figure.axes if axis.images]
    assert len(panels_drawn) == 8
    assert [axis.get_title() for axis in panels_drawn] == ["CIFAR-10", "mine"] * 3 + ["", ""]
    # Numbers are at the left and lower edges: the fourth group is under the first.
    labelled = [bool(axis.xaxis.get_tick_params()["labelbottom"]) for axis in panels_drawn]
    assert labelled == [False, False] + [True] * 6
    assert [axis.yaxis.get_tick_params()["labelleft"] for axis in panels_drawn] == [True] + [False] * 5 + [True, False]
    names = ["SynFlow (50)", "MeCo (50)", "ZiCo (50)", "FLOPs (50)"]
    assert [text.get_text() for text in figure.texts][:4] == names
    assert [line.get_color() for line in figure.artists] == [metric_style(name).colour for name in rows]
    low = pd.concat([tables["mine"]["performance"]] * 4).quantile(0.05)
    assert panels_drawn[1].get_xlim()[0] == low
    pixels, at = image_of(panels_drawn[1])
    seen = tables["mine"].query("performance >= @low")
    assert all(pixels[at(network.performance, network.score)] for network in seen.itertuples())
    assert written(draw, rows, tmp_path)
