"""Your own images with the SDK: the same training as in pipeline.json."""

from pathlib import Path

from deepseek import Dataset, Model


def main() -> float:
    """Train and judge; gives back the accuracy on images that were not trained on."""
    dataset = Dataset.load(Path(__file__).with_name("digits.zip"), size=8).augment(flip=False, crop=1)
    model = Model.create("convnet")
    model.train(dataset, epochs=15, batch_size=32, learning_rate=0.003)
    evaluation = model.evaluate(dataset)
    print(evaluation)
    return evaluation["accuracy"]


if __name__ == "__main__":
    main()
