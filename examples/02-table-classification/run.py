"""Wines by their chemistry with the SDK: the same training as in pipeline.json."""

from pathlib import Path

from deepseek import Dataset, Model


def main() -> float:
    """Train, judge, ask; gives back the accuracy on wines that were not trained on."""
    dataset = Dataset.load(Path(__file__).with_name("wine.csv"), target="cultivar")
    model = Model.create("mlp", hidden=[32])
    model.train(dataset, epochs=40, batch_size=16, learning_rate=0.01)
    evaluation = model.evaluate(dataset)
    print(evaluation)
    print(model.predict(dataset.to_pandas().drop(columns="cultivar").head(3)))
    return evaluation["accuracy"]


if __name__ == "__main__":
    main()
