"""The columns of a study's tables, with their units, and what each of them means."""

import pyarrow as pa

# The result tables. Every interval column is a 95 % one; an empty cell is null, never a number that stands for "missing".
RUNS_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("model", pa.string()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("architecture", pa.string()),
        ("num_layers", pa.int64()),
        ("hidden_size", pa.int64()),
        ("seed", pa.int64()),
        ("body_params", pa.int64()),
        ("total_params", pa.int64()),
        ("train_tokens", pa.int64()),
        ("train_flops", pa.float64()),
        ("train_seconds", pa.float64()),
        ("learning_rate", pa.float64()),
        ("train_loss_nats", pa.float64()),
        ("validation_loss_nats", pa.float64()),
        *[
            (f"{name}{end}", pa.float64())
            for name in ("loss_nats", "bits_per_byte", "context_gain_nats", "effective_context", "icl_score")
            for end in ("", "_low", "_high")
        ],
        ("effective_context_censored", pa.bool_()),
        ("num_documents", pa.int64()),
        ("num_tokens", pa.int64()),
    ]
)
CURVES_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("context_position", pa.int64()),
        ("loss_nats", pa.float64()),
        ("num_tokens", pa.int64()),
    ]
)
POSITIONS_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("position_from", pa.int64()),
        ("position_to", pa.int64()),
        ("loss_nats", pa.float64()),
        ("loss_low", pa.float64()),
        ("loss_high", pa.float64()),
        ("num_tokens", pa.int64()),
        ("num_documents", pa.int64()),
    ]
)
BYTES_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("bytes_from", pa.int64()),
        ("bytes_to", pa.int64()),
        ("bits_per_byte", pa.float64()),
        ("bits_per_byte_low", pa.float64()),
        ("bits_per_byte_high", pa.float64()),
        ("num_bytes", pa.int64()),
        ("num_documents", pa.int64()),
    ]
)
ABLATION_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("context_tokens", pa.int64()),
        ("context_from", pa.int64()),
        ("context_to", pa.int64()),
        ("context_bytes", pa.float64()),
        ("loss_nats", pa.float64()),
        ("loss_low", pa.float64()),
        ("loss_high", pa.float64()),
        ("excess_nats", pa.float64()),
        ("excess_low", pa.float64()),
        ("excess_high", pa.float64()),
        ("num_tokens", pa.int64()),
        ("num_documents", pa.int64()),
    ]
)
LOSSES_SCHEMA = pa.schema(
    [
        ("document", pa.string()),
        ("num_blocks", pa.int64()),
        ("num_tokens", pa.list_(pa.int64())),  # T values each; context position t at index t-1
        ("num_bytes", pa.list_(pa.int64())),
        ("loss_sum_nats", pa.list_(pa.float64())),
    ]
)
HISTORY_SCHEMA = pa.schema(
    [
        ("step", pa.int64()),
        ("tokens", pa.int64()),
        ("train_loss_nats", pa.float64()),
        ("validation_loss_nats", pa.float64()),
        ("learning_rate", pa.float64()),
        ("tokens_per_second", pa.float64()),
    ]
)
VALIDATION_CURVES_SCHEMA = pa.schema(
    [
        ("step", pa.int64()),
        ("tokens", pa.int64()),
        ("document", pa.string()),
        ("num_tokens", pa.list_(pa.int64())),  # a value for each bin of positions, which the file's metadata names
        ("loss_sum_nats", pa.list_(pa.float64())),
    ]
)

# What a row of each table is.
ROWS = {
    "runs": "one model, or one way of measuring it: sizes, training, and the results as single numbers",
    "curves": "one context position of a model",
    "positions": "one log-spaced bin of context positions of a model",
    "bytes": "one log-spaced bin of bytes of context of a model, for models of different tokenizers",
    "ablation": "one cut of a model's context: the same target tokens predicted from their last k tokens",
    "history": "one moment of a run's training",
    "validation_curves": "one document of the validation split at one moment of a run's training, with a value for each bin of positions",
}
_EVERYWHERE = {
    "run_id": "the trained model; empty for a scored one that the study did not train",
    "score_id": "the measurement: a folder under scores/",
    "loss_nats": "mean negative log-likelihood of the next token, nats per token; lower is better",
    "loss_low": "lower end of the loss's 95 % interval over documents",
    "loss_high": "upper end",
    "num_tokens": "predicted tokens that the loss is the mean of",
    "num_documents": "documents that they are of: the clusters of the intervals",
    "learning_rate": "the highest of the schedule; each width its own",
    "position_from": "first context position of the bin",
    "position_to": "last one; both belong to the bin",
    "step": "training steps so far",
    "tokens": "tokens trained on so far",
    "train_loss_nats": "mean training loss over the last tenth of the steps, nats per token",
    "validation_loss_nats": "loss on the validation split, nats per token",
    "document": "a name of the document",
}
_OF_A_TABLE = {
    "runs": {
        "model": "where the model lies: in the study, or on the Hub",
        "state": "waiting, training, finished or failed",
        "reason": "why it failed",
        "architecture": "the family: a transformers model type of this software's table",
        "num_layers": "layers",
        "hidden_size": "width",
        "seed": "of initial weights and order of training",
        "body_params": "parameters without token embedding, position embedding and output head",
        "total_params": "all parameters, tied ones once",
        "train_tokens": "tokens trained on",
        "train_flops": "floating-point operations of training, forward and backward, attention and head included",
        "train_seconds": "seconds of training on the machine that trained it",
        "bits_per_byte": "the loss in bits per byte of text: comparable between tokenizers",
        "context_gain_nats": "mean loss at positions 65-128 minus the mean over the last half of the context; above 0, a longer context helps",
        "effective_context": "tokens of context beyond which more of them buy less than 0.02 nats, from the ablation",
        "icl_score": "mean loss at positions 481-512 minus 45-55, nats (Olsson et al. 2022); lower is better",
        "effective_context_censored": "true: it still gains at the whole context; its value is then that context",
    },
    "curves": {"context_position": "t: the prediction made after t tokens of context"},
    "bytes": {
        "bytes_from": "fewest bytes of context of the bin",
        "bytes_to": "most; both belong to the bin",
        "bits_per_byte": "loss in bits per byte of text; lower is better",
        "num_bytes": "bytes of the predicted tokens",
    },
    "ablation": {
        "context_tokens": "k: tokens of context that were left",
        "context_from": "fewest that a target of the cut saw",
        "context_to": "most",
        "context_bytes": "bytes that k tokens of this corpus stand for on average; empty where bytes are not known",
        "excess_nats": "loss above that of the whole context, same targets, nats per token",
        "excess_low": "lower end of its 95 % interval, which holds for all cuts at once",
        "excess_high": "upper end",
    },
    "history": {
        "train_loss_nats": "mean training loss since the row before, nats per token",
        "learning_rate": "at this step",
        "tokens_per_second": "speed since the row before",
    },
    "validation_curves": {
        "num_tokens": "predicted tokens in each bin",
        "loss_sum_nats": "sum of their losses in each bin; divided by num_tokens, nats per token",
        "position_from": "first context position of each bin",
        "position_to": "last one; both belong to the bin",
    },
}


def meaning(table: str, column: str) -> str:
    """What a column means, with its unit.

    Raises:
        KeyError: nobody has said.
    """
    known = _EVERYWHERE | _OF_A_TABLE.get(table, {})
    for end, words in (("_low", "lower end of the 95 % interval of {}"), ("_high", "upper end of the 95 % interval of {}")):
        if column not in known and column.endswith(end):
            return words.format(column.removesuffix(end))
    return known[column]
