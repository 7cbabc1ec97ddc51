"""match_size: the shape whose exact body parameters come closest to a target."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from hf_ctxscale.architectures import Architecture, Shape, find_architecture
from hf_ctxscale.sizing.parameters import ParameterCount, build_config, count_config
from hf_ctxscale.study import UserError

ASPECT_RATIO = 64  # width over layers of GPT-2 small; loss hardly depends on it (Kaplan et al. 2020, section 3.1)
MAX_LAYERS = 96
DEFAULT_MLP_RATIO = 4
MAX_HEAD_MISFIT = math.log(1.5)


@dataclass(frozen=True)
class Match:
    """A shape and how well it meets its target.

    Attributes:
        shape: layers, width, heads.
        count: the exact parameters.
        mismatch: (exact - target) / target.
        formula_body_params: the paper's count of the same shape.
    """

    shape: Shape
    count: ParameterCount
    mismatch: float
    formula_body_params: int


def match_size(
    architecture: str, *, body_params: int, num_layers: int | None = None, vocab_size: int, context_tokens: int, tolerance: float = 0.03
) -> Match:
    """Finds the shape that meets a target number of body parameters.

    The width is the whole number that comes closest, with heads of about a quarter of it (16 to 64 wide). Where that misses by more than the
    tolerance, the architecture's second width (``Architecture.fine_size``) departs from its default.

    Args:
        architecture: a name of architectures.TABLE.
        body_params: the target.
        num_layers: None: the depth for which width over layers is closest to 64, as in GPT-2.
        vocab_size: changes no body parameter, but belongs to the count.
        context_tokens: likewise.
        tolerance: largest mismatch allowed.

    Raises:
        UserError: no shape comes within the tolerance; the nearest one is named.
    """
    entry = find_architecture(architecture)
    layers = num_layers if num_layers is not None else _depth(entry, body_params)

    @cache
    def counted(shape: Shape) -> ParameterCount:
        return count_config(build_config(architecture, shape, vocab_size=vocab_size, context_tokens=context_tokens))

    def matched(shape: Shape) -> Match:
        count = counted(shape)
        return Match(shape, count, (count.groups.body - body_params) / body_params, entry.formula_body_params(shape))

    guess = _formula_width(entry, layers, body_params)
    candidates = [matched(_shape(entry, layers, width)) for width in range(max(1, guess - 4), guess + 5)]
    best = min(
        candidates, key=lambda match: (abs(match.mismatch) > tolerance, _head_misfit(match.shape) > MAX_HEAD_MISFIT, abs(match.mismatch))
    )
    if abs(best.mismatch) > tolerance:
        finer = [matched(shape) for match in candidates if (shape := _fine_shape(entry, match, body_params, counted)) is not None]
        met = [match for match in finer if abs(match.mismatch) <= tolerance]
        # The least departure from the default is the plainest model.
        best = min(met, key=lambda match: _departure(entry, match.shape)) if met else best
    if abs(best.mismatch) > tolerance:
        raise UserError(
            f"body_params={body_params} cannot be met by {layers} layer(s) of {architecture!r}: the nearest shape, width {best.shape.hidden_size}, has "
            f"{best.count.groups.body} ({best.mismatch:+.1%}; allowed: {tolerance:.1%}). Choose {best.count.groups.body}, fewer layers, or a larger "
            "size_tolerance."
        )
    return best


def _depth(entry: Architecture, body_params: int) -> int:
    def distance(num_layers: int) -> float:
        return abs(math.log(_formula_width(entry, num_layers, body_params) / num_layers / ASPECT_RATIO))

    return min(range(entry.min_layers, MAX_LAYERS + 1), key=distance)


def _formula_width(entry: Architecture, num_layers: int, body_params: int) -> int:
    """The width for which the paper's formula is closest to the target."""
    width = 1
    while entry.formula_body_params(Shape(num_layers, width * 2)) < body_params:
        width *= 2
    step = width
    while step:
        if entry.formula_body_params(Shape(num_layers, width + step)) <= body_params:
            width += step
        step //= 2
    return width


def _shape(entry: Architecture, num_layers: int, width: int) -> Shape:
    return Shape(num_layers, width, num_heads=_num_heads(width) if entry.has_heads else None)


def _num_heads(width: int) -> int:
    """The number of heads whose size comes closest to a quarter of the width, kept within 16 to 64."""
    return min((number for number in range(1, width + 1) if width % number == 0), key=lambda number: _head_misfit(Shape(1, width, number)))


def _head_misfit(shape: Shape) -> float:
    """How far the head size is from the wanted one, as the logarithm of a ratio; 0 without heads."""
    if shape.num_heads is None:
        return 0.0
    wanted = min(max(shape.hidden_size / 4, 16), 64)
    return abs(math.log(shape.hidden_size / shape.num_heads / wanted))


def _default_fine_size(entry: Architecture, shape: Shape) -> int:
    return shape.hidden_size * (DEFAULT_MLP_RATIO if entry.fine_size == "mlp_size" else 1)


def _departure(entry: Architecture, shape: Shape) -> float:
    return abs(math.log(getattr(shape, entry.fine_size) / _default_fine_size(entry, shape)))


def _fine_shape(entry: Architecture, match: Match, body_params: int, counted: Callable[[Shape], ParameterCount]) -> Shape | None:
    """The same width with the second width chosen to meet the target; parameters grow linearly with it. None beyond half or twice its default."""
    shape = match.shape
    default = _default_fine_size(entry, shape)
    first, second = (counted(replace(shape, **{entry.fine_size: default + extra})).groups.body for extra in (1, 2))
    size = default + 1 + round((body_params - first) / (second - first))
    return replace(shape, **{entry.fine_size: size}) if default / 2 <= size <= 2 * default and size != default else None
