"""How a metric looks in print and on screen: everywhere in one colour, with one marker, dash and label.

Loads nothing that draws, so that every drawing library can take its looks from here.
"""

import zlib
from dataclasses import dataclass

from epsinas.metrics.base import ALIASES, METRICS, metric_title

BLUE, VERMILLION, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"
"""Six of the eight colours of Okabe and Ito, Color Universal Design (2008), which the colour-blind tell apart; black is
for what has no metric, and yellow is too light for lines."""

_MUTED = ("#999933", "#882255", "#332288", "#CC6677", "#117733", "#DDCC77", "#44AA99", "#AA4499", "#88CCEE")
"""The nine colours of the scheme `muted` of Paul Tol, Colour Schemes (SRON technical note EPS/TN/09-002, issue 3.2,
2021); olive, which the colour-blind take for an orange, first, so that its line is whole."""

_GREYS = ("#333333", "#777777", "#AAAAAA")

_STRONG = (BLUE, VERMILLION, ORANGE, GREEN, PURPLE, SKY)
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_DASHES = ("solid", "dashed", "dashdot", "dotted")

_FIRST = ("epsilon", "expected_synflow", "synflow", "naswot", "jacob_cov", "grad_norm", "snip", "grasp", "fisher")
"""The metrics that the figures are about: they have the first colours, of which nothing else has the strong ones."""


@dataclass(frozen=True)
class MetricStyle:
    """How a metric looks.

    Attributes:
        label: see `epsinas.metrics.base.metric_title`.
        colour: of its points, lines and bars, as `#RRGGBB`.
        marker: of its points, in matplotlib's letters.
        dash: of its lines: `solid`, `dashed`, `dashdot` or `dotted`.
        filled: whether its markers are filled; those of scores from elsewhere are open.
    """

    label: str
    colour: str
    marker: str
    dash: str
    filled: bool = True


def metric_style(name: str) -> MetricStyle:
    """Return how a metric looks, in every figure and on every page.

    The metrics of the default study and of the paper's figures come first: six have a strong colour to themselves, of
    Okabe and Ito. All others share the colours of Tol's scheme `muted`, in the order of the registry. Metrics that cost
    nothing are baselines, in grey. Marker and dash are the second cue: no two metrics of the registry agree in colour
    and marker, or in colour and dash. A metric that is in no registry has its look from a checksum of its name.

    Args:
        name: of a metric or one of `epsinas.metrics.base.ALIASES`, with `@source` where its scores are from elsewhere:
            it then has the colour of the metric of that name, and open markers.

    Example:
        >>> metric_style("epsilon")
        MetricStyle(label='epsilon', colour='#0072B2', marker='o', dash='solid', filled=True)
        >>> metric_style("nwot@published").label, metric_style("nwot@published").filled
        ('NASWOT (published as nwot)', False)
        >>> metric_style("nwot@published").colour == metric_style("naswot").colour
        True
    """
    stem, _, source = name.partition("@")
    own = ALIASES.get(stem, stem)
    baselines = [metric.name for metric in METRICS if metric.cost == "nothing"]
    others = [name for name in METRICS.names if name not in (*_FIRST, *baselines)]
    if own in baselines:
        place = baselines.index(own)
        colour = _GREYS[place % len(_GREYS)]
    elif own in _FIRST[: len(_STRONG)]:
        place = _FIRST.index(own)
        colour = _STRONG[place]
    else:
        names = [*_FIRST[len(_STRONG) :], *others]
        place = names.index(own) if own in names else zlib.crc32(own.encode())
        colour = _MUTED[place % len(_MUTED)]
    return MetricStyle(
        label=metric_title(name),
        colour=colour,
        marker=_MARKERS[place % len(_MARKERS)],
        dash=_DASHES[place % len(_DASHES)],
        filled=not source,
    )
