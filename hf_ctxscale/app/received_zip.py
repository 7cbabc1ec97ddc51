"""unpack_study: the study in a zip file from outside, file by file: no other paths, no links, and no more bytes than are allowed."""

import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from hf_ctxscale.app.received_files import study_files
from hf_ctxscale.study import UserError

# The list of files at a zip file's end is read whole: a small file may claim to hold millions of them.
LARGEST_DIRECTORY_BYTES = 8_000_000
END, END_64, LONGEST_COMMENT = b"PK\x05\x06", b"PK\x06\x07", 65_535
# What no table or record comes near.
HIGHEST_RATIO, RATIO_FROM_BYTES = 100, 1_000_000
CHUNK_BYTES = 1_000_000


def unpack_study(path: Path, *, folder: Path, megabytes: int, name: str) -> None:
    """Unpacks the study's files.

    Args:
        path: the zip file.
        folder: that the study's files are written into.
        megabytes: of the files at most, when they are unpacked.
        name: of the zip file, for messages.

    Raises:
        UserError: it is no zip file that may be unpacked, or holds no study.
    """
    source = f"the zip file {name!r}"
    try:
        with path.open("rb") as file:
            _check_directory(file, source=source)
            with zipfile.ZipFile(file) as opened:
                _unpack(opened, folder=folder, megabytes=megabytes, source=source)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{source} cannot be read ({error}); make it again with any program for zip files.") from None


def _check_directory(file: BinaryIO, *, source: str) -> None:
    """Refuses what is no zip file, and one whose list of files is too long to be read."""
    size = file.seek(0, 2)
    file.seek(max(0, size - LONGEST_COMMENT - 22))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        raise UserError(f"{source} is no zip file; give a study folder as one.")
    directory_bytes = struct.unpack_from("<L", tail, at + 12)[0]
    if directory_bytes > LARGEST_DIRECTORY_BYTES or tail.rfind(END_64, 0, at) >= 0:
        raise UserError(f"{source} holds too many files; pack the study's own alone, or a copy that `hf-ctxscale condense` makes.")
    file.seek(0)


def _unpack(opened: zipfile.ZipFile, *, folder: Path, megabytes: int, source: str) -> None:
    entries = [info for info in opened.infolist() if not info.is_dir()]
    wanted = study_files((info.filename for info in entries), source=source)
    chosen = [info for info in entries if info.filename in wanted]
    if len(chosen) > len(wanted):
        raise UserError(f"{source} holds two files of one name; pack the study again.")
    total = sum(info.file_size for info in chosen)
    if total > megabytes * 1e6:
        raise UserError(
            f"the study in {source} has {total / 1e6:,.0f} MB; at most {megabytes:,} MB are read here: give a smaller copy, which "
            "`hf-ctxscale condense STUDY --out FOLDER` makes."
        )
    for info in chosen:
        _check_entry(info, source=source)
        _write(opened, info, folder / wanted[info.filename])


def _check_entry(info: zipfile.ZipInfo, *, source: str) -> None:
    where = f"{info.filename!r} in {source}"
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UserError(f"{where} is a link; pack the file itself.")
    if info.flag_bits & 0x1:
        raise UserError(f"{where} is encrypted; pack the study without a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{where} is packed in an unusual way; use the ordinary method (deflate).")
    if info.file_size > RATIO_FROM_BYTES and info.file_size > HIGHEST_RATIO * info.compress_size:
        raise UserError(f"{where} would unpack to {HIGHEST_RATIO} times its size or more, as no table or record of a study does.")


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Writes an entry; zipfile gives no more bytes than the entry's size says, which was counted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(info) as packed, target.open("xb") as file:
        while chunk := packed.read(CHUNK_BYTES):
            file.write(chunk)
