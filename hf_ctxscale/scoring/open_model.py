"""open_causal_lm: a causal language model and its tokenizer, from a local folder or the Hub; what cannot be scored is refused with a sentence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import cached_file

import hf_ctxscale.models
import hf_ctxscale.scoring.exact_predictors  # noqa: F401 (registers the exact predictors)
from hf_ctxscale.records import BosPolicy
from hf_ctxscale.scoring.opening_errors import OUT_OF_REACH, first_line, sentences
from hf_ctxscale.study import UserError

DTYPES = ("float32", "bfloat16", "float16", "float64", "auto")
CHECKED_TOKENS = 16
# Where configs say how many positions a model has. Most state-space and recurrent models have none of them.
LIMIT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length")


@dataclass(frozen=True)
class OpenedModel:
    """A model that is ready to be scored.

    Attributes:
        name: as it was given, a folder or a Hub id.
        model: in evaluation mode, on its device.
        tokenizer: its own, or the one that was given for it.
        revision: the commit of a Hub model.
        max_positions: most input tokens that it can read at once; None: no limit.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    revision: str | None
    max_positions: int | None


def open_causal_lm(
    name: str,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    dtype: str = "float32",
    device: str | None = None,
    tokenizer: str | None = None,
) -> OpenedModel:
    """Opens model and tokenizer, and checks that they fit and that no prediction looks ahead.

    Args:
        name: a local folder or a Hub id.
        revision: branch, tag or commit of a Hub model.
        trust_remote_code: whether code that comes with the model may run.
        dtype: one of DTYPES; ``auto`` is what the checkpoint was saved in.
        device: such as ``cuda:1``; None: the first GPU, or the CPU.
        tokenizer: folder or Hub id of a tokenizer to use in place of the model's own.

    Raises:
        UserError: it cannot be reached, is gated, is no causal language model, lacks weights, or its tokenizer is missing or of another vocabulary.
    """
    check_dtype(dtype)
    place = _usable(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    config = open_config(name, revision=revision, trust_remote_code=trust_remote_code)
    commit = commit_of(name, revision=revision)
    options = {"revision": commit, "trust_remote_code": trust_remote_code}
    opened_tokenizer = open_model_tokenizer(tokenizer or name, **({"trust_remote_code": trust_remote_code} if tokenizer else options))
    with sentences(name):
        opened: Any = AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype if dtype == "auto" else getattr(torch, dtype), output_loading_info=True, **options
        )
    model, loading = opened
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise UserError(
            f"model {name!r} lacks {len(missing)} weights of a causal language model, {missing[0]!r} among them, which would be left at random; "
            f"it was saved as {', '.join(config.architectures or ['something else'])}. Score a checkpoint that has a trained language model head."
        )
    model.eval()
    model.to(place)
    check_vocabulary(name, tokenizer=opened_tokenizer, vocab_size=vocab_size_of(model))
    _check_causal(name, model)
    return OpenedModel(name, model, opened_tokenizer, commit, max_positions_of(config))


def commit_of(name: str, *, revision: str | None = None) -> str | None:
    """The commit of a Hub model whose config is open already; None for a folder.

    Args:
        name: as for `open_causal_lm`.
        revision: a branch or tag that stands for the commit; None: the default branch.
    """
    if Path(name).expanduser().is_dir():
        return None
    # Configs of transformers 5 do not know their commit; the Hub's cache keeps the files of each in a folder of that name.
    with sentences(name):
        file = cached_file(name, "config.json", revision=revision)
        assert file is not None
        return Path(file).parent.name


def check_dtype(dtype: str) -> None:
    """Raises a UserError where a model cannot be opened in such numbers."""
    if dtype not in DTYPES:
        raise UserError(f"dtype {dtype!r} is not known; allowed: {', '.join(DTYPES)}.")


