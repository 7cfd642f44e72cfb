"""The report in a browser."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (Debian's package is chromium)")

PLACE = """([name, at]) => {
  const find = view => view.model.name === name ? view : (view.child_views ?? []).map(find).find(Boolean);
  const view = Bokeh.index.roots.map(find).find(Boolean);
  const {data} = window.explorer.model("networks");
  const box = view.el.getBoundingClientRect();
  const [x, y] = [data["x" + name.at(-1)][at], data["y" + name.at(-1)][at]];
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)];
}"""
"""Where on the screen a plot has a network."""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Opened:
    """A report that is open, and what it said and asked for."""

    def __init__(self, browser, path: Path, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def wait_for_plots(self) -> None:
        self.page.wait_for_function("window.explorer.content && document.querySelector('#plots').children.length")
        self.page.locator("#explorer").scroll_into_view_if_needed()
        self.page.wait_for_timeout(300)

    def column(self, name: str, title: str) -> list[str]:
        """The cells of a table's visible rows."""
        titles = self.page.locator(f"#{name} thead th").all_inner_texts()
        place = titles.index(title)
        rows = self.page.locator(f"#{name} tbody tr:visible")
        return rows.locator(f"td:nth-child({place + 1})").all_inner_texts()


@pytest.fixture
def opened(browser, small) -> Iterator[Opened]:
    found = Opened(browser, small / "report.html")
    yield found
    found.context.close()


