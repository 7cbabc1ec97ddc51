"""How a score was measured, in words: its text, windows, BOS, ablation and intervals; for setup, cards and captions."""

from hf_ctxscale.analysis.verdicts import EPSILON_NATS
from hf_ctxscale.charts.reach_bars import reach_words
from hf_ctxscale.records import ScoreRecord, WindowPolicy
from hf_ctxscale.reporting.numbers import MISSING, counted, whole
from hf_ctxscale.reporting.sources import Row

# What a falling curve shows depends on where the windows lie.
CURVE_IN_WORDS: dict[WindowPolicy, str] = {
    "within": "Windows start anywhere in a document, so a curve that falls with t shows what a longer context buys.",
    "start": "Windows start at a document's first token, so a curve that falls with t shows what a longer context buys together with how documents "
    "go on after their beginnings.",
    "packed": "Windows are cut from documents that are joined by an end-of-text token, so the context at t may begin in an earlier document; every loss "
    "counts for the document of its target.",
}


def text_in_words(score: ScoreRecord) -> str:
    """``python-stdlib, test split``; a corpus that was scored whole is its name alone."""
    return score.corpus if score.split == "whole" else f"{score.corpus}, {score.split} split"


def on_text(score: ScoreRecord) -> str:
    """``On the test split of python-stdlib``."""
    return f"On {score.corpus}" if score.split == "whole" else f"On the {score.split} split of {score.corpus}"


def windows_in_words(score: ScoreRecord) -> str:
    """Where the windows lie, how many there are and which documents have none."""
    length = whole(score.context_tokens)
    places = {
        "within": f"policy 'within': inside one document, from a random offset and never its first tokens, at most {score.max_windows_per_document} "
        f"per document, seed {score.windows_seed}; a document needs {whole(2 * (score.context_tokens + 1))} tokens",
        "start": f"policy 'start': one per document, its first tokens; a document needs {whole(score.context_tokens + 1)}",
        "packed": "policy 'packed': documents joined by their end-of-text token, each loss counted for the document of its target",
    }
    state = "; the state of the document so far is carried into every window" if score.carry_state else ""
    return f"{counted(score.num_blocks, 'window')} of {length} tokens of context ({places[score.windows]}){state}"


def bos_in_words(score: ScoreRecord) -> str:
    """What stood before every window, and by which policy."""
    policies = {"auto": "'auto', what the tokenizer adds", "none": "'none'", "always": "'always'"}
    if not score.bos_ids:
        return f"nothing before a window (policy {policies[score.bos_policy]})"
    ids = ", ".join(str(token_id) for token_id in score.bos_ids)
    number = "id" if len(score.bos_ids) == 1 else "ids"
    return f"{number} {ids} before every window and every cut (policy {policies[score.bos_policy]}), never counted as context"


def ablation_in_words(score: ScoreRecord) -> str | None:
    """Which targets were predicted with which cuts; None where no ablation was made."""
    made = score.ablation
    if made is None:
        return None
    cuts = ", ".join(whole(cut.context_tokens) for cut in made.cuts)
    return (
        f"{whole(made.num_targets)} target tokens at the ends of windows, each predicted again with the context cut to its last k tokens, "
        f"k = {cuts}; neighbouring targets share a run, so that a cut holds k to 9k/8 tokens, the whole context 7/8 to all of it"
    )


def cuts_in_words() -> str:
    """How to read the dashed curve beside the solid one."""
    return (
        "Dashed: the ends of windows as targets, the same ones at every cut of their context to the last k tokens. Its targets are others than the solid "
        "curve's, so the two need not meet; only the dashed one is free of where in the document a token stands. Its bars are of the loss itself: how "
        "it changes from cut to cut is known better than that."
    )


def effective_context_in_words() -> str:
    """The definition, for a reader who meets the number for the first time."""
    return (
        f"Effective context is the shortest context from which on the loss stays at most {EPSILON_NATS:g} nats above that with the whole context, for the same "
        "target tokens. Context that only makes the loss higher does not lengthen it. Where the model still gains at "
        'the whole context it is "at least" that; it is never compared between different whole contexts.'
    )


def effective_context_cell(row: Row, score: ScoreRecord | None) -> str:
    """``310 tokens [250, 400]``; a dash where it was not measured."""
    if row["effective_context"] is None or score is None:
        return MISSING
    return reach_words(
        row["effective_context"],
        row["effective_context_low"],
        row["effective_context_high"],
        context_tokens=score.context_tokens,
        censored=bool(row["effective_context_censored"]),
    )
