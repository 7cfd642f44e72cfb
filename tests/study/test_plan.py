from dataclasses import replace

import pytest

from epsinas import InputError
from epsinas.study.config import read_study
from epsinas.study.page import Page, Request
from epsinas.study.plan import Plan, Run

RUN = Run("nas-bench-201", "cifar10", "real", 256, 10, "epsilon", "single", "pair", "all")


def plan(space="nas-bench-201", **changes):
    section = {"performance": {"split": "test", "epochs": 200}, "draws": 10}
    section |= {"corpora": {"ptb": "train"}} if space == "nas-bench-nlp" else {"datasets": ["cifar10", "mine"]}
    section |= changes.pop("section", {})
    return Plan(read_study({"study": "s", space: section} | changes))


@pytest.mark.parametrize("networks", ["all", "first-5000", "random-100", "random"])
def test_a_run_is_its_path(networks):
    run = Run("nas-bench-nlp", "wikitext-2", "uniform_positive_0.1", 8, 2, "epsilon", "extended", "wide", networks)
    assert Run.parse(run.path) == run
    assert Run.of(run) == run


def test_the_path_of_a_run():
    assert RUN.path == "nas-bench-201/cifar10/real-256-10/epsilon-single-pair-all"
    for path in ("nas-bench-201/cifar10/real-256-10/epsilon-half-pair-all", "x", RUN.path + "-1"):
        with pytest.raises(InputError, match=r"run: found .*, expected \{space\}/\{dataset\}/"):
            Run.parse(path)


def test_what_identifies_a_run_in_a_table():
    columns = {"space": "nas-bench-201", "dataset": "cifar10", "inputs": "real", "batch_size": 256}
    assert RUN.columns == columns | {"precision": "single"}
    assert (RUN.order, RUN.count) == ("all", None)
    first = Run.parse(RUN.path.replace("all", "first-20"))
    assert (first.order, first.count) == ("first", 20)


def test_whole_runs_of_every_data_set_and_precision():
    found = [(run.dataset, run.precision, run.draws) for run in plan().whole_runs("nas-bench-201")]
    one = [("single", 10), ("extended", 1)]
    assert found == [(dataset, *rest) for dataset in ("cifar10", "mine") for rest in one]
    assert [run.dataset for run in plan().main_runs("nas-bench-201")] == ["cifar10", "mine"]


def test_a_metric_without_constant_weights_has_one_run():
    planned = plan(section={"metrics": ["epsilon", "statistics:mean"]})
    runs = [run for run in planned.whole_runs("nas-bench-201") if run.metric == "mean"]
    assert [(run.dataset, run.precision, run.draws, run.settings) for run in runs] == [
        ("cifar10", "single", 1, "one"),
        ("mine", "single", 1, "one"),
    ]
    assert planned.job(runs[0])["metrics"][0][0] == "statistics:mean"
    assert planned.settings(runs[0]) == [""]


def test_runs_with_several_values_of_a_feature():
    found = plan().runs("nas-bench-201", networks=20, dataset="mine", size=[8, 16])
    assert [run.path for run in found] == [
        f"nas-bench-201/mine/real-{size}-1/epsilon-single-pair-first-20" for size in (8, 16)
    ]


def test_a_run_over_some_networks_or_batches_is_part_of_the_whole():
    planned = plan()
    (part,) = planned.runs("nas-bench-201", networks=100, dataset="cifar10", draws=3)
    assert planned.computed(part) == RUN
    assert planned.parts(part) == planned.parts(RUN)
    (more,) = planned.runs("nas-bench-201", networks=100, dataset="cifar10", draws=11)
    assert planned.computed(more) == more
    (other,) = planned.runs("nas-bench-201", networks=100, dataset="cifar10", size=8)
    assert planned.computed(other) == other


def test_jobs_share_the_networks_evenly():
    # 15,625 networks on 10 batches are 156,250 of 10,000 a job.
    parts = plan().parts(RUN)
    assert len(parts) == 16
    assert parts[0] == f"results/s/scores/{RUN.path}/1-of-16.parquet"
    assert parts[-1].endswith("/16-of-16.parquet")
    # A batch of 8 is a 32nd of one of 256.
    (small,) = plan().runs("nas-bench-201", dataset="cifar10", size=8, draws=10)
    assert len(plan().parts(small)) == 1


