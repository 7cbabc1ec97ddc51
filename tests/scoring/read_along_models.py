"""Tiny models with tokenizers of two kinds, in float64, for the tests that read a text token by token."""

from collections.abc import Sequence
from pathlib import Path

import tokenizers
import torch
from tokenizers import decoders, models, normalizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

import hf_ctxscale.models  # noqa: F401 (registers the LSTM)
from hf_ctxscale.data.tokenizer import train_tokenizer
from hf_ctxscale.scoring.open_model import OpenedModel, max_positions_of

VOCAB_SIZE = 290
TEXT = "the cat — naïve, 🙂 — sat\r\n\n  on the 日本 mat; the <|endoftext|> dog </s> <script>alert(1)</script> ran"
SHAPES: dict[str, dict] = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256},
    "ctxscale_lstm": {"hidden_size": 8, "num_hidden_layers": 2},
    "llama": {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
    },
}


def byte_level_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """As a study makes it; puts nothing before a text."""
    text = "the cat and the dog sat on the mat; the longer the prompt about the cat, the longer the dog sat. " * 20
    train_tokenizer([text], vocab_size=VOCAB_SIZE, num_bytes=len(text), folder=folder)
    return AutoTokenizer.from_pretrained(folder)


def byte_fallback_tokenizer(bos: Sequence[str] = ("<s>",)) -> PreTrainedTokenizerBase:
    """As Llama's: puts a blank and BOS before a text, and has a token for every byte of a character that it does not know."""
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"<0x{byte:02X}>": 3 + byte for byte in range(256)}}
    merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("a", "t")]
    for token in (*"▁acdehlnostm.", *(left + right for left, right in merges)):
        vocab[token] = len(vocab)
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = [(name, vocab[name]) for name in set(bos)]
    backend.post_processor = processors.TemplateProcessing(single=" ".join([*bos, "$A"]), special_tokens=special)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def open_tiny(model_type: str, tokenizer: PreTrainedTokenizerBase, *, name: str | None = None, seed: int = 0, **fields: int) -> OpenedModel:
    """A random model in float64, whose predictions are far from even."""
    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, vocab_size=VOCAB_SIZE, **{**SHAPES[model_type], **fields})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float64).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return OpenedModel(name or f"tiny-{model_type}", model, tokenizer, None, max_positions_of(config))
