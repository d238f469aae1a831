"""What a function is about, with the SDK: the same training as in pipeline.json."""

from pathlib import Path

from deepseek import Dataset, Model


def main() -> float:
    """Fine-tune, judge, ask; gives back the accuracy on descriptions that were not trained on."""
    dataset = Dataset.load(Path(__file__).with_name("functions.jsonl"), length=48).split(test=0.25, validation=0.1)
    model = Model.create("bert", weights="minilm")
    model.train(dataset, epochs=3, batch_size=16, learning_rate=0.0002)
    evaluation = model.evaluate(dataset)
    print(evaluation)
    print(
        model.predict(["Fit a curve through points so that it passes all of them.", "Mean and variance of a sample."])
    )
    return evaluation["accuracy"]


if __name__ == "__main__":
    main()
