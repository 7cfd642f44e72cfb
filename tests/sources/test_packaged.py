import doctest
import runpy
import subprocess
import sys
from importlib.resources import files
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import yaml

import epsinas
from epsinas import InputError, NasBench101, NasBench201, load_benchmark
from epsinas.files.tables import (
    read_architectures,
    read_computed_scores,
    read_constant_weight_scores,
    read_performance,
    read_published_scores,
    read_training_cost,
)
from epsinas.metrics.base import ALIASES
from epsinas.sources import packaged
from epsinas.study.networks import describe
from tests.conftest import PROJECT

DATA = files("epsinas") / "data"
SPACES = {"nas-bench-201": 15625, "nas-bench-101": 15000, "nas-bench-nlp": 344}
KEYS = {
    "architectures": ["index", "architecture"],
    "performance": ["index", "dataset", "split", "epochs", "seed"],
    "training-cost": ["index"],
    "published-scores": ["index", "dataset", "metric"],
    "computed-scores": ["index", "dataset", "metric", "setting"],
    "constant-weight-scores": ["index", "dataset", "metric", "precision"],
}
OWN = (".computed-scores.parquet", ".constant-weight-scores.parquet", ".networks.parquet")
"""Tables that the benchmarks and others did not publish."""
OF_OTHERS = [name for name in packaged.FILES if not name.endswith(OWN)]
"""Files that the benchmarks and others published."""

READERS = {
    "architectures": read_architectures,
    "performance": read_performance,
    "training-cost": read_training_cost,
    "published-scores": read_published_scores,
    "computed-scores": read_computed_scores,
    "constant-weight-scores": read_constant_weight_scores,
}


