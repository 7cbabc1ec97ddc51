"""commands: what was typed to get a report, or what gets it again, and the settings that it takes."""

from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.study import Study

COMMAND = "hf-ctxscale"


def commands(sources: Sources) -> tuple[str, ...]:
    """Lines for a shell: of a table its analysis, of trained models everything from study.yaml on, of scores each call that made some.

    Folders of the machine that the report was written on are left out: STUDY is where the study lies.
    """
    if sources.table is not None:
        return (f"{COMMAND} analyse {sources.table.name} --out STUDY", f"{COMMAND} draw STUDY")
    scored = dict.fromkeys(score.command for score in sources.scores.values() if score.command)
    own = (f"{COMMAND} run study.yaml --out STUDY",) if sources.has_runs else ()
    return (*own, *scored)


def settings_text(study: Study) -> str:
    """study.yaml as it lies in the study; empty where there is none."""
    return study.config_file.read_text(encoding="utf-8").strip() if study.config_file.is_file() else ""
