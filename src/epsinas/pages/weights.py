"""The heat map of weights: the rank correlation under every pair of a wide range, beyond the paper."""

from typing import TYPE_CHECKING

from epsinas.paper.pairs import wide_runs
from epsinas.paper.ranking import ranking_tables, request_of, shown_rankings
from epsinas.study.page import Page
from epsinas.study.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = {
    "description": "The heat map of weights, beyond the paper.",
    "type": "object",
    "additionalProperties": False,
    "required": ["values"],
    "properties": {
        "values": {"$ref": "#/$defs/weights"},
        "networks": {"$ref": "#/$defs/networks"},
        "datasets": {"$ref": "#/$defs/datasets"},
        "precision": {"enum": ["single", "double", "extended"], "default": "extended"},
    },
}

_OPTION = {
    "description": "Tables 5, 6, 7: all pairs of weights.",
    "type": "object",
    "additionalProperties": False,
    "required": ["values"],
    "properties": {
        "values": {"$ref": "#/$defs/weights"},
        "networks": {"$ref": "#/$defs/networks"},
        "repeated": {
            "description": (
                "Datasets that are scored on every draw, for the intervals; null for all. Others have draw 0."
            ),
            "type": ["array", "null"],
            "items": {"type": "string"},
            "default": None,
        },
        "wide": _WIDE,
    },
}


def _figure(results: Results) -> "Figure":
    from epsinas.paper.drawing import draw_weight_pairs

    return draw_weight_pairs(results.table())


PAGE = Page(
    name="weights",
    title="Rank correlation under every pair of weights",
    caption=(
        "Spearman's ρ of epsilon with the accuracy under each pair of weights of a wide range, in a precision "
        "that leaves few networks without a score. Red pairs order networks as the accuracy does, blue ones the "
        "other way round."
    ),
    request=lambda plan: request_of(plan, "nas-bench-201", wide_runs),
    table=ranking_tables,
    with_draws=True,
    shown=shown_rankings,
    figure=_figure,
    options={"ablations.weights": _OPTION},
)
