"""Smaller and faster with the SDK: the same as in pipeline.json."""

from deepseek import Dataset, Model, compress


def main(epochs: int = 4, budget_s: float = 90, max_drop: float = 0.01) -> float:
    """Train, search, save; gives back the accuracy of the model before it was compressed, on digits kept aside."""
    dataset = Dataset.load("digits").split(validation=0.2, test=0.2)
    model = Model.create("resnet18")
    model.train(dataset, epochs=epochs, learning_rate=0.003)
    before = model.evaluate(dataset)["accuracy"]

    found = compress(model, dataset, max_drop, validation=dataset.validation, budget_s=budget_s)
    print(found)
    print(found.report)
    print(found.model.save("small.pt"))
    print(f"accuracy {before:.2%} before, {found.model.evaluate(dataset)['accuracy']:.2%} after")
    return before


if __name__ == "__main__":
    main()
