import re
from collections import Counter

import numpy as np
import pytest

from epsinas.metrics.base import METRICS, own_metric
from epsinas.paper.style import BLUE, MetricStyle, metric_style


def test_no_two_metrics_look_alike():
    looks = {metric.name: metric_style(metric.name) for metric in METRICS}
    assert max(Counter((look.colour, look.marker) for look in looks.values()).values()) == 1
    coloured = {name: look for name, look in looks.items() if METRICS[name].cost != "nothing"}
    assert max(Counter((look.colour, look.dash) for look in coloured.values()).values()) == 1
    assert all(re.fullmatch("#[0-9A-F]{6}", look.colour) and look.filled for look in looks.values())
    assert [look.label for look in looks.values()] == [metric.title for metric in METRICS]


def test_baselines_are_grey_and_only_they():
    def is_grey(name):
        colour = metric_style(name).colour
        return colour[1:3] == colour[3:5] == colour[5:]

    assert {metric.name for metric in METRICS if is_grey(metric.name)} == {
        metric.name for metric in METRICS if metric.cost == "nothing"
    }


@pytest.mark.parametrize("count", [15, 40])
def test_metrics_of_ones_own_leave_the_others_their_looks(count):
    before = {name: metric_style(name) for name in METRICS.names}
    assert before["epsilon"] == MetricStyle("epsilon", BLUE, "o", "solid")

    def named(place):
        def function(network, batch):
            return 0.0

        function.__name__ = f"mine_{place}"
        return own_metric(function)

    mine = [METRICS.register(named(place)) for place in range(count)]
    try:
        assert {name: metric_style(name) for name in before} == before
        assert len({(metric_style(one.name).colour, metric_style(one.name).marker) for one in mine}) == count
    finally:
        for one in mine:
            METRICS.unregister(one.name)


def test_scores_from_elsewhere_have_the_colour_of_the_metric():
    own, theirs = metric_style("jacob_cov"), metric_style("jacov@published")
    assert theirs == MetricStyle(
        "Jacobian covariance (published as jacov)", own.colour, own.marker, own.dash, filled=False
    )


def test_unknown_metrics_look_the_same_in_every_process():
    # zlib.crc32(b"mine") is 1,772,671,891, which leaves 4 over 9 colours, 4 over 7 markers and 3 over 4 dashes.
    assert metric_style("mine@own") == MetricStyle("mine (own)", "#117733", "v", "dotted", filled=False)


def test_strong_colours_have_one_metric_each():
    colours = Counter(metric_style(name).colour for name in METRICS.names)
    strong = ["epsilon", "expected_synflow", "synflow", "naswot", "jacob_cov", "grad_norm"]
    assert [colours[metric_style(name).colour] for name in strong] == [1] * 6


def luminance(colour):
    """Return the relative luminance of sRGB (IEC 61966-2-1), from 0 for black to 1 for white."""
    encoded = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_every_colour_is_seen_on_white():
    # WCAG's contrast with white; its least for graphics is 3, which light colours miss and their markers mend.
    contrasts = {name: 1.05 / (luminance(metric_style(name).colour) + 0.05) for name in METRICS.names}
    assert min(contrasts.values()) > 1.5
    assert contrasts["epsilon"] > 4.5
