"""example_csv: made-up losses in the form that the app reads, so that a visitor sees the form and a result at once."""

import numpy as np

NUM_BLOCKS = 24
NUM_DOCUMENTS = 20  # the first documents give two blocks: as many documents as an interval needs
CONTEXT_TOKENS = 512


def example_csv() -> str:
    """A line for each of 24 blocks: document id, then 512 losses in nats that fall with position; made up, not measured."""
    random = np.random.default_rng(0)
    level_D = random.normal(0, 0.2, size=NUM_DOCUMENTS)
    curve_T = 2.6 + 2.4 * np.arange(1, CONTEXT_TOKENS + 1) ** -0.35
    lines = []
    for block in range(NUM_BLOCKS):
        document = block % NUM_DOCUMENTS
        losses_T = (curve_T + level_D[document]) * random.gamma(4.0, 1 / 4.0, size=CONTEXT_TOKENS)
        lines.append(",".join([f"text-{document + 1:02d}", *(f"{loss:.2f}" for loss in losses_T)]))
    return "\n".join(lines)
