"""What a report says in sentences: the result, the verdicts, the intervals, how to read it. Every number comes from the study's tables."""

from collections import defaultdict
from collections.abc import Sequence

from hf_ctxscale.analysis.positions import GAIN_WINDOW, context_gain_obstacle, last_octave
from hf_ctxscale.architectures import family_label
from hf_ctxscale.charts.chosen_scores import score_label
from hf_ctxscale.charts.series import SAME_SIZE
from hf_ctxscale.charts.subtitle import seeds_in_words
from hf_ctxscale.reporting.measured_how import CURVE_IN_WORDS, effective_context_in_words, on_text
from hf_ctxscale.reporting.numbers import counted, estimate, number
from hf_ctxscale.reporting.sources import Row, Sources
from hf_ctxscale.reporting.table_words import table_sentence
from hf_ctxscale.study import size_label

HOW_TO_READ_FITS = (
    "A parameter is not identifiable where the data do not pin it down; the reason stands beside it, and the chart of profiles shows how little the fit gets "
    "worse when its exponent is moved.",
    "A fit has converged where its gradient is near zero and the best solution was reached from several starts. Log-Huber is the same law fitted with another "
    "loss function (Hoffmann et al. 2022), as a check of how much single points decide.",
)
VERDICTS = ("supported", "not supported", "undecided")


def result_sentence(sources: Sources) -> str:
    """One sentence: at the largest size that the families share, the loss of each and what it gains from more context."""
    if sources.is_table:
        return table_sentence(sources)
    if not sources.has_runs:
        return _scored_sentence(sources)
    groups = _families_at_one_size(sources.measured)
    if not groups:
        return "No run of this study has finished and been scored yet."
    sizes = sorted({run["body_params"] for runs, _ in groups for run in runs})
    tokens = sorted({run["train_tokens"] for runs, _ in groups for run in runs if run["train_tokens"] is not None})
    after = f" and {_span(tokens)} training tokens" if tokens else ""
    losses = _listed([f"{_name(runs, depths)} {_loss(runs)}" for runs, depths in groups])
    sentence = f"On {sources.corpus_name}, with {_span(sizes)} body parameters{after}, test losses in nats per token are: {losses}"
    gains = [(family_label(runs[0]["architecture"]), _gain(runs)) for runs, _ in groups]
    known = [f"the {family} gains {gain}" for family, gain in gains if gain is not None]
    if known and sources.context_tokens:
        sentence += (
            f"; from positions {_range(GAIN_WINDOW)} of the context to {_range(last_octave(sources.context_tokens))}, {_listed(known)} nats"
        )
    return sentence + "."


MOST_NAMED = 5  # models in the sentence on scored models


def _scored_sentence(sources: Sources) -> str:
    """The losses of scored models that were measured on the same tokens; how many there are where they were not, or are many."""
    rows = [row for row in sources.others if row["score_id"] in sources.scores and row["loss_nats"] is not None]
    scores = [sources.scores[row["score_id"]] for row in rows]
    if not rows:
        return "Nothing has been scored yet."
    if (
        len({(score.tokens_fingerprint, score.split, score.windows, score.context_tokens) for score in scores}) > 1
        or len(rows) > MOST_NAMED
    ):
        return f"{counted(len(rows), 'score')} on {sources.corpus_name}; the table of scored models holds the numbers of each."
    losses = _listed([f"{score_label(row, score)} {_loss([row])}" for row, score in zip(rows, scores, strict=True)])
    context = counted(scores[0].context_tokens, "token")
    return f"{on_text(scores[0])}, with {context} of context, {'losses' if len(rows) > 1 else 'the loss'} in nats per token: {losses}."


def verdict_sentence(sources: Sources) -> str:
    """How many of the figure's claims the study supports; nothing where it trains no models."""
    if not sources.has_runs:
        return ""
    claims = sources.fits.get("claims") or []
    if not claims:
        return "No claim has been judged yet."
    counts = {verdict: sum(claim["verdict"] == verdict for claim in claims) for verdict in VERDICTS}
    said = [f"{count} {'is' if count == 1 else 'are'} {verdict}" for verdict, count in counts.items() if count]
    conditional = (sources.fits.get("intervals") or {}).get("covers") == "documents"
    why = " With one training seed, what is found is conditional on these trained models." if conditional else ""
    return f"Of {counted(len(claims), 'claim')} put to this study, {_listed(said)}.{why}"


def interval_sentence(sources: Sources) -> str:
    """What the intervals of single losses cover, and whether there are any."""
    if sources.is_table:
        return fits_interval_sentence(sources)
    measured = sources.measured if sources.has_runs else tuple(row for row in sources.others if row["loss_nats"] is not None)
    documents = sorted({run["num_documents"] for run in measured if run["num_documents"] is not None})
    seeds = {run["seed"] for run in measured if run["seed"] is not None}
    if not documents:
        return "Nothing has been measured yet."
    if not any(run["loss_nats_low"] is not None for run in measured):
        return f"No intervals: they need several test documents, and this corpus has {documents[0]}."
    kind = "test " if sources.has_runs else ""
    number_of = f"{_span(documents)} {kind}documents" if documents != [1] else f"1 {kind}document"
    if not sources.has_runs:
        return f"Intervals are 95 % ones over the choice of {number_of}, given these models."
    trained = "one training run per model" if len(seeds) == 1 else f"these models ({seeds_in_words(measured)} each)"
    return f"Intervals are 95 % ones over the choice of {number_of}, given {trained}; they do not cover what another training seed would change."


