"""Tables from elsewhere: what is read, what is left out, what is refused, and the laws that come back from known numbers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hf_ctxscale.analysis.given_columns import parse_columns
from hf_ctxscale.analysis.given_fits import analyse_table
from hf_ctxscale.analysis.given_table import read_given_table, take_over_table
from hf_ctxscale.study import Study, UserError

Write = Callable[[str], Path]

CURVE = (2.4, 5.1, 0.61)  # Kaplan et al. 2020, figure 20, the fifth


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "given.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def rows(header: str, values: list[tuple[object, ...]]) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in values)]) + "\n"


def fitted(path: Path, folder: Path) -> dict:
    study = Study(folder)
    take_over_table(path, study=study)
    return analyse_table(study)


# Reading


@pytest.mark.parametrize("header", ["N,loss", " n , LOSS ", "body_params,loss_nats", "Body_Params,Loss", "\ufeffN,loss"])
def test_columns_are_known_by_the_papers_letters_and_the_packages_names_in_any_case(write: Write, header: str) -> None:
    table = read_given_table(write(f"{header}\n1e6,4.0\n2000000,3.5\n"))
    assert table.kind == "size"
    assert table.numbers["N"].tolist() == [1e6, 2e6]
    assert table.numbers["loss"].tolist() == [4.0, 3.5]
    assert table.notes == ()


def test_the_columns_decide_what_the_loss_is_a_function_of(write: Write) -> None:
    assert read_given_table(write("N,D,loss\n1,2,3\n1,4,3\n")).kind == "size and data"
    assert read_given_table(write("context_position,loss\n1,2\n2,3\n")).kind == "position"
    table = read_given_table(write("N,loss,series,std_error,seed\n1,2,b,0.1,0\n1,2,a,0.1,1\n2,2,b,0.1,0\n"))
    assert {name: len(part.series_P) for name, part in table.by_series.items()} == {"b": 2, "a": 1}
    assert table.by_series["b"].numbers["N"].tolist() == [1, 2]


def test_rows_without_a_number_are_left_out_and_counted_and_unused_columns_named(write: Write) -> None:
    table = read_given_table(write("N,loss,lr\n1e6,4.0,x\n2e6,,x\n3e6,NaN,x\n4e6,inf,x\n5e6,3,x\n"))
    assert table.numbers["N"].tolist() == [1e6, 5e6]
    assert table.notes == (
        "Left out: 3 of 5 rows of the table, where a number is missing or not finite.",
        "Columns of the table that were not used: lr.",
    )


def test_rows_of_one_setting_are_repeated_measurements_and_missing_positions_are_named(write: Write) -> None:
    table = read_given_table(write("position,loss\n1,2\n2,3\n4,3\n4,4\n8,1\n"))
    assert table.notes == (
        "5 rows are of 4 different positions: rows of the same are repeated measurements, and each weighs the same.",
        "4 of the positions 1-8 are not in the table (3, 5-7); the fit rests on the others.",
    )
    assert read_given_table(write("N,loss,series\n1,2,a\n1,3,b\n")).notes == ()


def test_copies_of_rows_and_a_single_setting_are_named(write: Write) -> None:
    table = read_given_table(write("N,loss\n1,2\n1,2\n1,3\n"))
    assert table.notes == (
        "3 rows are of one setting: rows of the same are repeated measurements, and each weighs the same.",
        "1 row repeats another in every number: leave out what are mere copies, since each counts as a measurement of its own and makes "
        "intervals narrower.",
    )


def test_a_table_without_any_law_does_not_blame_the_intervals(write: Write, tmp_path: Path) -> None:
    fits = fitted(write("N,loss\n1e6,3.1\n1e6,3.2\n1e6,3.3\n"), tmp_path / "fits")
    assert fits["intervals"]["sentence"] == "No intervals: no law could be fitted."


REFUSED = {
    "other names": ("params,val\n1,2\n2,3\n", "'params', 'val'; expected are (N, loss), (N, D, loss) or (position, loss)"),
    "what to do": ("params,val\n1,2\n2,3\n", "given.csv --columns N=params,loss=val`"),
    "no loss": ("N,D\n1,2\n", "expected are (N, loss)"),
    "size and position": ("N,position,loss\n1,2,3\n", "has 'N', 'position': loss against size and loss against position are two tables"),
    "two sizes": ("N,body_params,loss\n1,2,3\n", "has 2 columns for N: 'N', 'body_params'"),
    "one name twice": ("N,N,loss\n1,2,3\n", "two columns"),
    "text": ("N,loss\n1e6,2\n1.5M,3\n", "N is '1.5M' in row 2"),
    "size of 0": ("N,loss\n0,2\n1,3\n", "N is 0 in row 1 of"),
    "loss below 0": ("N,loss\n1,2\n1,-3\n", "loss is -3 in row 2"),
    "error of 0": ("N,loss,std_error\n1,2,0\n1,3,1\n", "std_error is 0 in row 1"),
    "position 0": ("position,loss\n0,2\n1,3\n", "position is 0 in row 1"),
    "half a position": ("position,loss\n1.5,2\n1,3\n", "it has to be a whole number"),
    "half a seed": ("N,loss,seed\n1,2,0.5\n1,3,1\n", "seed is 0.5 in row 1"),
    "one row": ("N,loss\n1,2\n2,\n", "has one row with all its numbers (of 2 in all); a fit needs 2"),
    "no row": ("N,loss\n", "has no row with all its numbers"),
    "empty file": ("", "not a table of comma-separated values"),
    "ragged": ("N,loss\n1,2\n1,2,3\n", "not a table of comma-separated values"),
    "numbers for names": ("1e6,4\n2e6,3\n", "The first line holds numbers: write a line of names above it"),
    "no command without a loss": ("N\n1\n2\n", "and seed. Add what is missing."),
    "a known position": ("position,nll\n1,2\n2,3\n", "--columns loss=nll`"),
    "names with blanks": ("size (M),tokens,val loss\n1,2,3\n", "--columns 'N=size (M),D=tokens,loss=val loss'`"),
    "decimal commas": ("N;loss\n1e6;3,1\n2e6;3,0\n", "separate the columns by commas, and write numbers with a decimal point"),
    "a semicolon for each comma": ("N,loss\n1e6,3,1\n", "write numbers with a decimal point"),
    "tabs": ("N\tloss\n1\t2\n", "has one column, 'N\\tloss'"),
    "semicolons": ("N;loss\n1;2\n", "separate the columns by commas"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_fitted_is_refused_in_a_sentence(write: Write, name: str) -> None:
    text, words = REFUSED[name]
    with pytest.raises(UserError) as caught:
        read_given_table(write(text))
    assert words in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        read_given_table(tmp_path / "nothing.csv")
    for start, kind in (
        (b"PK\x03\x04", "a spreadsheet"),
        (b"\xff\xfeN\x00", "text in UTF-16"),
        ("série,N,loss\n".encode("latin-1"), "not UTF-8"),
    ):
        (tmp_path / "other.csv").write_bytes(start)
        with pytest.raises(UserError, match=f"is {kind}.*save it as CSV in UTF-8"):
            read_given_table(tmp_path / "other.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="not a table of comma-separated values"):
        read_given_table(tmp_path / "binary.csv")


def test_named_columns_are_used_and_a_name_that_is_not_there_is_an_error(write: Write) -> None:
    path = write("N,params,val\n7,1e6,4\n7,2e6,3\n")
    table = read_given_table(path, columns=parse_columns("n=params, loss=VAL"))
    assert table.numbers["N"].tolist() == [1e6, 2e6]
    assert table.notes == ("Columns of the table that were not used: N.",)
    with pytest.raises(UserError, match=r"says that loss is 'vall', and .* has no such column; it has 'N', 'params', 'val'"):
        read_given_table(path, columns={"loss": "vall"})
    for text, words in (("params", "does not say which column"), ("size=params", "allowed before the '=' are N, D"), ("N=a,n=b", "twice")):
        with pytest.raises(UserError, match=words):
            parse_columns(text)


def test_a_copied_table_reads_as_the_original_with_its_names(write: Write, tmp_path: Path) -> None:
    path, study = write('N,params,val,who\n7,1e6,4,"a, b"\n7,2e6,,c\n7,3e6,2,d\n'), Study(tmp_path / "fits")
    columns = {"N": "params", "loss": "val", "series": "who"}
    take_over_table(path, study=study, columns=columns)
    original, copy = read_given_table(path, columns=columns), read_given_table(study.table_file)
    assert study.table_file.read_text().splitlines()[:2] == ["N (not used),N,loss,series", '7,1e6,4,"a, b"']
    assert copy.series_P == original.series_P == ("a, b", "d")
    assert copy.numbers["N"].tolist() == original.numbers["N"].tolist()


# Fits


def test_a_law_of_size_comes_back_from_a_table_of_two_series(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    given = [
        (n, (1.7 + a * n**-0.34) * (1 + rng.normal(0, 0.002)), name)
        for name, a in (("ours", 400), ("theirs", 300))
        for n in np.geomspace(1e6, 1e9, 10)
    ]
    fits = fitted(write(rows("N,loss,series", given)), tmp_path / "fits")
    assert (fits["format"], fits["source"], fits["intervals"]["covers"]) == (2, "table", "scatter")
    assert [(entry["series"], entry["form"]) for entry in fits["loss_vs_size"]] == [
        (series, form) for series in ("ours", "theirs") for form in ("(N_c/N)^alpha", "E + A*N^-alpha")
    ]
    for entry, a in ((fits["loss_vs_size"][1], 400), (fits["loss_vs_size"][3], 300)):
        for name, truth in (("e", 1.7), ("a", a), ("alpha", 0.34)):
            assert entry["params"][name]["low"] < truth < entry["params"][name]["high"]
        assert (entry["x"], entry["architecture"], len(entry["points"]), len(entry["curve"])) == ("body_params", None, 10, 40)
    (crossover,) = fits["crossovers"]
    assert crossover["verdict"] == "second is better throughout"
    assert crossover["sentence"].endswith("everywhere between 1,000,000 and 1e9 N."), "a table does not say what its N counts"


def test_the_order_of_rows_and_the_unit_of_size_do_not_change_the_exponent(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    given = [(n, (1.7 + 400 * n**-0.34) * (1 + rng.normal(0, 0.002))) for n in np.geomspace(1e6, 1e9, 8)]
    params = [
        fitted(write(rows("N,loss", values)), tmp_path / f"fits-{place}")["loss_vs_size"][1]["params"]
        for place, values in enumerate((given, given[::-1], [(n / 1e6, loss) for n, loss in given]))
    ]
    for other in params[1:]:
        assert other["alpha"]["value"] == pytest.approx(params[0]["alpha"]["value"], rel=1e-4)
        assert other["e"]["value"] == pytest.approx(params[0]["e"]["value"], rel=1e-4)


def test_hoffmanns_law_comes_back_from_a_table_of_size_and_data(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    given = [
        (n, d, (1.69 + 406.4 * n**-0.34 + 410.7 * d**-0.28) * (1 + rng.normal(0, 0.001)))
        for n in np.geomspace(1e7, 1e10, 5)
        for d in np.geomspace(1e9, 1e11, 4)
    ]
    fits = fitted(write(rows("N,D,loss", given)), tmp_path / "fits")
    added, joint = fits["loss_vs_size_and_data"]
    for name, truth in (("e", 1.69), ("alpha", 0.34), ("beta", 0.28)):
        assert added["params"][name]["low"] < truth < added["params"][name]["high"]
    assert joint["form"].startswith("[(N_c/N)")
    assert len(added["curves"]) == 5
    assert fits["loss_vs_size"] == []


def test_one_number_of_tokens_is_a_table_of_size_too_and_says_nothing_of_data(write: Write, tmp_path: Path) -> None:
    fits = fitted(write(rows("N,D,loss", [(n, 1e9, 400 * n**-0.3) for n in (1e6, 1e7, 1e8)])), tmp_path / "fits")
    assert fits["loss_vs_size"][0]["params"]["alpha"]["value"] == pytest.approx(0.3)
    assert "need 4 sizes or more with 3 budgets" in fits["loss_vs_size_and_data"][0]["reason"]


@pytest.mark.parametrize("positions", [range(1, 1025), [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987]])
def test_a_published_curve_comes_back_from_a_table_of_positions(write: Write, tmp_path: Path, positions: list[int]) -> None:
    rng, (l_inf, a, alpha) = np.random.default_rng(1), CURVE
    given = [(t, (l_inf + a * t**-alpha) * (1 + rng.normal(0, 0.005))) for t in positions]
    fits = fitted(write(rows("position,loss", given)), tmp_path / "fits")
    (entry,) = fits["loss_vs_position"]
    for name, truth in zip(("l_inf", "a", "alpha"), CURVE, strict=True):
        assert entry["params"][name]["low"] < truth < entry["params"][name]["high"]
    assert (entry["points"][0]["position_from"], entry["points"][-1]["position_to"]) == (1, max(positions))
    assert (entry["label"], entry["run_id"]) == ("all rows", None)


def test_given_errors_make_the_intervals_and_stand_at_the_points(write: Write, tmp_path: Path) -> None:
    def alpha(error: float) -> dict:
        given = [(n, 400 * n**-0.3, error, 0) for n in np.geomspace(1e6, 1e9, 6)]
        return fitted(write(rows("N,loss,std_error,seed", given)), tmp_path / f"fits-{error}")

    small, large = alpha(0.01), alpha(0.02)
    assert small["intervals"]["covers"] == "errors"
    assert small["intervals"]["seeds"] == [0]
    widths = [param["high"] - param["low"] for param in (fits["loss_vs_size"][0]["params"]["alpha"] for fits in (small, large))]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.05)
    point = small["loss_vs_size"][0]["points"][0]
    assert point["loss_high"] - point["loss_low"] == pytest.approx(2 * 1.96 * 0.01, rel=1e-3)


def test_two_rows_have_a_law_and_no_interval(write: Write, tmp_path: Path) -> None:
    fits = fitted(write("N,loss\n1e6,4\n1e7,3\n"), tmp_path / "fits")
    paper, offset = fits["loss_vs_size"]
    assert paper["params"]["alpha"]["value"] == pytest.approx(np.log10(4 / 3))
    assert paper["params"]["alpha"]["low"] is None
    assert offset["reason"]
    assert fits["intervals"]["covers"] == "none"
    assert fits["intervals"]["sentence"] in fits["notes"]
