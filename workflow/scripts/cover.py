import pandas as pd
from job import job

from epsinas.files.tables import read_architectures, read_scores, write_csv
from epsinas.study.networks import coverage

with job(snakemake):
    params, names = snakemake.params, snakemake.input
    networks = {space: read_architectures(path) for space, path in zip(params.spaces, names.networks, strict=True)}
    seconds = iter(names.seconds)
    rows = []
    for (_, jobs), path in zip(params.runs, names.scores, strict=True):
        scores = read_scores(path)
        took = sum(pd.read_csv(next(seconds), sep="\t")["s"].sum() for _ in range(jobs))
        rows.append(coverage(scores, networks[scores["space"].iloc[0]], took))
    write_csv(pd.DataFrame(rows), snakemake.output[0])