def open_config(name: str, *, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """The config of a causal language model.

    Raises:
        UserError: it cannot be reached, or is not of a causal language model.
    """
    path = Path(name).expanduser()
    if not path.is_dir() and (path.is_file() or name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise UserError(
            f"there is no model folder {name!r}; give a folder that from_pretrained opens, or a Hub id such as 'openai-community/gpt2'."
        )
    if path.is_dir() and not (path / "config.json").is_file():
        raise UserError(f"folder {name!r} holds no config.json, so it is no saved model; give a folder that model.save_pretrained wrote.")
    with sentences(name):
        config = AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)
    if config.is_encoder_decoder:
        raise UserError(
            f"model {name!r} is an encoder-decoder ({config.model_type}), which reads a source text besides its own; only causal language models can be scored."
        )
    known = type(config) in AutoModelForCausalLM._model_mapping
    if not known and "AutoModelForCausalLM" not in (getattr(config, "auto_map", None) or {}):
        raise UserError(
            f"model {name!r} is of type {config.model_type!r}, which AutoModelForCausalLM does not open; only causal language models can be scored."
        )
    return config


def open_model_tokenizer(name: str, *, revision: str | None = None, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder or Hub id.

    Raises:
        UserError: there is none, or it has no fast form.
    """
    remedy = "save one into the folder with tokenizer.save_pretrained(FOLDER), or name one with --tokenizer"
    try:
        with sentences(name):
            tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)
    except UserError as error:
        if isinstance(error.__cause__, OUT_OF_REACH):
            raise
        raise UserError(
            f"model {name!r} has no tokenizer that AutoTokenizer opens ({first_line(error.__cause__ or error)}); {remedy}."
        ) from error
    if not tokenizer.is_fast:
        raise UserError(f"the tokenizer of {name!r} has no tokenizer.json; {remedy}.")
    if len(tokenizer) == 0 or tokenizer.backend_tokenizer.get_vocab_size() <= 1:
        raise UserError(f"the tokenizer of {name!r} is empty: its files are not there; {remedy}.")
    return tokenizer


def check_vocabulary(name: str, *, tokenizer: PreTrainedTokenizerBase, vocab_size: int) -> None:
    """Raises a UserError where the tokenizer knows ids that the model has not."""
    largest = max(tokenizer.get_vocab().values())
    if largest >= vocab_size:
        raise UserError(
            f"the tokenizer of {name!r} gives ids up to {largest}, but the model knows {vocab_size} (0 to {vocab_size - 1}): their vocabularies "
            "are different ones; name the model's own tokenizer with --tokenizer."
        )


def vocab_size_of(model: PreTrainedModel) -> int:
    """Number of token ids that a model can read."""
    embeddings = model.get_input_embeddings()
    weight = getattr(embeddings, "weight", None)
    return int(model.config.get_text_config(decoder=True).vocab_size if weight is None else weight.shape[0])


def max_positions_of(config: Any) -> int | None:
    """Most input tokens that a model can read at once, by its config; None where it names no limit (recurrent models, ALiBi)."""
    text = config.get_text_config(decoder=True)
    if getattr(text, "alibi", False):
        return None
    limits = [value for name in LIMIT_NAMES if isinstance(value := getattr(text, name, None), int) and value > 0]
    return min(limits, default=None)


def bos_ids_of(tokenizer: PreTrainedTokenizerBase, policy: BosPolicy) -> tuple[int, ...]:
    """Ids that stand before every window.

    Args:
        tokenizer: of the model.
        policy: ``auto``: what the tokenizer itself puts before a text; ``none``: nothing; ``always``: that, or its BOS token where it puts nothing.

    Raises:
        UserError: ``always``, and the tokenizer has no BOS token.
    """
    if policy == "none":
        return ()
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    own = next((tuple(whole[:at]) for at in range(len(whole)) if whole[at : at + len(plain)] == plain), ())
    if own or policy == "auto":
        return own
    if tokenizer.bos_token_id is None:
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path!r} has no BOS token to put before every window; use --bos none or --bos auto."
        )
    return (int(tokenizer.bos_token_id),)


def _usable(device: str) -> torch.device:
    """The device, if something can be put there; before the weights are read."""
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {device!r} cannot be used: {first_line(error)}; give one that this machine has, such as 'cpu'.") from error


@torch.inference_mode()
def _check_causal(name: str, model: PreTrainedModel) -> None:
    """A prediction that sees later tokens would be no prediction; masked language models open as causal ones too."""
    num_tokens = min(CHECKED_TOKENS, max_positions_of(model.config) or CHECKED_TOKENS)
    ids = torch.arange(num_tokens, device=model.device)[None] % vocab_size_of(model)
    other = ids.clone()
    other[0, -1] = (other[0, -1] + 1) % vocab_size_of(model)
    try:
        first, second = (getattr(model(input_ids=rows), "logits", None) for rows in (ids, other))
    except RuntimeError as error:  # such as an operation that a precision does not have
        raise UserError(
            f"model {name!r} cannot run in {str(model.dtype).removeprefix('torch.')} on {model.device}: {first_line(error)}; choose another --dtype or "
            "--device."
        ) from error
    if first is None or second is None or first.ndim != 3:
        return  # TokenLosses says what is wrong with it
    # Rounding alone may differ, by a few units in the last place of the largest logit.
    allowed = max(64 * torch.finfo(torch.float32).eps, 8 * torch.finfo(first.dtype).eps) * float(
        first.float().nan_to_num(0.0, 0.0, 0.0).abs().max()
    )
    # A logit of minus infinity in both is no difference; a damaged model's NaN is named where it is scored.
    if float((first.float() - second.float())[:, :-1].abs().nan_to_num(0.0).max()) > allowed:
        raise UserError(
            f"model {name!r} ({type(model).__name__}) is not causal: its prediction after a token changes with the tokens that follow, so its losses "
            "would be of words that it has already seen. Score a model that reads from left to right."
        )
