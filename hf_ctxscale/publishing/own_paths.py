"""without_own_paths: takes folders of the machine that made a study out of a copy of it; they say nothing to others."""

import json
import re
import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from hf_ctxscale.charts.chosen_scores import FOLDERS_THAT_SAY_NOTHING
from hf_ctxscale.files import read_table, write_aside, write_json, write_record
from hf_ctxscale.reporting.card_words import is_folder
from hf_ctxscale.study import Study

NAMELESS = "local"  # of a path that ends in no name, such as `..`
# At least two names with a slash before each; quotes, spaces and `=` end it.
_PATH_IN_TEXT = re.compile(r"""(?:[A-Za-z]:|~)?[^\s'"=:()\\/]*(?:[\\/]+[^\s'"=:()\\/]+){2,}[\\/]?""")


def without_own_paths(study: Study) -> None:
    """Puts the last name of a path in place of every path of a corpus, tokenizer or model, in commands and in reasons of failed runs.

    Paths inside the study stay, and so do ids of the Hub.
    """
    _settings(study)
    _corpus(study)
    for run in study.run_records():
        if run.reason:
            write_record(study.run_file(run.run_id), run.model_copy(update={"reason": name_in_text(run.reason)}))
    given = {}
    for score in study.score_records():
        changes: dict[str, Any] = {"corpus": name_of_path(score.corpus)}
        if score.run_id is None:
            changes["model"] = given[score.model] = name_of_path(score.model)
        if score.command:
            changes["command"] = shlex.join(_word(word) for word in shlex.split(score.command))
        write_record(study.score_file(score.score_id), score.model_copy(update=changes))
    _runs_table(study, given)
    for path in (study.fits_file, study.comparisons_file):
        if path.is_file():
            write_json(path, _walked(json.loads(path.read_text(encoding="utf-8")), given))


def name_of_path(value: str) -> str:
    """The last name of a path that says something; what is no path, as it is."""
    if not (is_folder(value) or ("/" in value and Path(value).exists())):
        return value
    parts = PureWindowsPath(value) if "\\" in value else PurePosixPath(value)
    name = parts.parent.name if parts.name in FOLDERS_THAT_SAY_NOTHING else parts.name
    return NAMELESS if name in ("", "..", "~") else name


def name_in_text(text: str) -> str:
    """A text with the last name of every path in it in its place."""
    return _PATH_IN_TEXT.sub(lambda found: name_of_path(found[0]), text)


def _word(word: str) -> str:
    """A word of a command; ``--flag=PATH`` keeps its flag."""
    flag, equals, value = word.partition("=")
    return f"{flag}={name_of_path(value)}" if equals and flag.startswith("--") else name_of_path(word)


def _settings(study: Study) -> None:
    if not study.config_file.is_file():
        return
    yaml = YAML()
    settings = yaml.load(study.config_file)
    _name_paths(settings, parts=("corpus", "tokenizer"))
    write_aside(study.config_file, partial(yaml.dump, settings))


def _corpus(study: Study) -> None:
    path = study.tokens / "corpus.json"
    if path.is_file():
        record = json.loads(path.read_text(encoding="utf-8"))
        _name_paths(record, parts=("corpus_settings", "tokenizer_settings"))
        write_json(path, record)


def _name_paths(settings: Any, *, parts: tuple[str, ...]) -> None:
    for part in parts:
        if (settings.get(part) or {}).get("path"):
            settings[part]["path"] = name_of_path(str(settings[part]["path"]))


def _runs_table(study: Study, given: Mapping[str, str]) -> None:
    """The models that were given by a path, and why runs failed."""
    path = study.results_file("runs")
    if not path.is_file():
        return
    table = read_table(path)
    for column, change in (("model", lambda model: given.get(model, model)), ("reason", name_in_text)):
        values = [value and change(value) for value in table[column].to_pylist()]
        table = table.set_column(table.column_names.index(column), table.schema.field(column), pa.array(values, pa.string()))
    write_aside(path, partial(pq.write_table, table))


def _walked(value: Any, given: Mapping[str, str]) -> Any:
    """A JSON value with those names in place of the paths."""
    if isinstance(value, str):
        return given.get(value, value)
    if isinstance(value, dict):
        return {given.get(key, key): _walked(item, given) for key, item in value.items()}
    return [_walked(item, given) for item in value] if isinstance(value, list) else value
