"""cut_by_position: the splits of a corpus that is a single document."""

from hf_ctxscale.config import CorpusSettings
from hf_ctxscale.data.documents import Split

# Splits in order, and the end of each in characters; each begins where the one before ends.
Cut = tuple[tuple[Split, int], ...]


def cut_by_position(text: str, *, settings: CorpusSettings, lacking: tuple[Split, ...]) -> Cut:
    """Cuts a document into a first part for training, then validation, then test, as far as these are lacking; each ends at a line end.

    The last line end before the fraction counts, unless it is far away (2 % of the text or 1,000 characters, whichever is more).
    """
    fractions: dict[Split, float] = {"validation": settings.validation_fraction, "test": settings.test_fraction}
    parts: list[Split] = ["train", *(split for split, fraction in fractions.items() if split in lacking and fraction > 0)]
    cut: list[tuple[Split, int]] = []
    start = 0
    for number, split in enumerate(parts):
        later = sum(fractions[other] for other in parts[number + 1 :])
        end = wanted = round(len(text) * (1 - later))
        line_end = text.rfind("\n", start, wanted) + 1
        if later and wanted - line_end <= max(1000, len(text) // 50) and line_end > start:
            end = line_end
        if end > start:
            cut.append((split, end))
        start = end
    return tuple(cut)
