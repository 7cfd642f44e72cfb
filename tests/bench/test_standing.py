import numpy as np
import pandas as pd
import pytest
from scipy import stats

import epsinas
from epsinas import InputError, evaluate, rank
from epsinas.bench.rivals import rivals
from epsinas.bench.text import as_text, footnote, in_sentences, tables
from epsinas.evaluation.performance import performance_of
from epsinas.sources import packaged


@pytest.fixture(scope="module")
def networks():
    return packaged.networks("nas-bench-201")


@pytest.fixture(scope="module")
def accuracy():
    return performance_of(packaged.performance("nas-bench-201"), "cifar10", "test", 200)


@pytest.fixture(scope="module")
def noisy(networks, accuracy):
    """Scores that know something of the accuracy; every fifth network has none, for one of three reasons."""
    rng = np.random.default_rng(0)
    scores = stats.rankdata(accuracy[networks["index"]]) + 4000 * rng.normal(size=len(networks))
    scores[::15] = np.nan
    scores[5::15] = np.inf
    return pd.DataFrame({"architecture": networks["architecture"], "score": scores}).drop(index=range(10, 15_625, 15))


@pytest.fixture(scope="module")
def standing(noisy):
    return rank(noisy, resamples=60)


def own(standing, table="coefficients", **where):
    found = getattr(standing, table)
    for column, value in where.items():
        found = found[found[column] == value]
    (row,) = found.to_dict("records")
    return row


def test_what_is_ranked(standing):
    assert (standing.benchmark, standing.dataset, standing.split, standing.epochs) == (
        *("nas-bench-201", "cifar10"),
        *("test", 200),
    )
    assert standing.title == "NAS-Bench-201, CIFAR-10, test accuracy (%) after 200 epochs"


def test_coverage_counts_the_reasons(standing):
    row = own(standing, "coverage", population="all")
    kinds = [len(range(start, 15_625, 15)) for start in (10, 0, 5)]
    assert [row[name] for name in ("absent", "nan", "infinite")] == kinds
    assert (row["networks"], row["scored"]) == (15_625, 15_625 - sum(kinds))
    sizes = standing.coverage.set_index("population")["networks"].to_dict()
    expected = {"connected": 15_284, "reachable": 9_445, "parameter_free": 9_226, "distinct": 5_260}
    assert sizes == {"all": 15_625} | expected
    reasons = standing.coverage[["scored", "absent", "nan", "infinite"]].sum(axis=1)
    assert reasons.tolist() == standing.coverage["networks"].tolist()


def test_coefficients_of_populations(standing, networks, accuracy):
    kept = networks[networks["parameter_free"]].set_index("index").index
    scores = standing.scores[kept].dropna()
    row = own(standing, "coverage", population="parameter_free")
    assert row["scored"] == len(scores)
    assert row["spearman"] == pytest.approx(stats.spearmanr(scores, accuracy[scores.index]).statistic, abs=1e-12)
    assert row["kendall"] == pytest.approx(stats.kendalltau(scores, accuracy[scores.index]).statistic, abs=1e-12)
    assert row["spearman_low"] < row["spearman"] < row["spearman_high"]


def test_coefficients_with_and_without_the_missing(standing, accuracy):
    scores = standing.scores
    for coverage, values in (
        ("own", scores.dropna()),
        ("last", scores.fillna(scores.min() - 1)),
        ("first", scores.fillna(scores.max() + 1)),
    ):
        row = own(standing, coverage=coverage)
        assert row["archs"] == len(values)
        assert row["spearman"] == pytest.approx(stats.spearmanr(values, accuracy[values.index]).statistic, abs=1e-12)
        assert row["kendall_low"] < row["kendall"] < row["kendall_high"]


def test_the_six_measures(standing, accuracy):
    expected = evaluate(standing.scores, accuracy[standing.scores.index])
    assert standing.measures.set_index("measure")["value"].to_dict() == {
        name: getattr(expected, name) for name in standing.measures["measure"]
    }


def test_size_taken_out(standing, networks, accuracy):
    scores = standing.scores.dropna()
    counts = networks.set_index("index").loc[scores.index]
    x, y, z = (stats.rankdata(one) for one in (scores, accuracy[scores.index], counts["convolutions"]))

    def left(values):
        return values - np.polyval(np.polyfit(z, values, 1), z)

    expected = np.corrcoef(left(x), left(y))[0, 1]
    row = own(standing, "partial", given="convolutions")
    assert row["spearman"] == pytest.approx(expected, abs=1e-9)
    assert list(standing.partial["given"]) == ["parameters", "flops", "parameters_and_flops", "convolutions"]
    skips = own(standing, "counts", count="skips")
    assert skips["spearman"] == pytest.approx(stats.spearmanr(scores, counts["skips"]).statistic, abs=1e-12)
    assert skips["spearman_low"] < skips["spearman"] < skips["spearman_high"]