def parts(name: str) -> tuple[str, str]:
    space, kind, _ = name.rsplit(".", 2)
    return space, kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every file that the package gives."""
    folder = tmp_path_factory.mktemp("packaged")
    for name, write in packaged.FILES.items():
        write(folder / name)
    return folder


@pytest.mark.parametrize("name", OF_OTHERS)
def test_what_the_package_gives_is_what_the_benchmarks_published(folder, mirror, name):
    _, kind = parts(name)
    found, expected = (
        READERS[kind](path / name).sort_values(KEYS[kind]).set_index(KEYS[kind]) for path in (folder, mirror)
    )
    pd.testing.assert_index_equal(found.index, expected.index, exact=False)
    # Points of accuracy: the benchmarks wrote some from single precision. Others are kept in it.
    tolerance = {"accuracy": {"atol": 3e-6, "rtol": 0}}
    for measure in expected.columns.intersection(["accuracy", "loss", "seconds", "score"]):
        limits = tolerance.get(measure, {"atol": 0, "rtol": 6e-8})
        np.testing.assert_allclose(found[measure], expected[measure], err_msg=name, **limits)
    for counted in expected.columns.intersection(["parameters", "parameters_wikitext2"]):
        assert found[counted].equals(expected[counted])


@pytest.mark.parametrize("split", ["test", "valid"])
def test_ranks_are_those_of_the_benchmark(mirror, split):
    expected = read_performance(mirror / "nas-bench-201.performance.parquet")
    expected = expected[expected["seed"].isna() & (expected["split"] == split)]
    benchmark = load_benchmark("nas-bench-201")
    for key, group in expected.groupby(["dataset", "split", "epochs"]):
        accuracy = group.set_index("index")["accuracy"].round(5)
        # Rounding of single precision breaks ties at random; equal counts are tied here.
        assert benchmark["{}_{}_{}".format(*key)].round(5).rank().equals(accuracy.rank()), key


def test_the_tables_are_what_the_script_packs(mirror, tmp_path):
    script = runpy.run_path(str(PROJECT / "benchmarks" / "pack_published.py"))
    script["pack"](mirror, tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    kept = (path.name for path in DATA.iterdir() if path.name.startswith("nas-bench-"))
    assert written == sorted(name for name in kept if not name.endswith(OWN))
    for name in written:
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / name), pd.read_parquet(DATA / name))


def test_a_value_that_is_no_count_of_answers_is_refused():
    script = runpy.run_path(str(PROJECT / "benchmarks" / "pack_published.py"))
    with pytest.raises(InputError, match=r"no such counts$"):
        script["kept"](pd.Series([50.0, 33.333]), {"answers": 100})


def test_all_tables_take_less_than_five_megabytes():
    sizes = {path.name: path.stat().st_size for path in DATA.iterdir() if path.name.startswith("nas-bench-")}
    assert len(sizes) == 14
    assert sum(sizes.values()) < 3.5e6
    assert sum(size for name, size in sizes.items() if ".networks." in name) < 1.5e5
    assert sum(size for name, size in sizes.items() if ".constant-weight-scores." in name) < 2e5
    assert sum(size for name, size in sizes.items() if "computed" in name) < 1e6


@pytest.mark.parametrize("name", packaged.FILES)
def test_files_are_in_the_pipelines_schemas(folder, name):
    space, kind = parts(name)
    table = READERS[kind](folder / name)
    assert set(table["index"]) <= set(packaged.architectures(space)["index"])


@pytest.mark.parametrize("space", SPACES)
def test_architectures_are_of_their_space(space):
    networks = packaged.architectures(space)
    assert len(networks) == SPACES[space]
    assert networks["index"].dtype == np.int32
    assert networks["index"].is_monotonic_increasing
    known = epsinas.space(space)
    for architecture in networks["architecture"].sample(100, random_state=0):
        assert known.format(known.parse(architecture)) == architecture


@pytest.mark.parametrize("space", SPACES)
def test_networks_are_what_is_counted_of_them(space):
    """Counts of a sample; which of the first 500 are the same, since a sample may lack the one that stands for it."""
    script = runpy.run_path(str(PROJECT / "benchmarks" / "pack_networks.py"))
    found = packaged.networks(space)
    pd.testing.assert_frame_equal(found[["index", "architecture"]], packaged.architectures(space).iloc[:, :2])
    sample = slice(None, None, 40)
    columns = [name for name in found if name not in ("index", "architecture", "representative", "trained_as")]
    expected = script["described"](space, columns, sample)
    pd.testing.assert_frame_equal(
        found.iloc[sample].reset_index(drop=True)[list(expected)], expected, check_dtype=False
    )
    same = describe(epsinas.space(space), found[["index", "architecture"]].head(500))
    for name in ("representative", "trained_as"):
        assert _partition(found[name].head(500)) == _partition(same[name])
        # Whoever stands for others stands for itself.
        assert set(found[name]) == set(found.loc[found["index"] == found[name], "index"])


@pytest.mark.parametrize("space", SPACES)
def test_constant_weight_scores_are_what_the_script_computes(space):
    script = runpy.run_path(str(PROJECT / "benchmarks" / "pack_constant_weight_scores.py"))
    described = yaml.safe_load((DATA / "benchmarks.yaml").read_text())["benchmarks"][space]["constant-weight-scores"]
    found = pd.read_parquet(DATA / f"{space}.constant-weight-scores.parquet")
    networks = packaged.networks(space)
    assert found["index"].tolist() == networks["index"][networks["index"] == networks["trained_as"]].tolist()
    sample = slice(7, None, len(found) // 6)
    expected = script["constant_weight_scores"](space, described, sample)
    # Single precision: the order of sums differs between processors.
    pd.testing.assert_frame_equal(found.iloc[sample].reset_index(drop=True), expected, check_exact=False, rtol=1e-4)


def test_constant_weight_scores_of_data_sets_of_one_shape_are_the_same():
    table = packaged.constant_weight_scores("nas-bench-201")
    key = ["index", "metric", "precision"]
    first, second = (table.query("dataset == @name").set_index(key)["score"] for name in ("cifar10", "cifar100"))
    assert first.equals(second)
    assert not first.equals(table.query("dataset == 'ImageNet16-120'").set_index(key)["score"])
    counts = table.query("dataset == 'cifar10'").groupby(["metric", "precision"])["index"].count()
    assert counts.to_dict() == {
        ("epsilon", "single"): 3_040,
        ("epsilon", "extended"): 5_259,
        ("expected_synflow", "single"): 5_260,
    }


def test_computed_scores_are_of_every_network_that_trains_differently():
    networks = packaged.networks("nas-bench-201").set_index("index")
    connected = set(networks.query("connected")["trained_as"])
    table = packaged.computed_scores("nas-bench-201")
    assert table["metric"].nunique() == 22
    for metric, rows in table.groupby("metric"):
        scored = set(rows.loc[np.isfinite(rows["score"]), "index"])
        assert scored <= set(networks["trained_as"])
        lacking = connected - scored
        # Trainability compares layers one behind the other; a cell that passes its input on and no more has none.
        assert len(lacking) == (1 if metric == "az_trainability" else 0), metric
        assert metric not in ("synflow", "l2_norm") or scored == set(networks["trained_as"])


AGREEMENT = {
    **{"synflow": 0.999, "expected_synflow": 0.999, "naswot": 0.97, "nwot": 0.97, "snip": 0.97, "grad_norm": 0.97},
    **{"fisher": 0.97, "zen": 0.94, "l2_norm": 0.93, "jacov": 0.9, "epe_nas": 0.85, "grasp": 0.65},
}
"""Spearman's rho of scores on noise with those published, at the least; docs/metrics.md says why some are lower."""


