"""study_files: which of the files that a visitor gives belong to a study, by their paths alone; all others are left where they are."""

import re
from collections.abc import Iterable

from hf_ctxscale.study import UserError

MOST_FILES = 5_000  # of one study: some hundred runs and scores
NAME = r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,150}"  # of a run or a score: a folder's name, and no way out of it
TAKEN = re.compile(
    r"(?P<root>(?:.*/)?)(?P<inside>"
    r"study\.yaml|table\.csv|tokens/corpus\.json"
    rf"|runs/{NAME}/(?:run\.json|history\.parquet|validation_curves\.parquet)"
    rf"|scores/{NAME}/(?:score\.json|(?:losses|losses_by_bin|losses_by_bytes|ablation)\.parquet)"
    r")"
)
DECIDING = re.compile(r"table\.csv|scores/[^/]*/score\.json")  # what makes a folder one that can be shown


def study_files(paths: Iterable[str], *, source: str) -> dict[str, str]:
    """The files of the one study among some paths: path as it was given -> path inside the study.

    The study may lie in a folder. Models, tokens, tables of results, charts and whatever else are not taken: the results are made anew.

    Args:
        paths: with slashes, of files.
        source: what holds them, for messages.

    Raises:
        UserError: there is no study, more than one, or one of too many files.
    """
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        if taken := TAKEN.fullmatch(path):
            found.setdefault(taken["root"], {})[path] = taken["inside"]
    roots = sorted(root for root, files in found.items() if any(map(DECIDING.fullmatch, files.values())))
    if not roots:
        raise UserError(
            f"{source} holds no study: there is no scores/SCORE/score.json in it. Give a study folder, or a smaller copy of one, which "
            "`hf-ctxscale condense STUDY --out FOLDER` makes."
        )
    if len(roots) > 1:
        named = ", ".join(root.rstrip("/") or "its top folder" for root in roots[:3])
        raise UserError(f"{source} holds {len(roots)} studies ({named}{' and more' if len(roots) > 3 else ''}); give one of them.")
    files = found[roots[0]]
    if len(files) > MOST_FILES:
        raise UserError(
            f"the study in {source} has {len(files):,} files; at most {MOST_FILES:,} are read here: show it on your computer with `hf-ctxscale space STUDY`."
        )
    return files
