"""Speed of our LSTM against the bare kernels: training, padded batches, generation, prompts and the head's loss, side by side in one run.

Same weights, tokens, precision and threads on both sides; on a GPU the bare side is cuDNN. A ratio is our speed over the bare one, so 1 is no overhead at
all; only where the row says "time" is less better. What cannot run is a row that says why. Run it on an idle machine:
``python benchmarks/lstm_speed.py``, about half an hour; ``--only prompt`` for some of the rows.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from head_loss_speed import HeadSize, head_rows
from paired import Comparison, Row, Setting, Step, compare, keep_freed_memory, machine, print_rows, race, write_rows
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from transformers import StoppingCriteria, StoppingCriteriaList

from hf_ctxscale.models.lstm.configuration_lstm import LSTMConfig
from hf_ctxscale.models.lstm.modeling_lstm import LSTMForCausalLM
from hf_ctxscale.training.probe import processor_has_bfloat16

NO_TARGET = -100
EARLY_TOKENS = 10


@dataclass(frozen=True)
class Size:
    """A batch and a model."""

    batch: int
    context_tokens: int
    vocab_size: int
    hidden_size: int
    num_layers: int

    def __str__(self) -> str:
        return f"{self.batch} x {self.context_tokens}, vocabulary {self.vocab_size}, width {self.hidden_size}, layers {self.num_layers}"


@dataclass(frozen=True)
class Plan:
    """The sizes of every kind of row."""

    training: tuple[Size, ...]
    padded: tuple[Size, ...]
    generation: tuple[Size, ...]
    prompts: tuple[Size, ...]
    heads: tuple[HeadSize, ...]
    padded_batches: int = 8
    late_tokens: int = 10_000
    timed_tokens: int = 200
    segment_seconds: float = 0.5


_SMALL = ((64, 1), (128, 1), (256, 2), (128, 4))
_LARGE = tuple(Size(64, 1024, 1024, hidden_size, num_layers) for hidden_size in (256, 512, 1024, 2048) for num_layers in (1, 2, 4))
CPU = Plan(
    training=(*(Size(8, 256, 1024, *model) for model in _SMALL), Size(8, 512, 16384, 256, 1)),
    padded=(Size(32, 256, 1024, 64, 1), Size(32, 256, 1024, 128, 1), Size(16, 256, 1024, 256, 2)),
    generation=(Size(1, 8, 1024, 64, 1), Size(1, 8, 1024, 256, 2)),
    prompts=tuple(Size(*batch, 1024, *model) for model in _SMALL for batch in ((1, 2048), (8, 512))),
    heads=(HeadSize(2048, 256, 50257), HeadSize(2048, 512, 8192)),
)
GPU = Plan(
    training=(*_LARGE, Size(64, 1024, 16384, 1024, 1)),
    padded=_LARGE,
    generation=_LARGE,
    prompts=_LARGE,
    heads=(*CPU.heads, HeadSize(16384, 1024, 50257)),
)
QUICK = Plan(
    training=(Size(2, 16, 64, 16, 1),),
    padded=(Size(4, 16, 64, 16, 2),),
    generation=(Size(1, 4, 64, 16, 1),),
    prompts=(Size(2, 16, 64, 16, 1),),
    heads=(HeadSize(64, 16, 512),),
    padded_batches=2,
    late_tokens=300,
    segment_seconds=0.02,
)


class BareLSTM(nn.Module):
    """The same computation, and nothing else, from torch's own modules with the same weights."""

    def __init__(self, model: LSTMForCausalLM):
        super().__init__()
        config, device = model.config, model.device
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size, device=device)
        self.lstm = nn.LSTM(config.hidden_size, config.hidden_size, config.num_hidden_layers, batch_first=True, device=device)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False, device=device)
        self.embedding.load_state_dict(model.model.embed_tokens.state_dict())
        self.lstm.load_state_dict(model.model.lstm.state_dict())
        self.head.weight = self.embedding.weight

    def last_logits(self, ids_BT: torch.Tensor) -> torch.Tensor:
        """Logits after the last token, (B, 1, V)."""
        return self.head(self.lstm(self.embedding(ids_BT))[0][:, -1:])

    def loss(self, ids_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy."""
        logits_BTV = self.head(self.lstm(self.embedding(ids_BT))[0])
        return functional.cross_entropy(logits_BTV.float().flatten(0, 1), targets_BT.flatten())

    def packed_loss(self, ids_BT: torch.Tensor, targets_BT: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        """The same over torch's packed sequences, the head over real tokens alone; lengths on the host, as torch wants them."""
        ids = pack_padded_sequence(ids_BT, lengths_B, batch_first=True, enforce_sorted=False)
        targets = pack_padded_sequence(targets_BT, lengths_B, batch_first=True, enforce_sorted=False).data
        packed = PackedSequence(self.embedding(ids.data), ids.batch_sizes, ids.sorted_indices, ids.unsorted_indices)
        return functional.cross_entropy(self.head(self.lstm(packed)[0].data).float(), targets)


def _build(size: Size, device: torch.device) -> tuple[LSTMForCausalLM, BareLSTM]:
    torch.manual_seed(0)
    config = LSTMConfig(vocab_size=size.vocab_size, hidden_size=size.hidden_size, num_hidden_layers=size.num_layers)
    with device:
        model = LSTMForCausalLM(config)
    return model, BareLSTM(model)


def _draw_batch(size: Size, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ids and the targets of each, both (B, T)."""
    block_BS = torch.randint(size.vocab_size, (size.batch, size.context_tokens + 1), device=device)
    return block_BS[:, :-1].contiguous(), block_BS[:, 1:].contiguous()


def _our_loss(model: LSTMForCausalLM, ids_BT: torch.Tensor, targets_BT: torch.Tensor, **options: Any) -> torch.Tensor:
    loss = model(input_ids=ids_BT, labels=targets_BT, shift_labels=targets_BT, **options).loss
    assert loss is not None
    return loss


def _train(losses: list[Callable[[], torch.Tensor]], parameters: list[torch.Tensor], setting: Setting) -> None:
    """A forward and a backward pass for each."""
    for loss in losses:
        for parameter in parameters:
            parameter.grad = None
        with setting.autocast():
            value = loss()
        value.backward()


def _check_same(ours: torch.Tensor, bare: torch.Tensor) -> None:
    """A comparison of speeds means nothing between different results."""
    torch.testing.assert_close(ours.float(), bare.float(), rtol=2e-2, atol=2e-2)


def training_rows(plan: Plan, setting: Setting) -> Iterator[Row]:
    """A forward and a backward pass, with the logits returned and without."""
    for size in plan.training:
        name = f"training {size}, {setting.precision}"
        rows = setting.wanted(Comparison(name, "ours", "bare", 0.97), Comparison(f"{name}, loss alone", "loss alone", "bare", 0.97))
        if not rows:
            continue
        model, bare = _build(size, setting.device)
        batch = _draw_batch(size, setting.device)
        with torch.no_grad(), setting.autocast():
            _check_same(_our_loss(model, *batch), bare.loss(*batch))
        passes = {
            "ours": (model, partial(_our_loss, model, *batch)),
            "loss alone": (model, partial(_our_loss, model, *batch, return_logits=False)),
            "bare": (bare, partial(bare.loss, *batch)),
        }
        steps = {
            name: Step(partial(_train, [loss], list(module.train().parameters()), setting), batch[0].numel())
            for name, (module, loss) in passes.items()
        }
        yield from compare(rows, steps, setting)


def padded_rows(plan: Plan, setting: Setting) -> Iterator[Row]:
    """Training on batches padded on the right, lengths uniform from 1 to T, in real tokens per second."""
    for size in plan.padded:
        name = f"padded training {size}, {setting.precision}"
        rows = setting.wanted(
            Comparison(f"{name}, against as many tokens in dense batches", "padded", "dense", 0.7),
            Comparison(f"{name}, against torch's packed sequences", "padded", "packed"),
            Comparison(f"{name}, against computing the padding", "padded", "unmasked"),
        )
        if not rows:
            continue
        model, bare = _build(size, setting.device)
        losses: dict[str, list[Callable[[], torch.Tensor]]] = {"padded": [], "dense": [], "packed": [], "unmasked": []}
        num_real = num_dense = 0
        for _ in range(plan.padded_batches):
            lengths_B = torch.randint(1, size.context_tokens + 1, (size.batch,))
            ids_BT, targets_BT = _draw_batch(size, setting.device)
            mask_BT = (torch.arange(size.context_tokens) < lengths_B[:, None]).to(setting.device)
            ids_BT, targets_BT = ids_BT.masked_fill(~mask_BT, 0), targets_BT.masked_fill(~mask_BT, NO_TARGET)
            # So many full rows that the dense batches hold as many tokens as the padded ones.
            num_real += int(lengths_B.sum())
            dense = _draw_batch(replace(size, batch=max(1, round((num_real - num_dense) / size.context_tokens))), setting.device)
            num_dense += dense[0].numel()
            ours = partial(_our_loss, model, return_logits=False)
            losses["padded"].append(partial(ours, ids_BT, targets_BT, attention_mask=mask_BT.long()))
            losses["dense"].append(partial(ours, *dense))
            losses["packed"].append(partial(bare.packed_loss, ids_BT, targets_BT, lengths_B))
            losses["unmasked"].append(partial(ours, ids_BT, targets_BT))
        with torch.no_grad(), setting.autocast():
            _check_same(losses["padded"][0](), losses["unmasked"][0]())
        steps = {
            name: Step(
                partial(_train, several, list((bare if name == "packed" else model).train().parameters()), setting),
                num_dense if name == "dense" else num_real,
            )
            for name, several in losses.items()
        }
        yield from compare(rows, steps, setting)


def generation_rows(plan: Plan, setting: Setting) -> Iterator[Row]:
    """Time per token late in a text against early in it: stepping by hand, and generate()."""
    for size in plan.generation:
        for kind, measure in (("stepping", _time_stepping), ("generate()", _time_generate)):
            name = f"time of {kind} after {plan.late_tokens} tokens against after {EARLY_TOKENS}, {size}, {setting.precision}"
            if not setting.wanted(Comparison(name, "", "")):
                continue
            model = _build(size, setting.device)[0].eval()
            state_bytes: list[int] = []
            hook = model.register_forward_hook(partial(_note_state_bytes, state_bytes))
            with torch.inference_mode(), setting.autocast():
                late, early = measure(model, _draw_batch(size, setting.device)[0], hook.remove, plan, setting)
            note = f"state at most {max(state_bytes[:EARLY_TOKENS]):,} bytes early, {max(state_bytes):,} at all"
            yield Row(name, "us/token", late, early, at_most=1.1, note=note)


def _note_state_bytes(state_bytes: list[int], module: nn.Module, args: Any, output: Any) -> None:
    """A forward hook. What the state keeps in memory, which is more than its own size where it is a view of something larger."""
    storages = [tensor.untyped_storage() for tensor in output.cache_params.values()]
    state_bytes.append(sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values()))


def _time_stepping(
    model: LSTMForCausalLM, ids_BT: torch.Tensor, stop_noting: Callable[[], None], plan: Plan, setting: Setting
) -> tuple[list[float], list[float]]:
    """Microseconds per token, late and early: both states are kept, and segments that go on from them alternate."""

    def walk(ids_BT: torch.Tensor, state: Any, num_tokens: int) -> tuple[torch.Tensor, Any]:
        for _ in range(num_tokens):
            output = model(ids_BT, cache_params=state, use_cache=True, logits_to_keep=1)
            ids_BT, state = output.logits[:, -1].argmax(-1, keepdim=True), output.cache_params
        return ids_BT, state

    early = walk(ids_BT, None, EARLY_TOKENS)
    late = walk(*early, plan.late_tokens - EARLY_TOKENS)
    stop_noting()
    steps = {name: Step(partial(walk, *start, plan.timed_tokens), plan.timed_tokens) for name, start in (("late", late), ("early", early))}
    rates = race(steps, setting)
    return [1e6 / rate for rate in rates["late"]], [1e6 / rate for rate in rates["early"]]


class _Clock(StoppingCriteria):
    """Notes when each token is there; stops nothing."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.times: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        self.setting.synchronize()
        self.times.append(time.perf_counter())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _time_generate(
    model: LSTMForCausalLM, ids_BT: torch.Tensor, stop_noting: Callable[[], None], plan: Plan, setting: Setting
) -> tuple[list[float], list[float]]:
    """Median microseconds per token, late and early, of one text a round; the text before them is the warm-up, and has its states noted."""
    late: list[float] = []
    early: list[float] = []
    num_new = plan.late_tokens + plan.timed_tokens + 1
    for _ in range(setting.rounds + 1):
        clock = _Clock(setting)
        model.generate(  # type: ignore[misc]  # a mixin that names its host as self
            ids_BT,
            attention_mask=torch.ones_like(ids_BT),
            do_sample=False,
            min_new_tokens=num_new,
            max_new_tokens=num_new,
            stopping_criteria=StoppingCriteriaList([clock]),
        )
        stop_noting()
        for side, first in ((late, plan.late_tokens), (early, EARLY_TOKENS)):
            times = clock.times[first : first + plan.timed_tokens + 1]
            side.append(1e6 * statistics.median(after - before for before, after in pairwise(times)))
    return late[1:], early[1:]


def prompt_rows(plan: Plan, setting: Setting) -> Iterator[Row]:
    """Reading a prompt: the state, and the logits after its last token."""

    @torch.inference_mode()
    def read(logits: Callable[[], torch.Tensor]) -> torch.Tensor:
        with setting.autocast():
            return logits()

    for size in plan.prompts:
        rows = setting.wanted(Comparison(f"prompt {size}, {setting.precision}", "ours", "bare", 0.95))
        if not rows:
            continue
        model, bare = _build(size, setting.device)
        ids_BT = _draw_batch(size, setting.device)[0]
        passes = {"ours": partial(_our_last_logits, model.eval(), ids_BT), "bare": partial(bare.eval().last_logits, ids_BT)}
        _check_same(*(read(logits) for logits in passes.values()))
        yield from compare(rows, {name: Step(partial(read, logits), ids_BT.numel()) for name, logits in passes.items()}, setting)


def _our_last_logits(model: LSTMForCausalLM, ids_BT: torch.Tensor) -> torch.Tensor:
    logits = model(input_ids=ids_BT, use_cache=True, logits_to_keep=1).logits
    assert logits is not None
    return logits


def main() -> None:
    """Prints the table, and writes it where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose name holds this text, such as prompt, padded, bfloat16 or 'width 64'")
    parser.add_argument("--pairs", type=int, default=7, help="rounds of alternating segments")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script: the numbers mean nothing")
    parser.add_argument("--json", type=Path, help="a file for the rows, every round of them")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    device = torch.device(arguments.device)
    about = machine(device)
    title = ", ".join(f"{name}: {value}" for name, value in about.items())
    print(title, flush=True)
    plan = QUICK if arguments.quick else GPU if device.type == "cuda" else CPU
    precisions = ["float32", "bfloat16"] if processor_has_bfloat16() else ["float32"]
    if len(precisions) == 1:
        print("This processor has no bfloat16 arithmetic: float32 alone.")
    rows: list[Row] = []
    kinds: list[Callable[[Setting], Iterator[Row]]] = [
        *(partial(kind, plan) for kind in (training_rows, padded_rows, generation_rows, prompt_rows)),
        partial(head_rows, plan.heads),
    ]
    for kind in kinds:
        for precision in precisions:
            for row in kind(Setting(device, precision, arguments.pairs, plan.segment_seconds, arguments.only)):
                print(f"{row.name}: {statistics.median(row.ratios):.3f}" if row.ratios else f"{row.name}: {row.note}", flush=True)
                rows.append(row)
    print_rows(rows, title=f"LSTM speed; {title}")
    if arguments.json:
        write_rows(rows, arguments.json, about=about)


if __name__ == "__main__":
    main()
