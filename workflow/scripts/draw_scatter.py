import pandas as pd
from job import job

from epsinas.evaluation.runs import panel_title, performance_label, performance_of
from epsinas.files.tables import read_architectures, read_performance, read_scores
from epsinas.paper.drawing import save, scatter
from epsinas.study.networks import first_draw

with job(snakemake):
    rows, names = snakemake.params.rows, snakemake.input
    performance = dict(zip(rows, map(read_performance, names.performance), strict=True))
    networks = dict(zip(rows, map(read_architectures, names.networks), strict=True))
    groups, labels = {space: {} for space in rows}, {}
    for (space, dataset), path in zip(snakemake.params.panels, names.scores, strict=True):
        reached = performance_of(performance[space], dataset, **rows[space])
        title = panel_title(space, dataset, several=len(rows) > 1)
        labels[title] = performance_label(reached.name, rows[space]["split"])
        parameters = networks[space].set_index("index")["parameters"]
        panel = {"performance": reached, "score": first_draw(read_scores(path)), "parameters": parameters}
        groups[space][title] = pd.DataFrame(panel).dropna()
    save(scatter(list(groups.values()), labels), snakemake.output)
