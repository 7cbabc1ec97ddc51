"""Scoring against the bare forward pass of the same model, its peak memory against logits kept whole, and what an ablation costs.

Run with nothing else on the machine: ``python benchmarks/scoring_speed.py [--threads 2] [--rounds 3]``. Models have random weights and text is
random tokens: neither speed nor memory depends on them.
"""

import argparse
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from paired import Comparison, Row, Setting, Step, compare, keep_freed_memory, machine, print_rows, write_rows
from peak_memory import peak_bytes
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from hf_ctxscale.data.blocks import WithinWindows
from hf_ctxscale.data.tokens import TokenSplit
from hf_ctxscale.scoring.ablation import ablate_context
from hf_ctxscale.scoring.score_model import score_windows
from hf_ctxscale.scoring.token_losses import TokenLosses, losses_of_logits

MEMORY_BATCH = 8  # windows per forward pass when memory is measured: what a GPU of some size would be given


@dataclass(frozen=True)
class Case:
    """A model, and how many windows of how many tokens it is timed on."""

    name: str
    num_layers: int
    width: int
    num_heads: int
    vocab_size: int
    context_tokens: int
    num_windows: int
    batch_blocks: int

    def model(self) -> PreTrainedModel:
        """With random weights."""
        torch.manual_seed(0)
        config = GPT2Config(
            n_layer=self.num_layers,
            n_embd=self.width,
            n_head=self.num_heads,
            vocab_size=self.vocab_size,
            n_positions=self.context_tokens,
            bos_token_id=None,
            eos_token_id=None,
        )
        return GPT2LMHeadModel(config).eval()

    def windows(self) -> WithinWindows:
        """One from each of so many documents of random tokens."""
        length = 2 * (self.context_tokens + 1)
        tokens = np.random.default_rng(0).integers(self.vocab_size, size=self.num_windows * (length + 1)).astype(np.uint16)
        split = TokenSplit(
            name="test",
            tokens=tokens,
            documents=tuple(str(document) for document in range(self.num_windows)),
            first_token=np.arange(self.num_windows) * (length + 1),
            num_tokens=np.full(self.num_windows, length),
            num_bytes=np.full(self.num_windows, 4 * length),
        )
        return WithinWindows(split, self.context_tokens, max_windows_per_document=1, seed=0)


CASES = (
    Case("GPT-2 (12 x 768), 50,257 ids, context 1024", 12, 768, 12, 50_257, 1024, num_windows=2, batch_blocks=2),
    Case("4 x 128, 50,257 ids, context 1024", 4, 128, 4, 50_257, 1024, num_windows=4, batch_blocks=4),
    Case("4 x 128, 1,024 ids, context 256", 4, 128, 4, 1024, 256, num_windows=32, batch_blocks=16),
)


class _Ways:
    """What is timed, on one model and the same windows."""

    def __init__(self, case: Case, device: torch.device, *, batch_blocks: int | None = None) -> None:
        self.case, self.batch_blocks = case, batch_blocks or case.batch_blocks
        self.model = case.model()
        self.model.to(device)  # type: ignore[arg-type]  # transformers wraps nn.Module.to
        self.windows = case.windows()
        self.token_losses = TokenLosses(self.model)
        self.documents = tuple(str(document) for document in range(case.num_windows))
        self.num_bytes_by_id = np.full(case.vocab_size, 4)

    def score(self) -> None:
        score_windows(
            self.token_losses, self.windows, documents=self.documents, num_bytes_by_id=self.num_bytes_by_id, batch_blocks=self.batch_blocks
        )

    def ablate(self) -> None:
        ablate_context(
            self.token_losses, self.windows, documents=self.documents, num_bytes_by_id=self.num_bytes_by_id, batch_blocks=self.batch_blocks
        )

    def _batches(self) -> Iterator[torch.Tensor]:
        blocks = np.stack([self.windows[index].block for index in range(len(self.windows))])
        yield from torch.from_numpy(blocks).to(self.model.device).split(self.batch_blocks)

    @torch.inference_mode()
    def forward(self) -> None:
        """The model alone, with its logits."""
        for block_BS in self._batches():
            self.model(block_BS[:, :-1], use_cache=False)

    @torch.inference_mode()
    def logits_whole(self) -> None:
        """Scoring as it is often written: all logits, then cross entropy."""
        for block_BS in self._batches():
            losses_of_logits(self.model(block_BS[:, :-1], use_cache=False).logits, block_BS[:, 1:])


def rows_of(case: Case, setting: Setting) -> Iterator[Row]:
    """Speed, then memory."""
    comparisons = setting.wanted(
        Comparison(f"score / forward pass: {case.name}", "score", "forward", at_least=0.9),
        Comparison(f"score / logits whole: {case.name}", "score", "logits_whole"),
        Comparison(f"ablation of every window / score: {case.name}", "ablate", "score"),
    )
    if comparisons:
        ways, tokens = _Ways(case, setting.device), case.num_windows * case.context_tokens
        steps = {name: Step(getattr(ways, name), tokens) for name in ("score", "forward", "logits_whole", "ablate")}
        yield from (_with_multiple(row) for row in compare(comparisons, steps, setting))
    name = f"peak memory, score / logits whole: {case.name}, {MEMORY_BATCH} windows at a time"
    if case.vocab_size > 10_000 and setting.only in name:  # small logits are no burden
        peaks: dict[str, int | None] = {}
        for way in ("score", "logits_whole"):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                peaks[way] = process.submit(_measure_peak, way, case, setting.device, torch.get_num_threads()).result()
        ours, whole = peaks["score"], peaks["logits_whole"]
        if ours is not None and whole is not None:
            yield Row(name, "MiB", [ours / 2**20], [whole / 2**20], at_most=1 / 3)


def _with_multiple(row: Row) -> Row:
    if not row.name.startswith("ablation"):
        return row
    multiple = sorted(1 / ratio for ratio in row.ratios)[len(row.ratios) // 2]
    return Row(row.name, row.unit, row.ours, row.bare, note=f"{multiple:.1f} times one scoring pass")


def _measure_peak(way: str, case: Case, device: torch.device, num_threads: int) -> int | None:
    torch.set_num_threads(num_threads)
    larger = Case(**{**case.__dict__, "num_windows": MEMORY_BATCH})
    ways = _Ways(larger, device, batch_blocks=MEMORY_BATCH)
    run: Callable[[], None] = getattr(ways, way)
    with torch.inference_mode():
        ways.model(torch.zeros(1, 8, dtype=torch.long, device=device), use_cache=False)  # loads what is loaded once
    return peak_bytes(run, device)


def main() -> None:
    """Times every case, prints a table and, if asked, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each way in each round")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    setting = Setting(device, "float32", arguments.rounds, arguments.seconds, arguments.only)
    rows = [row for case in CASES for row in rows_of(case, setting)]
    print_rows(rows, title="Scoring")
    if arguments.json:
        write_rows(rows, arguments.json, about=machine(device))


if __name__ == "__main__":
    main()
