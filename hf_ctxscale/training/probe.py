"""probe_seconds_per_step: how long one training step of a planned run takes here, from a few real steps on random tokens."""

import time

import torch
from torch.nn.utils import clip_grad_norm_

from hf_ctxscale.records import RunRecord
from hf_ctxscale.training.train_run import build_model

WARMUP_STEPS = 1
TIMED_STEPS = 4


def probe_seconds_per_step(record: RunRecord, *, vocab_size: int) -> float:
    """Mean of a few steps, in seconds, on this process's threads; forward, backward, clipping and optimiser, without the Trainer round them."""
    model = build_model(record, vocab_size=vocab_size)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if torch.cuda.is_available():
        model.to("cuda")  # type: ignore[arg-type]  # transformers wraps nn.Module.to
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=record.learning_rate, fused=True)
    block_BS = torch.randint(vocab_size, (record.batch_blocks, record.context_tokens + 1), device=device)
    targets_BT = block_BS[:, 1:].contiguous()
    seconds = []
    for _ in range(WARMUP_STEPS + TIMED_STEPS):
        started = time.perf_counter()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=record.precision == "bfloat16"):
            loss = model(input_ids=block_BS[:, :-1].contiguous(), labels=targets_BT, shift_labels=targets_BT).loss
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        seconds.append(time.perf_counter() - started)
    return sum(seconds[WARMUP_STEPS:]) / TIMED_STEPS


def processor_has_bfloat16() -> bool:
    """Whether bfloat16 arithmetic is native here; elsewhere autocast to it is slower and pointless."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
