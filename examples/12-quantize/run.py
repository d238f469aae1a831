"""Quantise a model with the SDK: the same as in pipeline.json."""

from deepseek import Dataset, Model


def main(epochs: int = 6) -> float:
    """Train, quantise, save, judge; gives back the accuracy of the quantised model on digits that were kept aside."""
    dataset = Dataset.load("digits").split(validation=0.1, test=0.2)
    model = Model.create("convnet")
    model.train(dataset, epochs=epochs, learning_rate=0.003)

    from deepseek import Quantizer

    quantizer = Quantizer(model, method="int8")
    quantized_model = quantizer.optimize()
    quantized_model.save("quantized_model.pt")

    print(quantizer.report)
    return quantized_model.evaluate(dataset)["accuracy"]


if __name__ == "__main__":
    main()
