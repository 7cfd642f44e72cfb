from epsinas.paper.scatter import panel_title
from epsinas.study.plan import Run


def run(space, dataset):
    return Run(space, dataset, "real", 256, 1, "epsilon", "single", "pair", "all")


def test_titles():
    assert panel_title(run("nas-bench-nlp", "ptb"), several_spaces=True) == "NAS-Bench-NLP, PTB"
    assert panel_title(run("nas-bench-201", "mine"), several_spaces=False) == "mine"