@pytest.mark.parametrize("name", AGREEMENT)
def test_computed_scores_rank_networks_as_published_ones_do(name):
    metric = ALIASES.get(name, name)
    mean = metric == "expected_synflow"
    own = (packaged.constant_weight_scores if mean else packaged.computed_scores)("nas-bench-201")
    theirs = packaged.published_scores("nas-bench-201")
    columns = [
        table[(table["dataset"] == "cifar10") & (table["metric"] == called)].set_index("index")["score"]
        for table, called in ((own, metric), (theirs, "synflow" if mean else name))
    ]
    both = pd.concat(columns, axis=1, join="inner", keys=["own", "theirs"])
    both = both[np.isfinite(both).all(axis=1)]
    assert len(both) >= 5_259
    assert both["own"].corr(both["theirs"], method="spearman") >= AGREEMENT[name]


def test_what_the_package_has_of_a_benchmark():
    assert packaged.kinds("nas-bench-101") == (
        *("architectures", "networks"),
        *("performance", "computed-scores", "constant-weight-scores"),
    )
    assert packaged.kinds("cifar10") == ()


def _partition(labels: pd.Series) -> list[list[int]]:
    """Groups of equal labels, by the places of their members."""
    return sorted(sorted(places) for places in labels.reset_index(drop=True).groupby(labels.to_numpy()).groups.values())


def test_nas_bench_201_is_the_whole_space():
    assert set(packaged.architectures("nas-bench-201")["architecture"]) == set(NasBench201().architectures())


def test_nas_bench_101_has_no_network_twice():
    space = NasBench101()
    sample = packaged.architectures("nas-bench-101")["architecture"].head(2000)
    assert sample.map(space.graph_hash).is_unique


def test_recipes_are_those_of_the_benchmark():
    networks = packaged.architectures("nas-bench-nlp")
    assert networks["index"].min() == 1_000_000
    assert networks["index"].is_unique
    # Some recipes were drawn more than once.
    assert networks["architecture"].nunique() > 270
    assert networks["parameters_wikitext2"].between(1e6, 1e9).all()


def test_accuracies_lie_between_nothing_and_the_best_known():
    benchmark = load_benchmark("nas-bench-201").drop(columns=["index", "architecture"])
    assert not benchmark.isna().any().any()
    best = benchmark.max()
    # Dong and Yang (2020), Table 5, "optimal": 94.37, 73.51, 47.31.
    assert best["cifar10_test_200"] == pytest.approx(94.37, abs=0.005)
    assert best["cifar100_test_200"] == pytest.approx(73.51, abs=0.005)
    assert best["ImageNet16-120_test_200"] == pytest.approx(47.31, abs=0.005)
    assert benchmark["cifar10_test_200"].corr(benchmark["cifar100_test_200"], "spearman") > 0.95
    assert (benchmark["cifar10_test_200"] > benchmark["cifar10_test_12"]).mean() > 0.9


def test_means_are_means_over_some_of_the_trainings():
    table = packaged.performance("nas-bench-201").query("dataset == 'cifar10' and epochs == 200")
    wide = table.assign(seed=table["seed"].fillna(-1)).pivot(index="index", columns="seed", values="accuracy")
    assert wide.notna().sum().to_dict() == {-1: 15625, 0: 15625, 1: 13400, 2: 7961}
    trainings = [wide[seed] for seed in range(3)]
    fits = pd.Series(False, index=wide.index)
    for count in (1, 2, 3):
        for chosen in combinations(trainings, count):
            fits |= (sum(chosen) / count - wide[-1]).abs() < 1e-9
    assert fits.all()


def test_accuracies_of_nas_bench_101_grow_with_training():
    benchmark = load_benchmark("nas-bench-101")
    columns = [f"cifar10_valid_{epochs}" for epochs in (4, 12, 36, 108)]
    assert list(benchmark)[2:] == columns
    assert benchmark[columns].median().is_monotonic_increasing
    answers = benchmark[columns] * 99.84
    assert ((answers - answers.round()).abs() < 1e-6).all().all()


def test_a_failed_training_has_a_row_and_a_missing_one_has_none():
    table = packaged.performance("nas-bench-nlp")
    assert table["dataset"].value_counts().to_dict() == {"wikitext-2": 344, "ptb": 312}
    assert table.groupby("dataset")["loss"].count().to_dict() == {"wikitext-2": 340, "ptb": 312}
    # A word of vocabulary V drawn at random has ln V nats: 9.2 for the Penn Treebank, 10.4 for WikiText-2.
    assert table["loss"].dropna().between(4, 10.4).all()
    assert load_benchmark("nas-bench-nlp").drop(columns=["index", "architecture"]).count().tolist() == [312, 340]


