"""Search the best compression of a network for CIFAR-10: the same as in pipeline.json."""

from typing import Any

from deepseek import Dataset, Model, compress


def main(
    epochs: int = 10,
    widths: list[int] | None = None,
    candidates: int = 12,
    max_drop: float = 0.005,
    **source: Any,
) -> float:
    """Train, search, save; gives back the accuracy of the network before it was compressed, on the test part.

    Parameters
    ----------
    epochs, widths, candidates
        Fewer and smaller for a quick look.
    source
        Where the data is, and how much of it: ``path=``, ``limit=``.
    """
    dataset = Dataset.load("cifar10", **source)
    learned = dataset.train.split(validation=0, test=0.04).augment(crop=2)
    model = Model.create("speednet", **({} if widths is None else {"widths": widths}))
    model.train(learned, epochs=epochs, recipe="fast")
    before = model.evaluate(dataset)["accuracy"]

    found = compress(model, learned, max_drop=max_drop, candidates=candidates)
    print(found)
    found.figure().write_html("front.html")
    print(found.model.save("small.pt"))
    print(f"accuracy {before:.2%} before, {found.model.evaluate(dataset)['accuracy']:.2%} after")
    return before


if __name__ == "__main__":
    main()
