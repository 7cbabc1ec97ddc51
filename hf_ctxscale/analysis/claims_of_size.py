"""Questions about loss against size: Transformers against LSTMs at equal body and total parameters, the gap's growth, deeper LSTMs."""

import math
from functools import partial
from itertools import pairwise

import numpy as np

from hf_ctxscale.analysis.claim_questions import Losses, Question
from hf_ctxscale.analysis.ladder import Cell, Ladder, UntestableError
from hf_ctxscale.analysis.measured import validation_loss
from hf_ctxscale.analysis.verdicts import above


def size_questions(losses: Losses) -> list[Question]:
    """Every question about losses over all positions."""
    ladder = losses.ladder
    # Without one of the families there is one thing to say, not one per size.
    sizes = ladder.sizes if len(ladder.families) > 1 else ladder.sizes[-1:]
    questions = []
    for size in sizes:
        best = ladder.best_words("LSTM", size=size)
        questions.append(
            Question(
                f"transformer_below_best_lstm_{size}",
                f"At {ladder.size_words(size)}, the Transformer's loss is below that of {best}.",
                "gap",
                above(0.0),
                partial(losses.gap, losses.everywhere, size=size),
            )
        )
    for size in sizes:
        questions.append(
            Question(
                f"transformer_below_best_lstm_total_{size}",
                f"At as many parameters in total as the Transformer of {size:,} body parameters has, its loss is below that of "
                f"{_lstm_of_total_words(ladder, size)}, read between the LSTM's sizes{_other_tokens_words(ladder, size)}.",
                "gap",
                above(0.0),
                partial(_gap_at_equal_total, losses, size),
            )
        )
    questions.append(
        Question(
            "transformer_gap_grows_with_size",
            f"The Transformer's advantage over the best LSTM grows {ladder.growth_words}.",
            "gap",
            above(0.0),
            partial(_growth_with_size, losses),
            unit="nats per factor of ten",
        )
    )
    return questions + _depth_questions(losses)


def _depth_questions(losses: Losses) -> list[Question]:
    depths = losses.ladder.lstm_depths
    if len(depths) < 2:
        untestable = partial(_one_depth, depths)
        return [Question("lstm_depth_lowers_loss", "More layers lower the LSTM's loss.", "gap", above(0.0), untestable)]
    questions = []
    for shallow, deep in pairwise(depths):
        sizes = _shared_sizes(losses.ladder, shallow, deep)
        where = f"At {sizes[0]:,} body parameters" if len(sizes) == 1 else f"Averaged over {len(sizes) or 'all'} sizes"
        questions.append(
            Question(
                f"lstm_{deep}_below_lstm_{shallow}",
                f"{where}, more layers lower the LSTM's loss: that of {deep} layers is below that of {shallow}.",
                "gap",
                above(0.0),
                partial(_depth_effect, losses, shallow, deep),
            )
        )
    return questions


def _one_depth(depths: tuple[int, ...]) -> tuple[np.ndarray, Cell]:
    raise UntestableError(f"this needs LSTMs of two depths; the study has {len(depths) or 'none'}")


def _growth_with_size(losses: Losses) -> tuple[np.ndarray, Cell]:
    sizes = losses.ladder.sizes
    gaps = [losses.gap(losses.everywhere, size=size) for size in sizes]
    if len(sizes) < 2:
        raise UntestableError("this needs two sizes at which both families are finished and scored; the study has one")
    centred = np.log10(sizes) - np.log10(sizes).mean()
    slope_R = np.stack([gap_R for gap_R, _ in gaps], axis=1) @ (centred / np.square(centred).sum())
    return slope_R, tuple(run for _, runs in gaps for run in runs)


def _gap_at_equal_total(losses: Losses, size: int) -> tuple[np.ndarray, Cell]:
    (below, over), share = _lstm_of_total(losses.ladder, size)
    transformer = losses.ladder.best("Transformer", size=size)
    log_below_R, log_over_R = (np.log(losses.of(cell, losses.everywhere)) for cell in (below, over))
    lstm_R = np.exp((1 - share) * log_below_R + share * log_over_R)
    read = below if below is over else below + over
    return lstm_R - losses.of(transformer, losses.everywhere), read + transformer


