from job import job

from epsinas.figures import distributions, save
from epsinas.networks import first_draw
from epsinas.schemas import read_scores
from epsinas.tables import panel_title

with job(snakemake):
    titles = [panel_title(space, dataset, several=True) for space, dataset in snakemake.params.panels]
    scores = [first_draw(read_scores(path)) for path in snakemake.input]
    save(distributions(dict(zip(titles, scores, strict=True))), snakemake.output)
