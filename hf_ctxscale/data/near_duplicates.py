"""NearDuplicates: whether a text is much the same as an earlier one, by locality-sensitive hashing and the exact Jaccard index."""

import re
import zlib

import numpy as np
from datasketch import MinHash, MinHashLSH

NUM_PERMUTATIONS = 128
MAX_MISSED = 0.001  # chance that a pair that is just alike enough is not compared
WORDS_PER_SHINGLE = 5
NEAR_DUPLICATE_RULE = (
    "Jaccard index of word 5-grams at least {jaccard:g} (candidates by MinHash, 128 permutations); the first by path is kept"
)
WORD = re.compile(r"\w+|[^\w\s]")


class NearDuplicates:
    """Texts in order; each is compared with those kept before it.

    MinHash with bands finds candidates; whether they are alike is decided by the sets of word 5-grams themselves, held as 4-byte hashes:
    memory grows by about 4 bytes per distinct 5-gram of every kept text.

    Source: Broder, "On the resemblance and containment of documents" (1997).
    """

    def __init__(self, *, jaccard: float) -> None:
        self._jaccard = jaccard
        self._candidates = MinHashLSH(num_perm=NUM_PERMUTATIONS, params=bands_and_rows(jaccard))
        self._kept: list[tuple[str, np.ndarray]] = []

    def first_like(self, text: str, *, name: str) -> str | None:
        """The name of the first kept text that this one resembles.

        None: there is none, and from now on this text is among the kept ones under its own name.
        """
        shingles = _shingle_hashes(text)
        hashes = MinHash(num_perm=NUM_PERMUTATIONS, hashfunc=int)
        hashes.update_batch(shingles.tolist())
        for number in sorted(self._candidates.query(hashes)):
            other, other_shingles = self._kept[number]
            num_shared = len(np.intersect1d(shingles, other_shingles, assume_unique=True))
            if num_shared >= self._jaccard * (len(shingles) + len(other_shingles) - num_shared):
                return other
        # Numbers rather than names: names of rows need not differ.
        self._candidates.insert(len(self._kept), hashes)
        self._kept.append((name, shingles))
        return None


def bands_and_rows(jaccard: float) -> tuple[int, int]:
    """The most rows per band with which a pair of this Jaccard index is a candidate with probability 1 - MAX_MISSED or more."""
    best = (NUM_PERMUTATIONS, 1)
    for rows in range(2, NUM_PERMUTATIONS + 1):
        bands = NUM_PERMUTATIONS // rows
        if (1 - jaccard**rows) ** bands <= MAX_MISSED:
            best = (bands, rows)
    return best


def _shingle_hashes(text: str) -> np.ndarray:
    """32-bit hashes of the distinct word 5-grams of a text, sorted; one of all its words where it has fewer."""
    words = np.array([zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in WORD.findall(text)], dtype=np.uint64)
    if len(words) < WORDS_PER_SHINGLE:
        words = np.pad(words, (0, WORDS_PER_SHINGLE - len(words)))
    mixed = np.zeros(len(words) - WORDS_PER_SHINGLE + 1, dtype=np.uint64)
    for place in range(WORDS_PER_SHINGLE):
        # Multiplication by an odd constant and an xor shift (after splitmix64), modulo 2^64: the order of the words counts.
        mixed = (mixed + words[place : place + len(mixed)]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.unique((mixed >> np.uint64(32)).astype(np.uint32))