def _lstm_of_total(ladder: Ladder, size: int) -> tuple[tuple[Cell, Cell], float]:
    """LSTMs around the total of the best Transformer of a size: the cells below and above it, and how far it lies between.

    The depth is that of the lowest validation loss there.

    Raises:
        UntestableError: some depth was not measured around it, which may be the best one; or none can be chosen.
    """
    total = ladder.best("Transformer", size=size)[0].record.params.total
    lstms = [cells for depth in ladder.lstm_depths if (cells := ladder.around_total(f"lstm-{depth}", total=total))]
    if not lstms:
        raise UntestableError(f"no LSTM was measured both below and above {total:,} parameters in total; nothing is said beyond")
    if len(lstms) < len(ladder.lstm_depths):
        raise UntestableError(
            f"only {len(lstms)} of the LSTM's {len(ladder.lstm_depths)} depths were measured both below and above {total:,} parameters in total: "
            "the best may not be among them"
        )
    shares = [_share_between(cells, total) for cells in lstms]
    validation = [_validation_between(cells, share) for cells, share in zip(lstms, shares, strict=True)]
    if len(lstms) > 1 and not np.isfinite(min(validation)):
        raise UntestableError(f"the best LSTM of {total:,} parameters in total cannot be chosen: no validation loss is recorded")
    best = validation.index(min(validation))
    return lstms[best], shares[best]


def _lstm_of_total_words(ladder: Ladder, size: int) -> str:
    """``the best LSTM (1 layer)``."""
    try:
        (below, _), _ = _lstm_of_total(ladder, size)
    except UntestableError:
        return "the best LSTM"
    num_layers = below[0].record.num_layers
    return f"the best LSTM ({num_layers} layer{'s' if num_layers > 1 else ''})"


def _other_tokens_words(ladder: Ladder, size: int) -> str:
    """What a comparison at equal parameters in total has to say of training tokens: nothing where they are equal too."""
    try:
        (below, over), share = _lstm_of_total(ladder, size)
    except UntestableError:
        return ""
    read = below if share == 0 else over if share == 1 else below + over
    of_lstm = sorted({run.record.train_tokens for run in read})
    own = ladder.best("Transformer", size=size)[0].record.train_tokens
    if of_lstm == [own]:
        return ""
    return f", trained on {' and '.join(f'{tokens / 1e6:.3g}' for tokens in of_lstm)} million tokens against its {own / 1e6:.3g}"


def _share_between(cells: tuple[Cell, Cell], total: int) -> float:
    """How far a total lies from that of the first cell to that of the second one, in logarithms."""
    low, high = (cell[0].record.params.total for cell in cells)
    return math.log(total / low) / math.log(high / low) if high > low else 0.0


def _validation_between(cells: tuple[Cell, Cell], share: float) -> float:
    low, high = (validation_loss([run.record for run in cell]) for cell in cells)
    # Nothing times infinity is no number, and a missing loss is never the best.
    return low ** (1 - share) * high**share if math.isfinite(low + high) else math.inf


def _depth_effect(losses: Losses, shallow: int, deep: int) -> tuple[np.ndarray, Cell]:
    ladder = losses.ladder
    sizes = _shared_sizes(ladder, shallow, deep)
    if not sizes:
        raise UntestableError(f"no size has both a {shallow}-layer and a {deep}-layer LSTM that are finished and scored")
    cells = [tuple(ladder.measured.at(f"lstm-{depth}", size=size) for depth in (shallow, deep)) for size in sizes]
    window = losses.everywhere
    effect_R = np.mean([losses.of(shallow_cell, window) - losses.of(deep_cell, window) for shallow_cell, deep_cell in cells], axis=0)
    return effect_R, tuple(run for pair in cells for cell in pair for run in cell)


def _shared_sizes(ladder: Ladder, shallow: int, deep: int) -> list[int]:
    sizes = ({run.record.target_body_params for run in ladder.measured.series.get(f"lstm-{depth}", ())} for depth in (shallow, deep))
    return sorted(set.intersection(*sizes))