def test_a_grid_costs_as_much_as_its_weights():
    grid = {"ablations": {"weights": {"values": [1e-3, 1e-2, 0.1, 1.0]}}}
    planned = plan(section=grid)
    (run,) = planned.runs("nas-bench-201", dataset="cifar10", settings="grid")
    assert planned.settings(run) == ["0.001,0.01", "0.001,0.1", "0.001,1", "0.01,0.1", "0.01,1", "0.1,1"]
    assert len(planned.parts(run)) == 4  # 15,625 networks under four weights, two of which are a pair


def test_what_is_made_of_100000_scores_or_fewer_is_small():
    (run,) = plan().runs("nas-bench-201", dataset="cifar10")
    assert plan().is_small([])
    assert plan().is_small([run] * 6)  # 93,750
    assert not plan().is_small([run] * 7)  # 109,375
    assert not plan().is_small([replace(run, draws=7)])


def test_a_random_sample_may_grow_without_losing_jobs():
    section = {"ablations": {"initialisation": {"names": ["normal", "uniform"], "draws": 5}}}
    planned = plan(section=section)
    small, large = (
        planned.runs("nas-bench-201", f"random-{n}", dataset="mine", draws=5, metric="random_pair")[0] for n in (25, 45)
    )
    # A hundred networks are a job for one initialisation and batch.
    assert planned.parts(small) == planned.parts(large)[:3]
    assert [path.rpartition("/")[2] for path in planned.parts(small)] == [f"{k}-by-10.parquet" for k in (1, 2, 3)]
    assert "random_pair-single-initialisations-random/" in planned.parts(small)[0]
    assert planned.job(small)["skeleton"]["classes"] == 1


def test_weights_that_a_job_chooses():
    planned = plan(section={"weights": "auto"})
    assert planned.settings(RUN) is None
    assert planned.chosen_weights(RUN) == ["results/s/weights/nas-bench-201/cifar10.csv"]
    assert plan().settings(RUN) == ["1e-07,1"]
    assert plan().chosen_weights(RUN) == []


def test_trained_networks_limit_their_own_space_only():
    schedule = {"epochs": 200, "batch_size": 32, "learning_rate": 0.1}
    train = {"dataset": "mine", "split": {"valid": 0.2, "test": 0.2}, "schedule": schedule, "seeds": [0]}
    planned = plan(
        section={"datasets": ["mine"]}, train=train | {"networks": 60}, **{"nas-bench-101": {"datasets": ["mine"]}}
    )
    runs = {space: planned.whole_runs(space)[0] for space in ("nas-bench-201", "nas-bench-101")}
    assert planned.networks_tried(runs["nas-bench-201"]) == 60
    assert planned.networks_tried(runs["nas-bench-101"]) == 423_624
    assert len(planned.parts(runs["nas-bench-101"])) == 43


def test_sequences_have_their_own_inputs():
    planned = plan("nas-bench-nlp")
    (first, *_) = planned.whole_runs("nas-bench-nlp")
    assert first.inputs == "uniform_positive_1"
    assert planned.source("nas-bench-nlp", "ptb") == ["results/s/data/ptb/train.txt"]
    assert set(planned.job(first)["section"]) == {"skeleton", "zeros", "batch_size", "steps", "embedding"}


def test_files_of_a_page():
    planned = plan()
    request = Request((RUN,), ("nas-bench-201",), ("a.parquet",), (("nas-bench-201", "mine"),))
    assert planned.files(request) == [
        f"results/s/scores/{RUN.path}.parquet",
        "results/s/networks/nas-bench-201.parquet",
        "results/s/data/a.parquet",
        "results/s/weights/nas-bench-201/mine.csv",
    ]
    assert request.spaces == ("nas-bench-201",)
    # A sample is small, and read from the jobs' own files.
    sampled = planned.files(Request((replace(RUN, networks="first-30"), replace(RUN, networks="first-40"))))
    assert sampled == [*planned.parts(RUN), "results/s/networks/nas-bench-201.parquet"]
    page = Page("p", "P", lambda plan: request)
    assert planned.figure_input(page) == planned.files(request)
    tabled = Page("p", "P", lambda plan: request, table=lambda results: None, with_draws=True)
    assert planned.figure_input(tabled) == ["results/s/tables/p.csv", "results/s/tables/p.draws.csv"]
    assert planned.drawn(page) == ["figures/s/p.svg", "figures/s/p.pdf"]