def test_others_are_compared_on_the_same_networks(standing, accuracy):
    common = standing.others[standing.others["common"]]
    assert common["archs"].nunique() == 1
    row = common.set_index("metric").loc["parameters"]
    assert row["difference"] == pytest.approx(row["spearman"] - row["spearman_other"])
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert own(standing, coverage="common")["archs"] == row["archs"]
    assert own(standing, coverage="common")["spearman"] == pytest.approx(row["spearman"])
    assert standing.place == 1 + (common["spearman_other"] > row["spearman"]).sum()
    places = sorted([*common["place"], standing.place])
    assert places[0] == 1
    assert places[-1] <= len(common) + 1
    assert (common["place"].diff().dropna() >= 0).all()
    assert standing.others.loc[~standing.others["common"], "place"].isna().all()


def test_the_same_metric_again():
    table = packaged.published_scores("nas-bench-201").query("metric == 'naswot' and dataset == 'cifar10'")
    found = rank(table.rename(columns={"index": "architecture"}), resamples=20)
    row = own(found, "others", metric="naswot")
    assert (row["difference"], row["difference_low"], row["difference_high"]) == (0, 0, 0)
    assert (row["between"], row["steiger_p"]) == pytest.approx((1, 1))
    assert own(found, "coverage", population="all")["infinite"] == 201


def test_the_best_of_all_metrics(networks, accuracy):
    found = rank(accuracy, resamples=0)
    assert found.place == 1
    assert own(found, coverage="own")["spearman"] == 1
    top = found.top.set_index("measure")
    assert top.loc[["regret_1", "regret_10"], "own"].tolist() == [0, 0]
    assert top.loc["best_rank_10", "all"] == 1
    # One network equals the hundredth.
    assert top.loc["precision_100", "random"] == pytest.approx(101 / 15_625)
    # Without resamples there are no intervals of rho.
    assert found.coefficients["spearman_low"].isna().all()


def test_lower_scores_may_be_better(accuracy):
    first, second = (rank(sign * accuracy, resamples=10, higher_is_better=sign > 0) for sign in (1, -1))
    pd.testing.assert_frame_equal(first.others, second.others)
    assert "Lower scores predict" in str(second)
    assert "Lower scores predict" not in str(first)
    assert (second.scores == -first.scores).all()


def test_losses_are_turned():
    losses = performance_of(packaged.performance("nas-bench-nlp"), "ptb", "test", 50)
    found = rank(losses, "nas-bench-nlp", higher_is_better=False, resamples=20)
    assert (found.dataset, found.measure) == ("ptb", "loss")
    assert own(found, coverage="own")["spearman"] == 1
    assert own(found, "coverage", population="all")["networks"] == losses.notna().sum()
    assert "Losses were turned" in footnote(found)
    assert "nats" in str(found)
    assert list(found.partial["given"]) == ["parameters", "flops", "parameters_and_flops", "layers"]


def test_a_sample_is_compared_on_itself():
    networks = packaged.networks("nas-bench-101").iloc[:400]
    scores = networks.set_index("index")["depth"].astype(float)
    scores.iloc[:30] = np.nan
    found = rank(scores, "nas-bench-101", resamples=20)
    assert (found.split, found.epochs, found.sampled) == ("valid", 108, True)
    assert set(found.coverage["population"]) == {"all", "parameter_free", "distinct"}
    row = own(found, "coverage", population="all")
    assert (row["networks"], row["scored"], row["absent"], row["nan"]) == (15_000, 370, 14_600, 30)
    assert [own(found, coverage=name)["archs"] for name in ("own", "last", "first")] == [370, 400, 400]
    assert found.others["archs"].max() == 370
    better = found.others["spearman_other"] > found.others["spearman"]
    assert found.place == 1 + (better & found.others["common"]).sum()
    assert found.top.set_index("measure").loc["precision_10", "random"] == pytest.approx(10 / 400, rel=0.2)
    assert "over 370 of 15,000 networks" in str(found)
    assert "given, those without a score last" in str(found)
    assert in_sentences(found)[-1].startswith("scores were given of a sample of the networks")


