"""Files of texts: the columns are found, what is wrong is named."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import inspect
from engine.errors import UserError
from engine.tabular import TableOptions
from engine.text.read import class_names, is_running_text, read_corpus, read_labelled

REVIEWS = [
    ("The soup was cold, and the waiter looked the other way.", "bad", 3),
    ("A lovely evening; we shall come again.", "good", 9),
    ("Too loud. Too dear. Too bad.", "bad", 2),
    ("Best noodles in town, by far!", "good", 10),
]


def write(path, rows, names=("comment", "stars", "score")):
    path.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows))
    return path


def test_text_and_class_are_found_in_json_lines(tmp_path):
    read = read_labelled(write(tmp_path / "a", REVIEWS), label="stars")
    assert read.detected == {"format": "json", "text": "comment", "label": "stars"}
    assert read.labels == ["bad", "good", "bad", "good"]
    assert read.texts[3] == REVIEWS[3][0]


def test_text_and_class_are_found_in_a_table_of_any_dialect(tmp_path):
    path = tmp_path / "b"
    lines = [f'{number};"{text}";{label}' for number, (text, label, _) in enumerate(REVIEWS * 5)]
    path.write_bytes(("nr;bewertung;urteil\n" + "\n".join(lines)).encode("cp1252"))
    read = read_labelled(path)
    assert (read.detected["text"], read.detected["label"]) == ("bewertung", "urteil")
    assert len(read.texts) == 20


def test_a_parquet_file_keeps_its_classes_in_order(tmp_path):
    path = tmp_path / "c.parquet"
    pq.write_table(pa.table({"text": [r[0] for r in REVIEWS], "label": [10, 9, 9, 10]}), path)
    read = read_labelled(path)
    assert class_names(read.labels or []) == ["9", "10"]


def test_columns_can_be_corrected_and_wrong_names_are_told_with_those_there_are(tmp_path):
    path = write(tmp_path / "d", REVIEWS)
    assert read_labelled(path, text="stars", label="score").texts[0] == "bad"
    with pytest.raises(UserError, match="no column mood") as caught:
        read_labelled(path, label="mood")
    assert caught.value.field == "label"
    assert "comment, stars, score" in (caught.value.hint or "")


def test_rows_without_text_or_class_are_left_out_and_counted(tmp_path):
    read = read_labelled(write(tmp_path / "e", [*REVIEWS, ("  ", "bad", 1), ("Fine.", None, 1)]), label="stars")
    assert len(read.texts) == 4
    assert read.findings[-1].values == {"count": 2}


def test_a_file_without_classes_is_refused_with_the_way_out(tmp_path):
    path = write(tmp_path / "f", [(text,) for text, _, _ in REVIEWS], ("comment",))
    with pytest.raises(UserError, match="No column holds classes") as caught:
        read_labelled(path)
    assert "Text corpus" in (caught.value.hint or "")


def test_a_broken_line_of_json_is_named(tmp_path):
    path = tmp_path / "g"
    path.write_text('{"text": "a", "label": 1}\n{"text": "b", "label"\n')
    with pytest.raises(UserError, match="Line 2 is not a JSON object"):
        read_labelled(path)


def test_plain_text_is_one_document_or_many(tmp_path):
    path = tmp_path / "h.txt"
    path.write_bytes("\ufeffFirst line\r\nsecond line\r\n\r\nNew paragraph.".encode())
    assert read_corpus(path).texts == ["First line\nsecond line\n\nNew paragraph."]
    assert len(read_corpus(path, divided="paragraphs").texts) == 2
    assert len(read_corpus(path, divided="lines").texts) == 3


def test_a_text_that_begins_like_json_is_still_text(tmp_path):
    path = tmp_path / "i.txt"
    for content in ("[Chapter 1]\nIt was late.", "{draft}\nIt was late."):
        path.write_text(content)
        assert read_corpus(path).texts == [content]


def test_chinese_text_in_its_own_encoding_is_read(tmp_path):
    path = tmp_path / "j.txt"
    text = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
    path.write_bytes(text.encode("gb18030"))
    assert read_corpus(path).texts == [text]


def test_a_wrong_encoding_and_an_empty_file_are_named(tmp_path):
    path = tmp_path / "k.txt"
    path.write_bytes("Müll".encode("latin-1"))
    with pytest.raises(UserError, match="Byte 1 is not utf-8"):
        read_corpus(path, options=TableOptions(encoding="utf-8"))
    path.write_bytes(b" \n\n")
    with pytest.raises(UserError, match="holds no text"):
        read_corpus(path)


@pytest.mark.parametrize(
    ("content", "is_prose"),
    [
        (
            "It was late, and nobody came.\nThe lamp, the old one, went out.\n\nThen, at last, a knock at the door.\n",
            True,
        ),
        ("It is a truth universally acknowledged, that a single man must be in want of a wife.", True),
        ("name,age\nAnn,3\nBob,4\nCid,5\n", False),
        ('review,stars\n"Cold, loud, and dear.",1\n"Fine; we shall come again",5\n"So, so",3\n"No",1\n', False),
        ("床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n春眠不觉晓，处处闻啼鸟。\n", True),
        ("a;b\n1;2\n3;4\n", False),
        ("one\ntwo\nthree\nfour\n", False),
        ('{"text": "a line of json that is quite long indeed, with many words in it"}', False),
    ],
)
def test_running_text_is_told_from_a_table(tmp_path, content, is_prose):
    path = tmp_path / "upload"
    path.write_text(content)
    assert is_running_text(path) is is_prose


def test_an_upload_of_running_text_is_described(tmp_path):
    path = tmp_path / "upload"
    path.write_text("It was late, and nobody came.\n\nThe lamp, the old one, went out.\n\nThen a knock at the door.\n")
    found = inspect.inspect_file(path, {})
    assert (found["kind"], found["count"], found["task"]) == ("text", 3, "language_model")
    assert found["preview"]["items"][1]["text"] == "The lamp, the old one, went out."
