import pandas as pd
from job import job

from epsinas.figures import save, scatter
from epsinas.schemas import read_architectures, read_performance, read_scores
from epsinas.tables import performance_of

with job(snakemake):
    performance = read_performance(snakemake.input.performance)
    parameters = read_architectures(snakemake.input.networks).set_index("index")["parameters"]
    panels = {}
    for dataset, path in zip(snakemake.params.datasets, snakemake.input.scores, strict=True):
        panels[dataset] = pd.DataFrame(
            {
                "performance": performance_of(performance, dataset, **snakemake.params.rows),
                "score": read_scores(path).set_index("index")["score"],
                "parameters": parameters,
            }
        ).dropna()
    save(scatter(panels), snakemake.output)
