"""unpack_study: a study comes out of its zip file, and nothing else does: no other paths, no links, no bombs."""

import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from given_results import packed, write_small_study

from hf_ctxscale.app import received_zip
from hf_ctxscale.app.received_files import MOST_FILES, study_files
from hf_ctxscale.app.received_zip import unpack_study
from hf_ctxscale.study import UserError

SCORE = "scores/a/score.json"


def written(path: Path, files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return path


def refused(path: Path, folder: Path, *, megabytes: int = 10) -> str:
    with pytest.raises(UserError) as caught:
        unpack_study(path, folder=folder, megabytes=megabytes, name=path.name)
    return str(caught.value)


@pytest.mark.parametrize("inside", ["", "demo/", "out/my study/"])
def test_a_study_comes_out_whole_wherever_it_lies_in_the_file(tmp_path: Path, inside: str) -> None:
    study = write_small_study(tmp_path / "study")
    unpack_study(packed(study.folder, to=tmp_path / "a.zip", inside=inside), folder=tmp_path / "out", megabytes=50, name="a.zip")
    files = {path.relative_to(study.folder): path.read_bytes() for path in study.folder.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == files


def test_only_files_of_a_study_are_unpacked(tmp_path: Path) -> None:
    others = [
        "runs/a/model/model.safetensors",
        "runs/a/checkpoints/x.bin",
        "results/fits.json",
        "report.html",
        "app.py",
        ".env",
        "__MACOSX/._a",
    ]
    unpack_study(written(tmp_path / "a.zip", {SCORE: b"{}"} | dict.fromkeys(others, b"x")), folder=tmp_path / "out", megabytes=1, name="a")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()] == [SCORE]


@pytest.mark.parametrize(
    "path",
    [
        "../../scores/a/score.json",
        "/scores/a/score.json",
        "scores/../../score.json",
        "scores/..%2f/score.json",
        "scores/a/../../../score.json",
        "scores\\a\\score.json",
        "scores/.hidden/score.json",
        "scores/a b\n/score.json",
    ],
)
def test_a_path_never_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    given = written(tmp_path / "a.zip", {SCORE.replace("/a/", "/b/"): b"{}", path: b"evil"})
    (tmp_path / "deep" / "er").mkdir(parents=True)
    with suppress(UserError):  # the path before a study is taken for its folder: then the file holds two studies
        unpack_study(given, folder=tmp_path / "deep" / "er" / "out", megabytes=1, name="a.zip")
    found = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert found - {"a.zip"} <= {"deep/er/out/scores/b/score.json"}


def test_a_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo(SCORE)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(info, "/etc/passwd")
    assert refused(tmp_path / "a.zip", tmp_path / "out") == f"{SCORE!r} in the zip file 'a.zip' is a link; pack the file itself."
    assert not (tmp_path / "out").exists()


def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path: Path) -> None:
    assert "would unpack to 100 times its size" in refused(written(tmp_path / "a.zip", {SCORE: bytes(5_000_000)}), tmp_path / "out")


def test_more_bytes_than_are_allowed_are_refused_before_any_is_written(tmp_path: Path) -> None:
    given = written(tmp_path / "a.zip", {SCORE: b"x" * 1_200_000, "scores/b/score.json": b"y" * 900_000}, method=zipfile.ZIP_STORED)
    assert "the study in the zip file 'a.zip' has 2 MB; at most 1 MB are read here" in refused(given, tmp_path / "out", megabytes=1)
    assert not (tmp_path / "out").exists()


def test_an_entry_gives_no_more_bytes_than_it_says(tmp_path: Path) -> None:
    given = written(tmp_path / "a.zip", {SCORE: b"x" * 3_000_000}, method=zipfile.ZIP_STORED)
    content = given.read_bytes()
    lie = content.replace(struct.pack("<LL", 3_000_000, 3_000_000), struct.pack("<LL", 3_000_000, 1_000))
    assert lie != content
    given.write_bytes(lie)
    assert "cannot be read" in refused(given, tmp_path / "out", megabytes=1)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= 1_000


def test_a_long_list_of_files_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = written(tmp_path / "a.zip", {f"runs/{number}/x": b"" for number in range(100)})
    monkeypatch.setattr(received_zip, "LARGEST_DIRECTORY_BYTES", 1_000)
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *given, **more: pytest.fail("it was read"))
    assert "holds too many files" in refused(given, tmp_path / "out")


def test_the_wide_form_of_zip_files_cannot_hide_a_long_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)  # from so many files on, that form is written
    given = written(tmp_path / "a.zip", {f"scores/{number}/score.json": b"{}" for number in range(5)})
    assert "holds too many files" in refused(given, tmp_path / "out")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(SCORE, "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr(SCORE, "{ }")
    assert "holds two files of one name" in refused(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"N,loss\n1,2\n", b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + bytes(5)])
def test_what_is_no_zip_file_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert refused(tmp_path / "a.zip", tmp_path / "out") == "the zip file 'a.zip' is no zip file; give a study folder as one."


def test_a_damaged_zip_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    given = written(tmp_path / "a.zip", {SCORE: bytes(range(256)) * 40})
    content = bytearray(given.read_bytes())
    content[60:90] = bytes(30)
    given.write_bytes(content)
    assert "the zip file 'a.zip' cannot be read" in refused(given, tmp_path / "out")


def test_a_password_is_refused_in_a_sentence(tmp_path: Path) -> None:
    given = written(tmp_path / "a.zip", {SCORE: b"{}"})
    content = bytearray(given.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    given.write_bytes(content)
    assert "is encrypted; pack the study without a password" in refused(given, tmp_path / "out")


def test_a_folder_without_a_study_and_one_with_two_are_refused() -> None:
    with pytest.raises(UserError, match=r"'x' holds no study: there is no scores/SCORE/score\.json in it\."):
        study_files(["runs/a/run.json", "study.yaml"], source="'x'")
    with pytest.raises(UserError, match=r"'x' holds 2 studies \(a, b\); give one of them\."):
        study_files(["a/scores/s/score.json", "b/scores/s/score.json"], source="'x'")


def test_more_files_than_a_study_has_are_refused() -> None:
    with pytest.raises(UserError, match="5,001 files; at most 5,000"):
        study_files([f"scores/{number}/score.json" for number in range(MOST_FILES + 1)], source="'x'")
