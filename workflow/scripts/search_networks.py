import pandas as pd
from job import job

from epsinas.files.tables import read_architectures, read_performance, read_scores, write_csv
from epsinas.paper.pool import search_table
from epsinas.spaces import space
from epsinas.study.networks import first_draw

with job(snakemake):
    params = snakemake.params
    networks = read_architectures(snakemake.input.networks).set_index("index")
    performance = read_performance(snakemake.input.performance)
    curves = [
        search_table(
            space("nas-bench-201", **params.skeleton),
            networks["architecture"],
            first_draw(read_scores(path)).reindex(networks.index),
            performance,
            dataset,
            params.epochs,
            params.seed,
            **params.search,
        )
        for dataset, path in zip(params.datasets, snakemake.input.scores, strict=True)
    ]
    write_csv(pd.concat(curves), snakemake.output[0])
