import pandas as pd
from job import job

from epsinas.evaluation.runs import performances
from epsinas.files.tables import (
    read_architectures,
    read_performance,
    read_published_scores,
    read_scores,
    read_training_cost,
    write_csv,
)
from epsinas.paper import pool as comparison
from epsinas.spaces import space
from epsinas.study.networks import first_draw

with job(snakemake):
    params, selection = snakemake.params, snakemake.params.selection
    networks = read_architectures(snakemake.input.networks).set_index("index")
    performance = read_performance(snakemake.input.performance)
    columns = performances(performance, params.datasets, ["valid", "test"], params.epochs, networks.index)
    epsilon = {
        dataset: first_draw(read_scores(path)).reindex(networks.index)
        for dataset, path in zip(params.datasets, snakemake.input.scores, strict=True)
    }
    seconds = sum(pd.read_csv(path, sep="\t")["s"].sum() for path in snakemake.input.seconds) / params.draws
    others = {}
    if snakemake.input.published_scores:
        published = read_published_scores(snakemake.input.published_scores)
        others = {
            metric: comparison.published_scores(published, metric, networks.index)
            for metric in selection["published_scores"]
        }

    rows = []
    for size in selection["pool_sizes"]:
        pools = {"pool_size": size, "runs": selection["runs"], "seed": params.seed}
        rows += comparison.baseline_rows(columns, **pools)
        for metric, scores in others.items():
            rows.append(comparison.published_row(metric, scores, columns, **pools))
        rows.append(comparison.epsilon_row(epsilon, columns, seconds, **pools))
    if snakemake.input.cost:
        trained = selection["trained"]
        validation, _ = comparison.guiding_accuracy(performance, trained["dataset"], trained["epochs"], networks.index)
        rows += comparison.trained_rows(
            space("nas-bench-201", **params.skeleton),
            networks["architecture"],
            validation,
            read_training_cost(snakemake.input.cost).set_index("index")["seconds"].reindex(networks.index),
            columns,
            trained["budget_seconds"],
            selection["runs"],
            params.seed,
        )
    if params.quoted:
        rows += comparison.quoted_rows(params.datasets, [(row["block"], row["method"]) for row in rows])
    write_csv(comparison.comparison_table(rows, columns), snakemake.output[0])