def fits_interval_sentence(sources: Sources) -> str:
    """What the intervals of fits and claims cover; nothing where nothing was fitted."""
    return str((sources.fits.get("intervals") or {}).get("sentence") or "")


def setup_phrase(sources: Sources) -> str:
    """Corpus, tokens and seeds, for captions."""
    if sources.is_table:
        return f"numbers from {sources.corpus_name}"
    tokens = sorted({run["train_tokens"] for run in sources.measured if run["train_tokens"] is not None})
    seeds = {run["seed"] for run in sources.measured if run["seed"] is not None}
    parts = [sources.corpus_name]
    if tokens:
        parts.append(f"{_span(tokens)} training tokens per model")
    if seeds:
        parts.append(seeds_in_words(sources.measured))
    return ", ".join(parts)


def how_to_read(sources: Sources) -> tuple[str, ...]:
    """The few things that a reader must know, one sentence or two each."""
    if sources.is_table:
        return (*HOW_TO_READ_FITS, "The numbers were measured elsewhere; what they are of, and how, the table does not say.")
    sentences = [
        "Loss is the negative log-likelihood of the next token in nats, lower is better. It depends on the tokenizer; bits per byte does not.",
        f"Token index t is the prediction made after t tokens of a window. {_windows_sentences(sources)}".strip(),
        _context_gain_in_words(sources.context_tokens),
    ]
    if any(row["effective_context"] is not None for row in (*sources.runs, *sources.others)):
        sentences.append(effective_context_in_words())
    if sources.has_runs:
        sentences += [
            "A claim is supported or not supported only where its interval satisfies the rule beside it and Holm's correction over all claims leaves its p at "
            "0.05 or less; otherwise it is undecided, which is a result too.",
            "Where families are compared in words, each is represented by its depth of lowest validation loss, never chosen by test loss.",
            "Models are compared at equal body parameters and equal training tokens, not at equal time.",
            *HOW_TO_READ_FITS,
        ]
    else:
        sentences.append("Losses by token are compared only between models with the same tokenizer; between others, compare bits per byte.")
    return tuple(sentences)


def _windows_sentences(sources: Sources) -> str:
    """What the curve shows under the window policy of the scores, or of the settings where nothing is scored yet."""
    scored = [score.windows for score in sources.main_scores]
    planned = (sources.settings.get("scoring") or {}).get("windows")
    return " ".join(sentence for policy, sentence in CURVE_IN_WORDS.items() if policy in (scored or (planned,)))


def _context_gain_in_words(context_tokens: int | None) -> str:
    obstacle = context_gain_obstacle(context_tokens) if context_tokens else None
    if obstacle:
        return f"No context gain is given: {obstacle}."
    late = _range(last_octave(context_tokens)) if context_tokens else "of the last octave"
    return (
        f"Context gain is the loss at positions {_range(GAIN_WINDOW)} minus the loss at positions {late}: above zero, the model still gains from "
        "more context; near zero, it is flat."
    )


def _families_at_one_size(runs: Sequence[Row]) -> list[tuple[list[Row], int]]:
    """For each family at the largest size that most families share: the runs of its best depth, and out of how many depths it is the best.

    The depth is chosen by validation loss, so that the test loss given for it is not the least of several.
    """
    sizes = sorted({run["body_params"] for run in runs}, reverse=True)
    near = {size: [run for run in runs if size / SAME_SIZE < run["body_params"] <= size] for size in sizes}
    if not sizes:
        return []
    size = max(sizes, key=lambda size: (len({run["architecture"] for run in near[size]}), size))
    by_family: dict[str, dict[int | None, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for run in near[size]:
        by_family[run["architecture"]][run["num_layers"]].append(run)
    groups = [(min(depths.values(), key=_validation_loss), len(depths)) for depths in by_family.values()]
    return sorted(groups, key=lambda group: _mean([run["loss_nats"] for run in group[0]]))


def _validation_loss(runs: list[Row]) -> float:
    losses = [run["validation_loss_nats"] for run in runs if run["validation_loss_nats"] is not None]
    return _mean(losses) if losses else float("inf")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _name(runs: Sequence[Row], depths: int) -> str:
    """``the Transformer (2 layers)``, ``the best of 3 LSTMs (1 layer)``."""
    family, num_layers = family_label(runs[0]["architecture"]), runs[0]["num_layers"]
    layers = "" if num_layers is None else f" ({counted(num_layers, 'layer')})"
    return f"{'the' if depths == 1 else f'the best of {depths}'} {family}{'' if depths == 1 else 's'}{layers}"


def _loss(runs: Sequence[Row]) -> str:
    if len(runs) == 1:
        return estimate(runs[0]["loss_nats"], runs[0]["loss_nats_low"], runs[0]["loss_nats_high"])
    losses = [run["loss_nats"] for run in runs]
    return f"{number(min(losses))} to {number(max(losses))} over {len(runs)} seeds"


def _gain(runs: Sequence[Row]) -> str | None:
    gains = [run["context_gain_nats"] for run in runs]
    if any(gain is None for gain in gains):
        return None
    if len(runs) == 1:
        return estimate(gains[0], runs[0]["context_gain_nats_low"], runs[0]["context_gain_nats_high"], signed=True)
    # Seeds that agree to the last decimal shown are no range.
    return " to ".join(dict.fromkeys(number(end(gains), signed=True) for end in (min, max)))


def _range(positions: tuple[int, int]) -> str:
    return f"{positions[0]}–{positions[1]}"


def _span(counts: Sequence[int]) -> str:
    low, high = size_label(counts[0]), size_label(counts[-1])
    return low if low == high else f"{low} to {high}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
