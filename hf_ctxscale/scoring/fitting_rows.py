"""FittingRows: as many rows per forward pass as memory takes, halved whenever it runs out."""

from collections.abc import Callable

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from hf_ctxscale.study import UserError


class FittingRows:
    """Calls a function on rows, in parts that fit.

    accelerate's `find_executable_batch_size` starts the whole function over and collects garbage at every call; here only the part that did
    not fit is repeated, and its rule of what counts as out of memory is used.

    Attributes:
        rows: at most so many at a time, so far.
    """

    def __init__(self, rows: int) -> None:
        assert rows >= 1
        self.rows = rows

    def __call__(
        self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], inputs_BS: torch.Tensor, targets_BT: torch.Tensor
    ) -> torch.Tensor:
        """``function(inputs_BS, targets_BT)``, which treats every row by itself.

        Raises:
            UserError: not even one row fits.
        """
        results, first = [], 0
        while first < len(inputs_BS):
            part = slice(first, first + self.rows)
            try:
                results.append(function(inputs_BS[part], targets_BT[part]))
                first += self.rows
            except RuntimeError as error:
                if not should_reduce_batch_size(error):
                    raise
                if self.rows == 1:
                    raise UserError(
                        f"memory is too small for a single window of {inputs_BS.shape[1]} tokens; score fewer --context tokens, or use --dtype bfloat16 "
                        "or a larger device."
                    ) from error
            else:
                continue
            # Outside of the handler, whose traceback holds on to the tensors that did not fit.
            self.rows //= 2
            clear_device_cache(garbage_collection=True)
        return torch.cat(results)
