"""CIFAR-10 with the fast recipe and the SDK: the same training as in pipeline.json."""

from typing import Any

from deepseek import Dataset, Model


def main(epochs: int = 10, widths: list[int] | None = None, **source: Any) -> float:
    """Train and judge; gives back the accuracy on the test part.

    Parameters
    ----------
    epochs, widths
        Fewer and smaller for a quick look.
    source
        Where the data is, and how much of it: ``path=``, ``limit=``.
    """
    dataset = Dataset.load("cifar10", **source)
    model = Model.create("speednet", **({} if widths is None else {"widths": widths}))
    training = model.train(dataset.augment(crop=2), epochs=epochs, recipe="fast")
    evaluation = model.evaluate(dataset)
    print(training)
    print(evaluation)
    print(model.save("cifar10.zip"))
    return evaluation["accuracy"]


if __name__ == "__main__":
    main()
