from job import job

from epsinas.evaluation.runs import panel_title
from epsinas.files.tables import read_scores
from epsinas.paper.drawing import distributions, save
from epsinas.study.networks import first_draw

with job(snakemake):
    titles = [panel_title(space, dataset, several=True) for space, dataset in snakemake.params.panels]
    scores = [first_draw(read_scores(path)) for path in snakemake.input]
    save(distributions(dict(zip(titles, scores, strict=True))), snakemake.output)
