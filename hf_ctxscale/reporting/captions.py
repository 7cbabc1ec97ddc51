"""captions and alternative texts: the words under each chart of a report, and what a reader who cannot see it is told."""

from hf_ctxscale.architectures import series_label
from hf_ctxscale.paper import APPROXIMATE
from hf_ctxscale.reporting.measured_how import cuts_in_words
from hf_ctxscale.reporting.numbers import number
from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.reporting.words import fits_interval_sentence, interval_sentence, setup_phrase
from hf_ctxscale.study import size_label

FITTED = " Curves are fitted laws, drawn within the measured range only; the tables of fits name their form."
THIN_CURVES = " Thin dashed curves are fitted laws."


def caption(name: str, sources: Sources) -> str:
    """What a chart shows and how to read it, with corpus, tokens, seeds and intervals."""
    if sources.is_table and name in _TABLE_CAPTIONS:
        return f"{_TABLE_CAPTIONS[name].format(setup=setup_phrase(sources))} {fits_interval_sentence(sources)}".strip()
    words = _CAPTIONS[name]
    if name == "context_use" and not any(score.ablation for score in sources.scores.values()):
        words = "Loss by position in the window, averaged in log-spaced bins ({setup})."
    if name == "loss_vs_position" and sources.fits.get("loss_vs_position"):
        words += THIN_CURVES
    fitted = FITTED if sources.fits.get("loss_vs_size") else ""
    intervals = ""
    if name in _OF_LOSSES or name in _OF_FITS:
        intervals = (fits_interval_sentence(sources) if name in _OF_FITS else "") or interval_sentence(sources)
    return f"{words.format(setup=setup_phrase(sources), fitted=fitted)} {intervals}".strip()


# Charts with intervals: of single losses, or of fits and differences, which come from the replicates.
_OF_LOSSES = (
    "loss_vs_position",
    "context_use",
    "loss_vs_total_parameters",
    "loss_vs_flops",
    "loss_vs_seconds",
    "size_residuals",
    "figure7",
)
_OF_FITS = ("loss_vs_parameters", "loss_vs_data", "paired_difference")
_CAPTIONS = {
    "loss_vs_parameters": (
        "Test loss against body parameters, which leave out embeddings and output head ({setup}). A point is a trained model.{fitted}"
    ),
    "loss_vs_position": (
        "Test loss of the prediction made after t tokens of context, averaged in log-spaced bins ({setup}). One line per model, with its body parameters; "
        "small models are light, large ones dark."
    ),
    "context_use": f"Solid: loss by position in the window, averaged in log-spaced bins ({{setup}}). {cuts_in_words()} "
    "The bars below give the effective context with its interval.",
    "paired_difference": (
        "Difference of two models' test losses by context position ({setup}), taken document by document, so that what makes a document hard for both drops "
        "out. The bands hold for all positions at once."
    ),
    "loss_vs_total_parameters": (
        "Test loss against all parameters, embeddings and output head included ({setup}): where bodies are small, embeddings are most of a model.{fitted}"
    ),
    "loss_vs_flops": "Test loss against the FLOPs of training, forward and backward with attention and output head ({setup}).{fitted}",
    "loss_vs_seconds": (
        "Test loss against seconds of training on the machine of the setup ({setup}): a fact about this machine and code, unlike FLOPs.{fitted}"
    ),
    "loss_vs_data": (
        "Test loss against training tokens, a line per size ({setup}). Only runs with complete schedules on unique tokens are here. "
        "Curves are the fitted law of size and data."
    ),
    "excess_over_best": (
        "Test loss above the best possible one, which is known for this corpus, by context position ({setup}). Zero is a model that has learned everything "
        "there is. Bands hold at all positions at once, over test documents."
    ),
    "loss_vs_tokens": (
        "Validation loss during training ({setup}). A line that still falls steeply at its end belongs to a model that would have gained from "
        "more tokens: its place in the other charts says as much about the budget as about the architecture."
    ),
    "learning_rates": (
        "Validation loss of every learning rate that was tried ({setup}). A cell whose lowest loss lies at the edge of the tried rates may have a better one "
        "beyond it."
    ),
    "size_residuals": (
        "Measured minus fitted loss against size ({setup}). Points that bend away from zero together say that the law has the wrong form."
    ),
    "data_residuals": (
        "Measured minus fitted loss against training tokens, a line per size ({setup}). Lines that bend away from zero together say that the law has the "
        "wrong form."
    ),
    "position_residuals": (
        "Measured minus fitted loss by context position ({setup}). Lines that bend away from zero together say that the law has the wrong form."
    ),
    "profiles": (
        "How much worse the fit gets when one exponent is held at another value and all else is fitted again ({setup}), for exponents that are not "
        "identifiable: a flat valley, or one that is open to one side, is why."
    ),
    "figure7": f"The same losses in the form of Kaplan et al. 2020, figure 7 ({{setup}}). Marks of the paper, where drawn, are from {APPROXIMATE}.",
}
_TABLE_CAPTIONS = {
    "loss_vs_parameters": "Loss against N ({setup}). Points are the table's; curves are fitted laws, drawn within its range only.",
    "loss_vs_data": "Loss against D, a line per N ({setup}). Points are the table's; curves are the fitted law of size and data.",
    "loss_vs_position": "Loss by context position ({setup}). Points are the table's; the curve is the fitted law.",
}


