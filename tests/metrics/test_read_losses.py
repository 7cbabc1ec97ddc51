"""Losses as somebody pastes them: every form is read as it is meant, and what may mean two things is refused."""

from pathlib import Path

import pytest

from hf_ctxscale.metrics.per_position_loss.example_losses import CONTEXT_TOKENS, NUM_BLOCKS, NUM_DOCUMENTS, example_csv
from hf_ctxscale.metrics.per_position_loss.read_losses import read_losses, read_losses_file
from hf_ctxscale.study import UserError

ROWS = [[3.5, 2.0], [4.0, 1.25]]
NAMED = {"predictions": ROWS, "document_ids": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("3.5,2.0\n4.0,1.25", {"predictions": ROWS}),
        ("3.5;2.0\n4.0;1.25\n", {"predictions": ROWS}),
        ("3.5\t2.0\n\n4.0\t1.25\n", {"predictions": ROWS}),
        ("a,3.5,2.0\r\nb, 4.0 ,1.25", NAMED),
        ('"a",3.5,2.0\n"b",4.0,1.25', NAMED),
        ('"x, y",3.5,2.0\nb,4.0,1.25', {"predictions": ROWS, "document_ids": ["x, y", "b"]}),
        ("document_id,loss at 1,loss at 2\na,3.5,2.0\nb,4.0,1.25", NAMED),
        ("name,1,2\na,3.5,2.0\nb,4.0,1.25", NAMED),
        ("document_id,1,2\n7,3.5,2.0\n8,4.0,1.25", {"predictions": ROWS, "document_ids": ["7", "8"]}),
        ("first,second\n3.5,2.0\n4.0,1.25", {"predictions": ROWS}),
        ("3,2\n4,1", {"predictions": [[3.0, 2.0], [4.0, 1.0]]}),
        ("3.5\n4.0", {"predictions": [[3.5], [4.0]]}),
        ("[[3.5, 2.0], [4.0, 1.25]]", {"predictions": ROWS}),
        ('{"predictions": [[3.5, 2.0], [4.0, 1.25]], "document_ids": ["a", "b"]}', NAMED),
        ('{"predictions": [[3.5]], "num_bytes": [[4]]}', {"predictions": [[3.5]], "num_bytes": [[4]]}),
        # Left to the metric, which names the row.
        ("a,3.5,2.0\nb,4.0", {"predictions": [[3.5, 2.0], [4.0]], "document_ids": ["a", "b"]}),
        ("3.5,-2.0\n4.0,1.25", {"predictions": [[3.5, -2.0], [4.0, 1.25]]}),
    ],
)
def test_every_form_is_read_as_it_is_meant(text: str, given: dict[str, object]) -> None:
    assert read_losses(text) == given


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" \n", "there are no losses; paste a line of losses for each block of text, or upload a CSV or JSON file."),
        ("document_id,1,2", "there is a header and no line of losses under it; add a line of losses for each block of text."),
        (
            "a,3.5,high\nb,4.0,1.25",
            "line 1, column 3 holds 'high'; a loss is a number with a decimal point, as 3.25, and ",
        ),
        ("a,3.5,\nb,4.0,1.25", "line 1, column 3 is empty; a loss is a number with a decimal point, as 3.25, and "),
        ("3,5;2,0\n4,0;1,2", "line 1, column 2 holds '2,0'; a loss is a number with a decimal point, as 3.25, and "),
        (
            "1,2,3\n3.5,2.0,1.5",
            "the first line counts from 1 to 3, as a header does: leave it out, or write 1.0 if it really is a row of losses.",
        ),
        (
            "1,3.5,2.0\n2,4.0,1.25",
            "the first column holds whole numbers, the others do not: if these are document ids, begin with a header line whose first name "
            "is document_id; if they are losses, write them as 3.0.",
        ),
        ('{"losses": [[1.0]]}', "the JSON object has the unknown name 'losses'; it holds predictions and, where you have them, "),
        ('{"num_bytes": [[1]]}', "the JSON object has no predictions; it holds predictions and, where you have them, "),
        ("[[3.5, 2.0],", "this begins like JSON and is not: "),
        ("[" * 100_000, "this begins like JSON and is not: "),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read_losses(text)
    assert str(caught.value).startswith(sentence)


def test_a_file_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("a;3.5;2.0\nb;4.0;1.25\n", encoding="utf-8-sig")
    assert read_losses_file(path) == NAMED


def test_a_file_that_is_not_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "losses.parquet"
    path.write_bytes(b"PAR1\xff\xfe\x00")
    with pytest.raises(UserError, match=r"^losses\.parquet is not a text file in UTF-8; upload losses as CSV or JSON\.$"):
        read_losses_file(path)


def test_the_example_is_read_whole() -> None:
    given = read_losses(example_csv())
    assert {len(row) for row in given["predictions"]} == {CONTEXT_TOKENS}
    assert len(given["predictions"]) == NUM_BLOCKS
    assert len(set(given["document_ids"])) == NUM_DOCUMENTS