def test_scores_of_others():
    scores = packaged.published_scores("nas-bench-201")
    counts = scores.groupby("metric")["index"].count()
    assert len(counts) == 14
    assert counts.pop("naswot") == 3 * 15625
    assert set(counts) == {2 * 9445}
    assert scores.loc[scores["metric"] == "params", "score"].mul(1e6).round(6).mod(1).eq(0).all()
    assert packaged.published_scores("nas-bench-nlp").groupby("metric")["index"].count().tolist() == [275] * 10


def test_published_parameters_are_those_that_counting_gives():
    """In millions; the benchmark counts for CIFAR-10 73,306 + 243,040 a 3x3 edge + 28,000 a 1x1 edge."""
    networks = packaged.architectures("nas-bench-201").set_index("index")["architecture"]
    scores = packaged.published_scores("nas-bench-201").query("dataset == 'cifar10' and metric == 'params'")
    strings = networks[scores["index"]].str
    expected = 73_306 + 243_040 * strings.count("nor_conv_3x3") + 28_000 * strings.count("nor_conv_1x1")
    assert (scores["score"].to_numpy() * 1e6).round().tolist() == expected.tolist()


def test_seconds_of_training():
    cost = packaged.training_cost("nas-bench-201")
    assert len(cost) == 15625
    assert cost["seconds"].between(10, 1000).all()


def test_every_column_has_an_origin_and_a_licence():
    record = yaml.safe_load((DATA / "benchmarks.yaml").read_text())
    columns = [
        column
        for kinds in record["benchmarks"].values()
        for described in kinds.values()
        for column in described.values()
    ]
    assert {column["origin"] for column in columns} == set(record["origins"])
    assert all(origin["source"] and origin["licence"] for origin in record["origins"].values())
    for space, kinds in record["benchmarks"].items():
        described = {name for kind in kinds if not kind.endswith(("-scores", "networks")) for name in kinds[kind]}
        assert set(pd.read_parquet(DATA / f"{space}.parquet")) == described
        assert list(pd.read_parquet(DATA / f"{space}.networks.parquet")) == list(kinds["networks"])
        for kind in ("published-scores", "computed-scores", "constant-weight-scores"):
            if scores := kinds.get(kind):
                assert set(pd.read_parquet(DATA / f"{space}.{kind}.parquet")) == {"index", *scores}


def test_a_file_says_where_it_comes_from():
    origin = packaged.origin("nas-bench-nlp.performance.parquet")
    assert origin.licence == "CC BY 4.0; Apache-2.0"
    assert "nas-bench-nlp-release" in origin.source
    with pytest.raises(InputError, match=r"^cifar10.npz: not inside the package, which has nas-bench-201"):
        packaged.origin("cifar10.npz")


@pytest.mark.parametrize(
    ("function", "space", "message"),
    [
        (
            load_benchmark,
            "nas-bench-301",
            "performance inside the package: found 'nas-bench-301', "
            "expected one of nas-bench-201, nas-bench-101, nas-bench-nlp",
        ),
        (
            packaged.architectures,
            "cifar10",
            "architectures inside the package: found 'cifar10', "
            "expected one of nas-bench-201, nas-bench-101, nas-bench-nlp",
        ),
        (
            packaged.training_cost,
            "nas-bench-101",
            "training-cost inside the package: found 'nas-bench-101', expected one of nas-bench-201",
        ),
        (
            packaged.published_scores,
            "nas-bench-101",
            "published-scores inside the package: found 'nas-bench-101', expected one of nas-bench-201, nas-bench-nlp",
        ),
    ],
)
def test_what_the_package_lacks_is_refused_in_one_line(function, space, message):
    with pytest.raises(InputError) as caught:
        function(space)
    assert str(caught.value) == message


def test_a_benchmark_is_tidy():
    benchmark = load_benchmark("nas-bench-201")
    assert list(benchmark)[:3] == ["index", "architecture", "cifar10_test_200"]
    assert benchmark.shape == (15625, 12)
    assert benchmark["index"].tolist() == list(range(15625))
    assert (benchmark.dtypes.iloc[2:] == np.float64).all()


def test_examples_run():
    found = doctest.testmod(packaged)
    assert (found.failed, found.attempted > 5) == (0, True)


def test_importing_the_package_does_not_read_tables():
    command = "import epsinas, sys; assert 'epsinas.sources' not in sys.modules; epsinas.load_benchmark"
    subprocess.run([sys.executable, "-c", command], check=True)
    assert "load_benchmark" in epsinas.__all__
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = epsinas.missing


@pytest.mark.parametrize("space", SPACES)
def test_what_the_package_holds_is_known_without_reading_it(space):
    holdings = packaged.holdings(space)
    assert holdings.networks == SPACES[space]
    performance = packaged.performance(space)
    rows = performance[["dataset", "split", "epochs"]].drop_duplicates().itertuples(index=False, name=None)
    assert set(holdings.performance) == set(rows)
    assert packaged.holdings("chain") is None
