import pytest

from epsinas.errors import InputError
from epsinas.files.texts import sentences


def test_words_line_by_line(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text(" the cat\n\nsat \n", encoding="utf-8")
    assert list(sentences(path)) == [["the", "cat"], [], ["sat"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n\n", "found no words, expected tokens separated by white space"),
        (b"\xff\xfe", "not a readable text file: 'utf-8' codec can't decode"),
        (None, "not a readable text file: .*No such file"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, content, message):
    path = tmp_path / "train.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"train.txt: {message}"):
        list(sentences(path))
