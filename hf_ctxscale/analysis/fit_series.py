"""fit_series: which runs one law against size is fitted to, and what that line is called: a family and, where several are compared, its depth."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hf_ctxscale.analysis.ladder import Ladder, UntestableError, family_of
from hf_ctxscale.analysis.measured import Measured, MeasuredRun
from hf_ctxscale.architectures import TABLE, family_label, series_label
from hf_ctxscale.records import RunRecord


@dataclass(frozen=True)
class FitSeries:
    """Runs of one family, small to large, at one depth or with a depth for every size.

    Attributes:
        name: as the runs' own, ``lstm-2``; the architecture alone where every size has its own depth.
        architecture: a name of architectures.TABLE, or of another version's.
        num_layers: None where every size has its own depth.
        label: for charts, ``LSTM, 2 layers``.
        words: for sentences, ``the 2-layer LSTM``.
        index_P: places of the runs among Measured.runs.
    """

    name: str
    architecture: str
    num_layers: int | None
    label: str
    words: str
    runs: tuple[MeasuredRun, ...]
    index_P: tuple[int, ...]


def fit_series(measured: Measured) -> tuple[FitSeries, ...]:
    """Groups runs by family and depth, in the table's order; a family whose depth changes with size is one series."""
    runs = measured.runs
    places: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, run in enumerate(runs):
        places[run.record.architecture][run.record.num_layers].append(place)
    series = []
    for architecture in [name for name in TABLE if name in places] + sorted(set(places) - set(TABLE)):
        family = family_label(architecture)
        by_depth = places[architecture]
        if len(by_depth) > 1 and depth_follows_size(measured.planned, architecture):
            everywhere = [place for own in by_depth.values() for place in own]
            series.append(_series(runs, everywhere, name=architecture, num_layers=None, label=family, words=f"the {family}"))
            continue
        for depth in sorted(by_depth):
            names = {
                "name": f"{architecture}-{depth}",
                "label": series_label(architecture, (depth,)),
                "words": f"the {depth}-layer {family}",
            }
            series.append(_series(runs, by_depth[depth], num_layers=depth, **names))
    return tuple(series)


def best_lstm_series(measured: Measured) -> FitSeries | None:
    """The LSTMs of lowest validation loss at every size as one line; None where there are not several depths to choose from."""
    if len({run.record.num_layers for run in measured.runs if family_of(run.record.architecture) == "LSTM"}) < 2:
        return None
    chosen: list[str] = []
    ladder = Ladder(measured)
    for size in ladder.sizes:
        try:
            chosen += [run.record.run_id for run in ladder.best("LSTM", size=size)]
        except UntestableError:
            continue
    places = [place for place, run in enumerate(measured.runs) if run.record.run_id in chosen]
    if not places:
        return None
    label, words = "LSTM, best depth at each size", "the LSTM of the best depth at each size"
    return _series(measured.runs, places, name="lstm-best", num_layers=None, label=label, words=words)


def depth_follows_size(planned: Sequence[RunRecord], architecture: str) -> bool:
    """Whether a family has several depths, and the sizes of no two of them overlap; runs that are not finished count, since they are to come."""
    sizes: dict[int, set[int]] = defaultdict(set)
    for run in planned:
        if run.architecture == architecture:
            sizes[run.num_layers].add(run.target_body_params)
    ranges = sorted((min(own), max(own)) for own in sizes.values())
    return len(ranges) > 1 and all(low > before for (_, before), (low, _) in pairwise(ranges))


def _series(runs: Sequence[MeasuredRun], places: Sequence[int], *, name: str, num_layers: int | None, label: str, words: str) -> FitSeries:
    records = [run.record for run in runs]
    ordered = sorted(places, key=lambda p: (records[p].params.body, records[p].train_tokens, records[p].seed, records[p].run_id))
    chosen = tuple(runs[place] for place in ordered)
    return FitSeries(name, chosen[0].record.architecture, num_layers, label, words, chosen, tuple(ordered))
