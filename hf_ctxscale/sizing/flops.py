"""train_flops_per_token: floating-point operations of one token's forward and backward pass, with attention and head."""

from hf_ctxscale.architectures import Shape, find_architecture
from hf_ctxscale.sizing.parameters import ParameterCount


def forward_flops_per_token(architecture: str, shape: Shape, count: ParameterCount, *, context_tokens: int) -> float:
    """Operations of one token's forward pass, a multiply-add counted as two.

    Matrix products of the body and the head, and causal attention at its mean length (T+1)/2: 2·(T+1)·width per layer (Kaplan et al. 2020, table 1,
    writes 2·T·width). Left out: norms, biases, activations, softmax, under 2 % at the sizes of this package.
    """
    attention = 2.0 * (context_tokens + 1) * shape.hidden_size * shape.num_layers if find_architecture(architecture).attention else 0.0
    return 2.0 * (count.body_matrix_weights + count.head_weights) + attention


def train_flops_per_token(architecture: str, shape: Shape, count: ParameterCount, *, context_tokens: int) -> float:
    """Operations of one token's forward and backward pass; the backward pass costs two forward ones."""
    return 3.0 * forward_flops_per_token(architecture, shape, count, context_tokens=context_tokens)


def six_nd_flops(body_params: int, *, train_tokens: int) -> float:
    """The paper's estimate 6·N·D: no attention, no head (Kaplan et al. 2020, section 2.1)."""
    return 6.0 * body_params * train_tokens
