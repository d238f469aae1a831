"""Digits learned by two processes with the SDK: the same training as in pipeline.json."""

from deepseek import Dataset, Model


def main() -> float:
    """Train on two processes, judge, save; gives back the accuracy on digits that were not trained on."""
    dataset = Dataset.load("digits")
    model = Model.create("mlp")
    training = model.train(dataset, epochs=6, batch_size=64, learning_rate=0.003, devices=2)
    evaluation = model.evaluate(dataset)
    print(training)
    print(evaluation)
    print(model.save("digits.zip"))
    return evaluation["accuracy"]


if __name__ == "__main__":
    main()
