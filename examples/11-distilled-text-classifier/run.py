"""A small text classifier from a large one, with the SDK: the same as in pipeline.json."""

from pathlib import Path

from deepseek import Dataset, Distiller, Model


def main() -> float:
    """Fine-tune MiniLM, let one of its layers learn from it; gives back the student's accuracy."""
    dataset = Dataset.load(Path(__file__).with_name("functions.jsonl"), length=48).split(test=0.25, validation=0.1)
    teacher = Model.create("bert", weights="minilm")
    teacher.train(dataset, epochs=3, batch_size=16, learning_rate=0.0002)
    print(teacher.evaluate(dataset))

    student = Model.create("bert", layers=1, hidden_size=384, heads=12, pooling="mean")
    distiller = Distiller(teacher, student)
    small = distiller.train(
        dataset, epochs=8, batch_size=16, learning_rate=0.0003, temperature=2.0, start="teacher", reads="seen"
    )
    print(distiller.report)
    evaluation = small.evaluate(dataset)
    print(evaluation)
    return evaluation["accuracy"]


if __name__ == "__main__":
    main()