def alternative_text(name: str, sources: Sources) -> str:
    """The chart's kind and axes, and where its numbers stand as text."""
    if sources.is_table:
        return f"{_TABLE_KINDS.get(name, _KINDS[name])} The tables of fits give the numbers."
    if name == "loss_vs_parameters":
        ends = [
            f"{size_label(run['body_params'])} {series_label(run['architecture'], (run['num_layers'],))}: {number(run['loss_nats'])}"
            for run in sources.measured
        ]
        losses = f"Test losses in nats per token: {'; '.join(ends)}." if ends else "No finished run."
        return f"{_KINDS[name]} {losses}"
    return f"{_KINDS[name]} {_WHERE.get(name, 'The table of runs gives the numbers.')}"


_KINDS = {
    "loss_vs_parameters": "Line chart of test loss against parameters without embeddings, log x axis, a line per family and depth.",
    "loss_vs_position": "Line chart of test loss against token index in context, log x axis, a line per model.",
    "context_use": "Line chart of loss against tokens of context, log x axis, a solid line by position and, where an ablation was made, a dashed one by cut "
    "of the context for each model, with bars of effective context.",
    "paired_difference": "Line chart of the difference of two models' losses against token index in context, log x axis, with bands.",
    "loss_vs_total_parameters": "Line chart of test loss against all parameters, log x axis, a line per family and depth.",
    "loss_vs_flops": "Line chart of test loss against training FLOPs, log x axis, a line per family and depth.",
    "loss_vs_seconds": "Line chart of test loss against training seconds, log x axis, a line per family and depth.",
    "loss_vs_data": "Line chart of test loss against training tokens, log x axis, a line per size.",
    "excess_over_best": "Line chart of test loss above the best possible one against token index in context, log x axis, a line per model.",
    "loss_vs_tokens": "Line chart of validation loss against training tokens, log x axis, a line per model.",
    "learning_rates": "Line chart of validation loss against learning rate, log x axis, a line per family, depth and size.",
    "size_residuals": "Chart of measured minus fitted loss against size, log x axis, a line per family and depth.",
    "data_residuals": "Chart of measured minus fitted loss against training tokens, log x axis, a line per size.",
    "position_residuals": "Chart of measured minus fitted loss against token index in context, log x axis, a line per model.",
    "profiles": "Line chart of how much worse a fit gets against the exponent held fixed, a line per fit.",
    "figure7": "Two line charts in the form of Kaplan et al. 2020, figure 7: test loss against parameters, and test loss against token index in context.",
}
_TABLE_KINDS = {
    "loss_vs_parameters": "Line chart of loss against N, log x axis, a line per series.",
    "loss_vs_data": "Line chart of loss against D, log x axis, a line per N.",
    "loss_vs_position": "Line chart of loss against token index in context, log x axis, a line per series.",
    "size_residuals": "Chart of measured minus fitted loss against N, log x axis, a line per series.",
    "data_residuals": "Chart of measured minus fitted loss against D, log x axis, a line per N.",
    "position_residuals": "Chart of measured minus fitted loss against token index in context, log x axis, a line per series.",
}
_WHERE = {
    "loss_vs_position": "The table of runs gives each model's context gain.",
    "context_use": "The tables give each model's numbers.",
    "paired_difference": "The tables of paired differences give the numbers.",
    "loss_vs_data": "The table of fits over size and data gives the numbers.",
    "size_residuals": "The tables of fits give the largest of each fit.",
    "data_residuals": "The tables of fits give the largest of each fit.",
    "position_residuals": "The tables of fits give the largest of each fit.",
    "profiles": "The tables of fits give the reasons.",
}
