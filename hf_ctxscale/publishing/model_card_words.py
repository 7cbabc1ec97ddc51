"""What a model's card says of a run: intro, sizes, training, loading, limits and licence, from its record and the study's files."""

from collections.abc import Iterable
from dataclasses import dataclass

from hf_ctxscale.architectures import series_label
from hf_ctxscale.corpora import TABLE as CORPORA
from hf_ctxscale.records import RunRecord
from hf_ctxscale.reporting.numbers import counted, interval, number, significant, whole
from hf_ctxscale.reporting.setup import setup_rows
from hf_ctxscale.reporting.sources import Row, Sources

Pair = tuple[str, str]
OF_THE_STUDY = ("train split", "split rule", "training")  # rows of the study's setup that belong to every run


@dataclass(frozen=True)
class Loading:
    """How to open the model: what is said before the code, and the code; both again for those who have the package, where that differs."""

    said: str
    code: str
    with_package_said: str = ""
    with_package: str = ""


def intro(record: RunRecord, *, corpus: str, study: str) -> str:
    """What the model is, and why it was trained."""
    kind = series_label(record.architecture, (record.num_layers,))
    return (
        f"A research model: {kind}, with {whole(record.params.body)} body parameters ({whole(record.params.total)} in all), trained on "
        f"{counted(record.train_tokens, 'token')} of {corpus} with {counted(record.context_tokens, 'token')} of context. It is one run of the study "
        f"{study!r}, made with hf-ctxscale to measure how well language models use their context, as in Kaplan et al. 2020, figure 7."
    )


def positions_rows(bins: Iterable[Row]) -> tuple[tuple[str, ...], ...]:
    """Loss by position in log-spaced bins, as text."""
    return tuple(
        (
            span(row["position_from"], row["position_to"]),
            number(row["loss_nats"]),
            interval(row["loss_low"], row["loss_high"]),
            whole(row["num_tokens"]),
        )
        for row in bins
    )


def span(first: int, last: int) -> str:
    """``1``, ``65–128``."""
    return str(first) if first == last else f"{first}–{last}"


def sizes_rows(record: RunRecord) -> tuple[Pair, ...]:
    """Groups of parameters, which add up to the total."""
    groups = (
        ("body", record.params.body),
        ("token embedding", record.params.token_embedding),
        ("position embedding", record.params.position_embedding),
        ("output head", record.params.output_head),
    )
    return (*((name, whole(count)) for name, count in groups), ("all", whole(record.params.total)))


def size_note(record: RunRecord) -> str:
    """What "body" means, and the paper's count beside it."""
    tied = "" if record.params.output_head else " The head shares its weights with the token embedding, which are counted once."
    return (
        "Body: all but token embedding, position embedding and output head; the size that the figure's axis shows. The paper's formula gives "
        f"{whole(record.formula_body_params)}.{tied}"
    )


def training_rows(record: RunRecord, *, corpus: str, sources: Sources | None) -> tuple[Pair, ...]:
    """How it was trained; what the files do not say is left out."""
    setup = dict(setup_rows(sources)) if sources else {}
    shape = [f"{counted(record.num_layers, 'layer')} of width {whole(record.hidden_size)}"]
    shape += [f"embedding {whole(record.embedding_size)}"] if record.embedding_size else []
    shape += [f"{counted(record.num_heads, 'head')}"] if record.num_heads else []
    shape += [f"MLP {whole(record.mlp_size)}"] if record.mlp_size else []
    shape += [f"dropout {record.dropout:g}"] if record.dropout else []
    rows = (
        ("shape", ", ".join(shape)),
        ("corpus", corpus),
        *((name, setup.get(name)) for name in OF_THE_STUDY),
        (
            "tokens",
            f"{whole(record.train_tokens)} in {counted(record.train_steps, 'step')} of {record.batch_blocks} x {counted(record.context_tokens, 'token')}",
        ),
        ("FLOPs", f"{significant(record.train_flops)} with attention and head; 6·N·D: {significant(record.six_nd_flops)}"),
        ("learning rate", f"{record.learning_rate:g}"),
        ("precision", record.precision),
        ("seed", str(record.seed)),
        ("training loss, last tenth", _nats(record.train_loss_nats)),
        ("validation loss", _nats(record.validation_loss_nats)),
        ("time", None if record.train_seconds is None else f"{whole(round(record.train_seconds))} s"),
        ("device", record.device),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(record.packages.items()))),
        ("run", record.run_id),
    )
    return tuple((name, value) for name, value in rows if value)


def loading(repo_id: str, *, needs_code: bool) -> Loading:
    """With transformers alone, and with the package where the model is of our own."""
    lines = ["from transformers import AutoModelForCausalLM, AutoTokenizer", "", f'tokenizer = AutoTokenizer.from_pretrained("{repo_id}")']
    plain = f'model = AutoModelForCausalLM.from_pretrained("{repo_id}")'
    if not needs_code:
        return Loading("transformers has this architecture; nothing else is needed.", "\n".join([*lines, plain]))
    # The tokenizer too: it asks about the code otherwise, since the model's config names some.
    trusted = "\n".join([*lines, plain]).replace('")', '", trust_remote_code=True)')
    return Loading(
        "With transformers alone. The architecture is not one of its own: its code lies in this repository, and trust_remote_code runs it; read it first.",
        trusted,
        "With hf-ctxscale installed the code is there already, and nothing from this repository is run:",
        "\n".join(["import hf_ctxscale.models", *lines, plain]),
    )


def limits(record: RunRecord, *, corpus: str, has_positions: bool) -> tuple[str, ...]:
    """What the model is not for."""
    reach = (
        f"It has embeddings for {counted(record.context_tokens, 'position')}: longer texts have to be cut."
        if has_positions
        else f"It was trained and measured on {counted(record.context_tokens, 'token')} at a time; what it does with a longer context was not measured."
    )
    return (
        f"It was trained to be measured, not to be used: on {counted(record.train_tokens, 'token')} of {corpus} alone. Nothing that it writes is to be "
        "taken as true.",
        reach,
        f"It is one training run (seed {record.seed}); another seed gives somewhat other numbers, which the intervals here do not cover.",
        "It may repeat parts of its training text word for word, and nothing was done about what that text says.",
    )


def licence_note(licence: str, *, corpus: str) -> str:
    """Whose terms hold for the weights, and for the text behind them."""
    known = CORPORA.get(corpus)
    text = f"The text that it was trained on is {known.description}." if known else "The licence of its training text is not recorded."
    return f"The weights, and the code if there is any, are under {licence}. {text}"


def _nats(loss: float | None) -> str | None:
    return None if loss is None else f"{number(loss)} nats per token"
