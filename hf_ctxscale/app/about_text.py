"""about_html: what the page is, what the paper says, how to read and where it ends, how the numbers came about, and the command behind each chart."""

from dataclasses import dataclass

from hf_ctxscale.analysis.training_curves import MIN_GAP_CONTEXT
from hf_ctxscale.analysis.verdicts import MIN_DOCUMENTS
from hf_ctxscale.paper import ALPHA_N, APPROXIMATE, POSITION_CURVES
from hf_ctxscale.reporting.citations import CITATIONS, bibtex
from hf_ctxscale.reporting.commands import COMMAND, commands
from hf_ctxscale.reporting.methods import methods_paragraph, software_version
from hf_ctxscale.reporting.render import render
from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.reporting.words import how_to_read

PAPER = "https://arxiv.org/abs/2001.08361"
PAPER_NAME = CITATIONS["kaplan2020"].in_text
# After how many tokens the paper's curves are compared: it calls an LSTM flat before the first.
PAPER_FROM, PAPER_TO = 100, 1024


@dataclass(frozen=True)
class ChartCommand:
    """What draws a chart of this page on one's own computer."""

    chart: str
    command: str
    gives: str


CHART_COMMANDS = (
    ChartCommand(
        "Charts: loss by size",
        f"{COMMAND} draw STUDY",
        "charts/loss_vs_parameters.svg, .png and .pdf; loss_vs_total_parameters, _flops, _seconds",
    ),
    ChartCommand("Charts: loss by position", f"{COMMAND} draw STUDY", "charts/loss_vs_position.svg, .png and .pdf"),
    ChartCommand("Charts: the paper's values beside them", f"{COMMAND} draw STUDY --paper", "the same files"),
    ChartCommand(
        "Compare", f"{COMMAND} score MODEL OTHER --corpus CORPUS --out STUDY", "results/comparisons.json; of a study's own models, analyse"
    ),
    ChartCommand(
        "Training",
        f"{COMMAND} run study.yaml --out STUDY",
        "runs/RUN/history.parquet and validation_curves.parquet; charts/loss_vs_tokens.svg",
    ),
    ChartCommand("Fits", f"{COMMAND} analyse STUDY", "results/fits.json; report.html holds its tables after draw"),
    ChartCommand("Read along", f"{COMMAND} read-along MODEL OTHER --text FILE", "read-along.html"),
    ChartCommand("Your results", f"{COMMAND} analyse TABLE.csv --out STUDY", "results/fits.json of numbers from elsewhere"),
    ChartCommand("This page", f"{COMMAND} space STUDY", "the same page of a study of one's own"),
)


def about_html(sources: Sources) -> str:
    """All of the tab but the citation, as a part of a page; plain HTML, all of it escaped."""
    return render(
        "about.html.j2",
        paper=PAPER,
        paper_name=PAPER_NAME,
        paper_says=paper_says(),
        how_to_read=how_to_read(sources),
        methods=methods_paragraph(sources),
        notes=tuple(sources.fits.get("notes") or ()),
        made_by=commands(sources),
        charts=CHART_COMMANDS,
        limits=limits(),
        version=software_version(),
    )


def paper_says() -> tuple[str, ...]:
    """What the figure claims and the numbers around it, from paper.py."""
    falls = [curve.a * (PAPER_FROM**-curve.alpha - PAPER_TO**-curve.alpha) for curve in POSITION_CURVES]
    return (
        "Transformers asymptotically outperform LSTMs due to improved use of long contexts (left chart of its figure 7).",
        "An LSTM plateaus after fewer than 100 tokens; a Transformer improves through the whole context (right chart).",
        f"The loss of Transformers falls as N to the power −{ALPHA_N:g}, N being parameters without embeddings.",
        f"Its curves of loss by position fall by {min(falls):.2f} to {max(falls):.2f} nats from token {PAPER_FROM} to token {PAPER_TO:,}.",
        f"Its figure is a drawing without a table of its values. Those that are drawn here are labelled: {APPROXIMATE}.",
    )


def limits() -> tuple[str, ...]:
    """What nobody should take from this page."""
    return (
        "The paper gives no width, learning rate, dropout or clipping of its LSTMs, so that no copy of its figure is exact.",
        "Models of this page are small and were trained on little text; what holds for them need not hold for larger ones.",
        "Intervals cover the choice of documents, and of training seeds where it is said; they do not cover another corpus or another tokenizer.",
        f"An interval from fewer than {MIN_DOCUMENTS} documents is not relied on: the verdict is then undecided.",
        "Undecided is a result: the data at hand do not tell. No curve is drawn beyond what was measured.",
        f"Early and late positions over training are told apart from a context of {MIN_GAP_CONTEXT} tokens on, and hold other targets; only growth between two "
        "moments is of the same targets.",
    )


def citation(sources: Sources) -> str:
    """BibTeX of the software, the paper and every work that the method rests on, in this order."""
    # Works come in the order in which a text names them.
    return bibtex(f"{COMMAND}, {PAPER_NAME}. {methods_paragraph(sources)}", version=software_version())
