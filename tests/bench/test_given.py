"""Scores are read from whatever people have them in, and a mistake is named with its line."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

from epsinas import InputError, NasBench101, NasBench201, NasBenchNLP
from epsinas.bench.given import from_naslib, read_scores_by_network
from epsinas.sources import packaged
from tests.refusals import refusal

SPACE = NasBench201()
CELLS = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
]
NETWORKS = pd.DataFrame({"index": [7, 2, 5], "architecture": CELLS})
LINEAR = '{"h_new_0": {"op": "linear", "input": ["x", "h_prev_0"]}}'
TURNED = '{"h_new_0": {"op": "linear", "input": ["h_prev_0", "x"]}}'


def read(scores, space=SPACE, networks=NETWORKS):
    return read_scores_by_network(scores, space, networks)


@pytest.fixture
def file(tmp_path):
    def written(text, name="scores.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return written


@pytest.fixture
def named(file):
    """The message for a file, without the name of its folder."""

    def message(text):
        path = file(text)
        return refusal(read, path).replace(str(path), "scores.csv")

    return message


def test_every_form_is_read_alike(file):
    scores = [0.5, -1.0, 3e9]
    table = pd.DataFrame({"architecture": CELLS, "score": scores, "more": ["a", "b", "c"]})
    path = file(table[["more", "score", "architecture"]].to_csv(index=False))
    for form in (table, dict(zip(CELLS, scores, strict=True)), pd.Series(scores, CELLS), path, str(path)):
        found = read(form)
        assert found.scores.to_dict() == {7: 0.5, 2: -1.0, 5: 3e9}
        assert found.reasons.tolist() == [""] * 3
        assert found.elsewhere == 0


def test_a_csv_from_elsewhere(file):
    """A byte-order mark, spaces, empty lines, quotes over several lines, and lines that end as on Windows."""
    text = f'\ufeffarchitecture , score\r\n\r\n "{CELLS[0]}" , 1\r\n'.replace(' "', '"').replace('" ', '"')
    text += f'{CELLS[1]},2\r\n"\r\n{CELLS[2]}",3\r\n\r\n'
    assert read(file(text)).scores.tolist() == [1, 2, 3]


def test_networks_without_a_score_have_a_reason():
    found = read({CELLS[0]: math.inf, CELLS[1]: math.nan})
    assert found.scores.isna().all()
    assert found.reasons.to_dict() == {7: "infinite", 2: "nan", 5: "absent"}


@pytest.mark.parametrize("empty", ["", "nan", "NaN", "None", "null", "NA", "-"])
def test_empty_scores_have_none(file, empty):
    found = read(file(f"architecture,score\n{CELLS[0]},{empty}\n{CELLS[1]},1\n"))
    assert found.reasons.tolist() == ["nan", "", "absent"]


@pytest.mark.parametrize(
    ("written", "expected"), [("inf", "infinite"), ("-Infinity", "infinite"), ("1e999", "infinite")]
)
def test_infinite_scores(file, written, expected):
    found = read(file(f"architecture,score\n{CELLS[0]},{written}\n"))
    assert found.reasons[7] == expected


@pytest.mark.parametrize("missing", [None, pd.NA, np.nan, float("nan")])
def test_missing_scores_of_a_mapping(missing):
    assert read({CELLS[0]: missing}).reasons[7] == "nan"


def test_naslibs_numbers_by_hand():
    """Edges 0-1, 0-2, 0-3, 1-2, 1-3, 2-3; skip connection, none, 3x3, 1x1, pooling."""
    assert from_naslib((2, 1, 4, 0, 1, 3)) == CELLS[0]
    assert from_naslib((1, 1, 0, 1, 1, 1)) == CELLS[1]
    with pytest.raises(
        InputError, match=r"^found \(1, 2\), expected six numbers of operations from 0 to 4, as NASLib's$"
    ):
        from_naslib((1, 2))


def test_naslib_numbers_every_network_once():
    cells = {from_naslib(numbers) for numbers in product(range(5), repeat=6)}
    assert cells == set(SPACE.architectures())


@pytest.mark.parametrize("written", ['"(2, 1, 4, 0, 1, 3)"', '"[2, 1, 4, 0, 1, 3]"', '"(2,1,4,0,1,3)"', "7", " 7 "])
def test_other_notations_in_a_file(file, written):
    assert read(file(f"architecture,score\n{written},0.25\n")).scores[7] == 0.25


@pytest.mark.parametrize("architecture", [(2, 1, 4, 0, 1, 3), 7, np.int64(7), "7"])
def test_other_notations_in_a_mapping(architecture):
    assert read({architecture: 0.25}).scores[7] == 0.25


def test_other_notations_in_a_data_frame():
    table = pd.DataFrame({"architecture": [[2, 1, 4, 0, 1, 3], np.array([1, 1, 0, 1, 1, 1]), 5], "score": [1, 2, 3]})
    assert read(table).scores.tolist() == [1, 2, 3]


def test_networks_of_the_space_that_the_package_does_not_have():
    elsewhere = "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
    found = read({CELLS[0]: 1.0, elsewhere: 2.0})
    assert (found.scores.count(), found.elsewhere) == (1, 1)
    assert refusal(read, {elsewhere: 2.0}) == (
        "scores: found none of the 3 networks of NAS-Bench-201 inside the package, expected scores of some"
    )


def test_hashes_and_other_matrices_of_nas_bench_101():
    space = NasBench101()
    networks = packaged.architectures("nas-bench-101").iloc[:20]
    first, second = networks["architecture"].iloc[:2]
    padded = "0100001000000000:input,conv3x3-bn-relu,conv1x1-bn-relu,output"
    found = read({first: 1.0, space.graph_hash(second): 2.0, "f" * 32: 3.0}, space, networks)
    assert found.scores.iloc[:2].tolist() == [1.0, 2.0]
    assert found.elsewhere == 1
    message = refusal(read, {padded: 1.0}, space, networks)
    assert message.startswith("scores, entry 1: found no path from input to output")
    table = pd.DataFrame({"index": [3], "architecture": ["010001000:input,conv3x3-bn-relu,output"]})
    # Vertex 2 leads nowhere.
    same = "0110000100000000:input,conv3x3-bn-relu,conv1x1-bn-relu,output"
    assert read({same: 4.0}, space, table).scores[3] == 4.0
    message = refusal(read, {table["architecture"][0]: 1.0, same: 4.0}, space, table)
    assert message == f"scores, entry 2: found {same}, the network of entry 1, expected each network once"


def test_recipes_of_one_cell():
    networks = pd.DataFrame({"index": [1_000_004, 1_000_009], "architecture": [LINEAR, LINEAR]})
    assert read({TURNED: 2.0}, NasBenchNLP(), networks).scores.tolist() == [2.0, 2.0]
    assert read({1_000_009: 2.0}, NasBenchNLP(), networks).reasons.tolist() == ["absent", ""]
    assert "the network of entry 1" in refusal(read, {LINEAR: 2.0, TURNED: 2.0}, NasBenchNLP(), networks)
    message = refusal(read, {"{}": 1.0}, NasBenchNLP(), networks)
    assert message.startswith("scores, entry 1: recipe: found an empty object")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            f"{CELLS[0]},1\n{CELLS[1]},2\n{CELLS[0]},1\n",
            f"scores.csv, line 4: found {CELLS[0]}, the network of line 2, ",
        ),
        (
            f'{CELLS[0]},1\n"(2, 1, 4, 0, 1, 3)",2\n',
            "scores.csv, line 3: found (2, 1, 4, 0, 1, 3), the network of line 2, ",
        ),
        (
            f"7,1\n{CELLS[0]},2\n",
            f"scores.csv, line 3: found {CELLS[0]}, the network of line 2, expected each network once",
        ),
        (
            "|conv~0|,1\n",
            "scores.csv, line 2: unknown operation 'conv': expected one of none, skip_connect, nor_conv_1x1",
        ),
        ("|none~0|,1\n", "scores.csv, line 2: malformed architecture '|none~0|': expected '|op~0|+|op~0|op~1|+|op~0|"),
        ("\n\n3,1\n", "scores.csv, line 4: found index 3, expected one of NAS-Bench-201's 3, 2 to 7"),
        (
            '"(1, 2)",1\n',
            "scores.csv, line 2: found (1, 2), expected six numbers of operations from 0 to 4, as NASLib's",
        ),
        (
            '"(1, 2, 3, 4, 5, 0)",1\n',
            "scores.csv, line 2: found (1, 2, 3, 4, 5, 0), expected six numbers of operations",
        ),
        ('"(1, 2, a)",1\n', "scores.csv, line 2: unknown operation '(1, 2, a)': expected one of none, "),
        ("(" + 5000 * "-" + "1),1\n", "scores.csv, line 2: unknown operation '(----"),
        (",1\n", "scores.csv, line 2: unknown operation '': expected one of none, "),
        (f"{CELLS[0]},1_0\n", "scores.csv, line 2: column score: found 1_0, expected a number"),
        (f"{CELLS[0]},\u0663\n", "scores.csv, line 2: column score: found \u0663, expected a number"),
        (f"{CELLS[0]},high\n", "scores.csv, line 2: column score: found high, expected a number"),
        (
            "(2, 1, 4, 0, 1, 3),2\n",
            "scores.csv, line 2: found 7 fields, expected 2 (one with commas in it needs quotes)",
        ),
        (f"{CELLS[0]}\n", "scores.csv, line 2: found 1 fields, expected 2 (one with commas in it needs quotes)"),
        ("", "scores.csv: found no scores, expected scores of some"),
    ],
)
def test_mistakes_are_named_with_their_line(named, rows, message):
    assert named("architecture,score\n" + rows).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "scores.csv: column architecture is missing; found no columns"),
        ("arch,score\n", "scores.csv: column architecture is missing; found arch, score"),
        ("architecture,naswot\n", "scores.csv: column score is missing; found architecture, naswot"),
        ("architecture,score,score\n", "scores.csv: column score appears 2 times, expected once"),
        (
            b"architecture,score\n\xff\xfe,1\n",
            "scores.csv: not a readable CSV file: 'utf-8' codec can't decode byte 0xff",
        ),
        ('architecture,score\n"' + "x" * 200_000 + '",1\n', "scores.csv: not a readable CSV file: field larger than"),
    ],
)
def test_files_that_are_no_scores(named, text, message):
    assert named(text).startswith(message)


def test_no_such_file(tmp_path):
    assert refusal(read, tmp_path / "none.csv").endswith("none.csv: found no such file, expected a file")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1, 2], "scores: found list, expected a path, a data frame, a series or a mapping of scores by architecture"),
        ({}, "scores: found no scores, expected scores of some"),
        ({None: 1}, "scores, entry 1: architecture: found None, expected a string of NAS-Bench-201"),
        ({CELLS[0]: "high"}, "scores, entry 1: column score: found high, expected a number"),
        ({CELLS[0]: 10**5000}, "scores, entry 1: column score: found an integer of 16610 bits, expected a number"),
        ({CELLS[0]: [1]}, "scores, entry 1: column score: found [1], expected a number"),
        ({CELLS[0]: True}, "scores, entry 1: column score: found True, expected a number"),
        (pd.DataFrame({"architecture": CELLS}), "scores: column score is missing; found architecture"),
        (
            pd.DataFrame({"architecture": [CELLS[0]] * 2, "score": [1, 1]}),
            f"scores, row 2: found {CELLS[0]}, the network of row 1, expected each network once",
        ),
    ],
)
def test_objects_that_are_no_scores(scores, message):
    assert refusal(read, scores) == message
