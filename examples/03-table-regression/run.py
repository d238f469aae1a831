"""Progress of diabetes with the SDK: the same training as in pipeline.json."""

from pathlib import Path

from deepseek import Dataset, Model


def main() -> float:
    """Train and judge; gives back R² on patients that were not trained on."""
    dataset = Dataset.load(Path(__file__).with_name("diabetes.csv"), target="progression")
    model = Model.create("mlp", hidden=[16], dropout=0.1)
    model.train(dataset, epochs=40, batch_size=32, learning_rate=0.01)
    evaluation = model.evaluate(dataset)
    print(evaluation)
    return evaluation["r2"]


if __name__ == "__main__":
    main()
