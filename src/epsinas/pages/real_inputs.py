"""How far metrics rank networks alike on real images and on synthetic ones, whose scores are inside the package."""

import pandas as pd

from epsinas.evaluation.performance import performance_of
from epsinas.evaluation.ranking import evaluate
from epsinas.study.networks import scored_as
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan
from epsinas.study.results import Results


def _request(plan: Plan) -> Request | None:
    spaces = [name for name in plan.sections if plan.scores_real_inputs(name) and plan.sections[name]["performance"]]
    runs = tuple(run for name in spaces for run in plan.comparison_runs(name))
    data = tuple(f"{name}.{kind}.parquet" for name in spaces for kind in ("computed-scores", "performance"))
    return Request(runs=runs, networks=tuple(spaces), data=data) if runs else None


def _table(results: Results) -> pd.DataFrame:
    rows = []
    for run in results.runs:
        kept = results.computed_scores(run.space)
        reached = performance_of(
            results.performance(run.space), run.dataset, **results.section(run.space)["performance"]
        )
        networks = results.networks(run.space).set_index("index", drop=False)
        scores = results.scores(run).query("draw == 0")
        for metric in results.plan.metrics(run):
            for setting, own in scores[scores["metric"] == metric.name].groupby("setting", sort=False):
                old = kept.query("dataset == @run.dataset and metric == @metric.name and setting == @setting")
                table = pd.DataFrame({"real": own.set_index("index")["score"]})
                stands = scored_as(networks.loc[table.index], metric)
                table["synthetic"] = old.set_index("index")["score"].reindex(stands).to_numpy()
                table = metric.sign * table.dropna()
                if len(table) < 2:
                    continue
                accuracy = reached.reindex(table.index)
                found = {name: evaluate(table[name], accuracy).spearman_global for name in table}
                rows.append(
                    {"space": run.space, "dataset": run.dataset, "metric": metric.name, "setting": setting}
                    | {"archs": len(table), "agreement": evaluate(table["real"], table["synthetic"]).spearman_global}
                    | {f"spearman_{name}": value for name, value in found.items()}
                )
    columns = ["space", "dataset", "metric", "setting", "archs", "agreement", "spearman_real", "spearman_synthetic"]
    return pd.DataFrame(rows, columns=columns)


PAGE = Page(
    name="real_inputs",
    title="Metrics on real and on synthetic images",
    caption=(
        "Spearman's ρ of each metric with the accuracy, by its scores on real and on synthetic images of the "
        "same networks. Where the two scores agree, that is where their own ρ is near 1, synthetic images do as "
        "well as real ones."
    ),
    request=_request,
    table=_table,
)