def test_too_few_scores_for_a_place():
    """All networks were tried, and most failed."""
    networks = packaged.networks("nas-bench-101")
    scores = networks["depth"].where(networks["index"] % 5 < 2)
    found = rank(dict(zip(networks["index"], scores, strict=True)), "nas-bench-101", resamples=5)
    assert not found.sampled
    assert found.place is None
    assert set(found.coefficients["coverage"]) == {"own", "last", "first"}
    assert not found.others["common"].any()
    assert in_sentences(found)[1].startswith("without a place among the other metrics")
    assert [table.title for table in tables(found)][-1].startswith("Other metrics, each")


def test_metrics_of_few_classes_are_compared_in_pairs(standing, networks):
    """A fifth of the classes may be half of the networks."""
    classes = networks.set_index("index")["trained_as"]
    for one in rivals("nas-bench-201", "cifar10", networks):
        share = one.scores.notna().groupby(classes).any().mean()
        assert own(standing, "others", metric=one.name)["common"] == (share >= 0.5), one.name


def test_trainings_on_half_of_the_images(accuracy):
    found = rank(accuracy, dataset="cifar10-valid", split="test", epochs=200, resamples=0)
    assert "jacob_cov" in set(found.others["metric"])


def test_the_same_seed_gives_the_same(noisy, standing):
    again = rank(noisy.sample(frac=1, random_state=0), resamples=60)
    pd.testing.assert_frame_equal(again.others, standing.others)
    other = rank(noisy, resamples=60, seed=1)
    assert own(other, coverage="own")["spearman_low"] != own(standing, coverage="own")["spearman_low"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"benchmark": "nats"}, "benchmark: found 'nats', expected one of nas-bench-101, nas-bench-201, nas-bench-nlp"),
        (
            {"dataset": "ptb"},
            "dataset: found 'ptb', expected for nas-bench-201: cifar10, cifar10-valid, cifar100, ImageNet16-120",
        ),
        ({"split": "train"}, "split: found 'train', expected for nas-bench-201, cifar10: test, valid"),
        ({"epochs": 100}, "epochs: found 100, expected for nas-bench-201, cifar10, test: 200, 12"),
        ({"resamples": -1}, "resamples: found -1, expected 0 or more"),
    ],
)
def test_what_there_is_not(accuracy, arguments, message):
    with pytest.raises(InputError) as caught:
        rank(accuracy, **arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({0: 1, 1: 2, 2: 3, 3: 4}, "scores: found 4 networks with a score, 4 of them trained, expected at least 5"),
        (dict.fromkeys(range(9), float("nan")), "scores: found 0 networks with a score, 0 of them trained, expected "),
        (dict.fromkeys(range(9), 2.5), "scores: found 2.5 for all 9 networks, expected different ones"),
    ],
)
def test_too_little_to_rank(scores, message):
    with pytest.raises(InputError) as caught:
        rank(scores)
    assert str(caught.value).startswith(message)


def test_networks_that_perform_alike(networks):
    """Those whose outputs do not depend on their inputs answer at random."""
    apart = networks.loc[~networks["connected"], "index"].head(20)
    with pytest.raises(InputError, match=r"^scores: found 20 networks that perform alike, expected some that do not$"):
        rank(dict(zip(apart, range(20), strict=True)))


def test_it_prints_everything(standing):
    text = str(standing)
    assert text == repr(standing) == as_text(standing)
    lines = text.splitlines()
    assert lines[0] == standing.title
    assert lines[1].startswith(f"rho {own(standing, coverage='own')['spearman']:.3f} [")
    assert lines[1].endswith("over 12,500 of 15,625 networks")
    assert lines[2].startswith(f"place {standing.place} of ")
    assert "60 resamples (seed 0) of whole classes of networks that train alike" in " ".join(text.split())
    for words in (
        "no unreachable operations",
        "given parameters and FLOPs",
        "with skip edges",
        "tau, weighted",
        "MeCo",
    ):
        assert words in text
    assert "nan" not in text.replace("covariance", "")
    assert max(map(len, lines)) <= 120
    place = next(line for line in lines if "this metric" in line and line.split()[0] == str(standing.place))
    assert f"{own(standing, coverage='common')['spearman']:.3f}" in place


def test_scores_of_networks_elsewhere_are_counted():
    found = rank({**dict.fromkeys(range(9), 0.0), 9: 1.0, "f" * 32: 2.0}, "nas-bench-101", resamples=5)
    assert found.elsewhere == 1
    assert in_sentences(found)[-1] == "1 scores are of networks that the package has no accuracy of"


def test_it_is_offered_by_the_package():
    assert epsinas.rank is rank