def test_it_opens_without_errors_and_without_a_network(opened):
    opened.wait_for_plots()
    assert [line for line in opened.said if line.startswith(("error", "warning"))] == []
    assert [url for url in opened.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len([url for url in opened.asked if url.startswith("file:")]) == 1
    drawn = "Array.from(document.images, image => image.complete && image.naturalWidth > 0)"
    images = opened.page.evaluate(drawn)
    assert len(images) >= 4  # Figures 1, 2 and 6, and the distributions
    assert all(images)
    assert "On NAS-Bench-201, epsilon scores" in opened.page.inner_text("#found")


def numbers(cells: list[str]) -> list[float]:
    return [float(cell.split(" ")[0].replace("−", "-").replace(",", "")) for cell in cells if cell]


def test_tables_sort_by_what_cells_mean(opened):
    rho = opened.page.locator("#table1-table thead button", has_text="Spearman's ρ")
    rho.click()
    cells = opened.column("table1-table", "Spearman's ρ")
    assert numbers(cells) == sorted(numbers(cells))
    assert len(set(cells)) > 4
    rho.click()
    assert numbers(opened.column("table1-table", "Spearman's ρ")) == sorted(numbers(cells), reverse=True)
    assert opened.page.locator("#table1-table th[aria-sort=descending]").count() == 1
    opened.page.locator("#table1-table thead button", has_text="common networks").first.click()
    common = opened.column("table1-table", "common networks")
    assert common[-1] == ""
    assert common[0] != ""


def test_the_ledger_filters_by_table_verdict_and_text(opened):
    ledger = "#ledger"
    assert opened.page.inner_text(f"{ledger} output") == "860 of 860 rows"
    opened.page.select_option(f"{ledger} select[data-column=table]", "3")
    assert set(opened.column("ledger-table", "table")) == {"3"}
    assert len(opened.column("ledger-table", "table")) == 37
    opened.page.select_option(f"{ledger} select[data-column=verdict]", "not run")
    assert set(opened.column("ledger-table", "verdict")) == {"not run"}
    opened.page.fill(f"{ledger} input", "SYNFLOW")
    assert set(opened.column("ledger-table", "row")) == {"synflow"}
    assert re.fullmatch(r"6 of 860 rows", opened.page.inner_text(f"{ledger} output"))
    totals = opened.column("summary-table", "numbers")
    assert totals[-1] == "860"


@pytest.mark.parametrize(
    ("space", "name", "edges"),
    [("nas-bench-201", r"^\|", 6), ("nas-bench-101", "^[01]+:input", None), ("nas-bench-nlp", "^recipe of [0-9]", 0)],
)
def test_pointing_names_a_network_and_draws_its_cell(opened, small, space, name, edges):
    opened.wait_for_plots()
    opened.page.select_option("#space", space)
    opened.page.wait_for_function(f"window.explorer.space.name === '{space}' && window.explorer.content.places")
    opened.page.wait_for_timeout(500)
    shown = opened.page.evaluate("window.explorer.content.index")
    networks = pd.read_parquet(small / "networks" / f"{space}.parquet").set_index("index", drop=False).loc[shown]
    # One whose dot no other one covers.
    spots = np.array([opened.page.evaluate(PLACE, ["plot2", at]) for at in range(len(networks))])
    distances = [np.sort(np.hypot(*(spots - spot).T))[1] for spot in spots]
    at = int(np.nanargmax(distances))
    x, y = spots[at]
    opened.page.mouse.move(x - 20, y - 20)
    opened.page.mouse.move(x, y, steps=4)
    card = opened.page.locator("#network")
    card.wait_for(state="visible")
    network = networks.iloc[at]
    assert card.locator("b").inner_text() == f"network {network['index']}"
    assert re.search(name, card.locator("code").inner_text())
    if space != "nas-bench-nlp":
        assert card.locator("code").inner_text() == network["architecture"]
    ones = network["architecture"].partition(":")[0].count("1")
    assert card.locator("svg .edge").count() == (ones if edges is None else edges)
    assert f"parameters: {network['parameters']:.4g}"[:13] in card.inner_text()
    opened.page.mouse.move(5, 5)
    opened.page.mouse.move(8, 8)
    assert [line for line in opened.said if line.startswith("error")] == []


def test_what_is_chosen_in_one_plot_is_chosen_in_the_other_and_in_the_table(opened):
    opened.wait_for_plots()
    spots = np.array([opened.page.evaluate(PLACE, ["plot1", at]) for at in range(200)])
    known = np.isfinite(spots).all(1)
    middle = np.median(spots[known], axis=0)
    reach = 60
    corners = [(-reach, -reach), (reach, -reach), (reach, reach), (-reach, reach), (-reach, -reach)]
    opened.page.mouse.move(*(middle + corners[0]))
    opened.page.mouse.down()
    for corner in corners[1:]:
        opened.page.mouse.move(*(middle + corner), steps=3)
    opened.page.mouse.up()
    opened.page.wait_for_function("window.explorer.model('networks').selected.indices.length > 0")
    inside = known & (np.abs(spots - middle) < reach).all(1)
    chosen = opened.page.evaluate("window.explorer.model('networks').selected.indices")
    assert set(chosen) == set(np.flatnonzero(inside))
    # Both plots draw this one source, and the table has these rows of it.
    sources = "[1, 2].map(place => window.explorer.model(`plot${place}`).renderers[0].data_source.name)"
    assert opened.page.evaluate(sources) == ["networks", "networks"]
    table = "Array.from(window.explorer.model('chosen').data.index)"
    index = opened.page.evaluate("window.explorer.content.index")
    assert opened.page.evaluate(table) == [index[at] for at in chosen]
    assert f"{len(chosen)} networks" in opened.page.inner_text("#choice")
    assert opened.page.locator("#plots .slick-row").count() > 0


def test_any_metric_against_any_other(opened, small):
    opened.wait_for_plots()
    opened.page.select_option("#dataset", "cifar100")
    opened.page.select_option("#x1", "parameters")
    opened.page.select_option("#y1", "epsilon")
    assert opened.page.evaluate("window.explorer.model('plot1').below[0].axis_label") == "parameters"
    title = opened.page.evaluate("window.explorer.model('plot1').title.text")
    (path,) = (small / "scores" / "nas-bench-201" / "cifar100").rglob("epsilon-single-pair-all.parquet")
    scores = pd.read_parquet(path).set_index("index")["score"].dropna()
    networks = pd.read_parquet(small / "networks" / "nas-bench-201.parquet").set_index("index")
    rho = stats.spearmanr(scores, networks["parameters"].reindex(scores.index)).statistic
    assert title == f"{len(scores)} networks, Spearman's ρ {rho:.2f}"


def test_it_prints_on_a4(opened):
    opened.wait_for_plots()
    pages = len(re.findall(rb"/Type\s*/Page\b", opened.page.pdf(prefer_css_page_size=True)))
    assert 3 <= pages <= 20
    # What is printed between margins of 12 mm at 96 dots an inch: 186 mm, or 273 mm where a table lies on its side.
    opened.page.emulate_media(media="print")
    for width, lying in ((703, "false"), (1032, "true")):
        opened.page.set_viewport_size({"width": width, "height": 1000})
        wide = f"""Array.from(document.querySelectorAll("table, img, p, pre"))
            .filter(one => Boolean(one.closest(".wide")) === {lying})
            .filter(one => one.getBoundingClientRect().right > {width + 1}).map(one => one.outerHTML.slice(0, 80))"""
        assert opened.page.evaluate(wide) == []
    assert opened.page.locator("#explorer").is_hidden()
    assert opened.page.locator("#table1-table").is_visible()


def test_it_reads_on_a_phone(browser, small):
    phone = Opened(
        browser, small / "report.html", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    phone.wait_for_plots()
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390
    inner, outer = phone.page.evaluate(
        "(box => [box.scrollWidth, box.clientWidth])(document.querySelector('#table1-table'))"
    )
    assert outer <= 390 < inner
    # A finger that scrolls must not draw a lasso.
    assert (
        phone.page.evaluate(
            "window.explorer.model('plot1').toolbar.tools.some(tool => tool.active && /Lasso/.test(tool.type))"
        )
        is False
    )
    phone.context.close()


def test_it_reads_without_scripts(browser, small):
    bare = Opened(browser, small / "report.html", java_script_enabled=False)
    assert bare.page.locator("#table1-table tbody tr").count() > 5
    assert "On NAS-Bench-201, epsilon scores" in bare.page.inner_text("#found")
    bare.context.close()
