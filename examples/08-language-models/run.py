"""Two small language models with the SDK: the same training as in pipeline.json."""

from pathlib import Path

from deepseek import Dataset, Model


def main() -> float:
    """Train both, judge them on the same blocks, let one write; gives back how often the one with experts was right."""
    corpus = Dataset.load(
        Path(__file__).with_name("python.txt"), task="language_model", vocabulary=600, length=64, divided="paragraphs"
    ).split(test=0.1, validation=0.05)
    found = {}
    for name, config in (("transformer_lm", {}), ("moe_lm", {"experts": 4, "top_k": 2})):
        model = Model.create(name, layers=2, hidden_size=64, heads=4, **config)
        model.train(corpus, epochs=8, batch_size=8, learning_rate=0.005)
        found[name] = model.evaluate(corpus)
        print(name, found[name], sep="\n")
    print(model.generate('The "for" statement', max_tokens=60))
    return found["moe_lm"]["token_accuracy"]


if __name__ == "__main__":
    main()
