"""How long do the analysis, the charts and the report of 60 runs take? Asked for: report.html in under 10 seconds and 5 MB.

The report holds every chart as SVG, so that its time is taken with these drawn anew; PNG and PDF are files beside it.

``OMP_NUM_THREADS=1 python benchmarks/report_speed.py``

The study is simulated (simulated_folder.py): four families at five sizes with three seeds, 200 documents, 1,024 positions, an ablation of every run.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from simulated_folder import write_simulated_study

from hf_ctxscale.analysis.results import analyse_study, build_results
from hf_ctxscale.charts.draw import draw_study, save_chart
from hf_ctxscale.charts.study_charts import study_charts
from hf_ctxscale.reporting.report import write_report

TARGET_SECONDS, TARGET_BYTES = 10.0, 5_000_000
DRAWN, WRITTEN = "every chart as SVG", "report.html and report.md"


def main() -> None:
    """Times every stage and prints the medians, and the size of the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = write_simulated_study(Path(folder), context_tokens=arguments.context, num_documents=arguments.documents)
        # Each stage reads what those before it wrote.
        stages: dict[str, Callable[[], object]] = {
            "analyse: tables": lambda: build_results(study),
            "analyse: fits, plateaus, claims": lambda: analyse_study(study),
            DRAWN: lambda: [save_chart(chart, study.charts / name, forms=("svg",)) for name, chart in study_charts(study).items()],
            WRITTEN: lambda: write_report(study),
            "every chart as SVG, PNG and PDF": lambda: draw_study(study),
        }
        spent = {name: [_seconds(stage) for _ in range(arguments.rounds)] for name, stage in stages.items()}
        num_runs, size = len(study.run_records()), (study.folder / "report.html").stat().st_size
    table = Table(
        "",
        "seconds",
        "of processor time",
        "asked",
        title=f"{num_runs} runs, {arguments.documents} documents, {arguments.context} positions, median of {arguments.rounds}",
    )
    seconds = {name: tuple(statistics.median(times) for times in zip(*rounds, strict=True)) for name, rounds in spent.items()}
    for name, (clock, processor) in seconds.items():
        table.add_row(name, f"{clock:.1f}", f"{processor:.1f}")
    clock, processor = (drawn + written for drawn, written in zip(seconds[DRAWN], seconds[WRITTEN], strict=True))
    table.add_row("report with its charts", f"{clock:.1f}", f"{processor:.1f}", _asked(clock, TARGET_SECONDS, f"{TARGET_SECONDS:g} s"))
    table.add_row("size of report.html", f"{size / 1e6:.2f} MB", "", _asked(size, TARGET_BYTES, f"{TARGET_BYTES / 1e6:g} MB"))
    Console(width=120).print(table)


def _asked(value: float, limit: float, words: str) -> str:
    return f"{'under' if value < limit else 'NOT under'} {words}"


def _seconds(stage: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of the processor: on a machine with other work the second says more."""
    started, processor = time.perf_counter(), time.process_time()
    stage()
    return time.perf_counter() - started, time.process_time() - processor


if __name__ == "__main__":
    main()
