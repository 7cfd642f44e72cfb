"""The page of a metric of one's own, as text and in a browser."""

import shutil
from html import escape

import numpy as np
import pandas as pd
import pytest

from epsinas import rank
from epsinas.bench.text import tables
from epsinas.report.standing import forest, render_standing
from epsinas.sources.packaged import networks

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def standing():
    table = networks("nas-bench-201").iloc[::3]
    return rank(dict(zip(table["architecture"], table["depth"], strict=True)), resamples=20)


def test_a_page_of_its_own(standing):
    page = render_standing(standing, "my <scores>.csv")
    assert page.startswith("<!DOCTYPE html>")
    assert "<h1>my &lt;scores&gt;.csv on NAS-Bench-201, CIFAR-10, test accuracy (%) after 200 epochs</h1>" in page
    for word in ("http://", "https://", " src=", ">nan<"):
        assert word not in page
    for table in tables(standing):
        assert f"<h2>{escape(table.title)}</h2>" in page
    assert page.partition("<script>")[0].count("<circle") == len(standing.others)


def test_differences_are_drawn_to_scale(standing):
    """Two differences and their intervals: -0.1 to 0.3 around 0.1, and one that is not known."""
    row = {"title": "A & B", "common": True, "difference": 0.1, "difference_low": -0.1, "difference_high": 0.3}
    missing = row | {"title": "C", "difference_low": np.nan, "difference_high": np.nan, "common": False}
    drawn = forest(pd.DataFrame([row, missing, row | {"difference": np.nan, "difference_low": np.nan}]))
    assert "A &amp; B" in drawn
    assert drawn.count("<circle") == 2
    assert drawn.count('fill="white"') == 1
    ticks = [text.partition("<")[0] for text in drawn.split('text-anchor="middle" fill="#59636e">')[1:]]
    assert ticks == ["-0.1", "+0", "+0.1", "+0.2", "+0.3"]
    ends = drawn.partition('stroke-width="2"/>')[0].rpartition('x1="')[2]
    assert ends.startswith('230.0" x2="736.0"')


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (Debian's package is chromium)")
def test_in_a_browser(standing, tmp_path):
    """No complaints, nothing asked for, tables that sort, and a phone's width."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "page.html"
    path.write_text(render_standing(standing, "depth.csv"), encoding="utf-8")
    said, asked = [], []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert page.title() == f"depth.csv on {standing.title}"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        others = page.locator("figure").filter(has_text="Other metrics on the networks").locator("table")
        others.get_by_role("button", name="rho").click()
        rhos = [float(cell.replace("\u2212", "-")) for cell in others.locator("td:nth-child(5)").all_inner_texts()]
        assert len(rhos) > 10
        assert rhos == sorted(rhos)
        browser.close()
    assert (said, asked) == ([], [path.as_uri()])
