"""BERT-large teaches BERT-base, with the SDK: the same as in pipeline.json."""

from pathlib import Path

from deepseek import Dataset, Distiller, Model


def main(weights: str | None = None, folder: str = "bert-large-uncased") -> float:
    """Fine-tune the teacher, distil the student; gives back the student's accuracy.

    `folder` holds the files of BERT-large; with `weights="none"` both begin fresh and small, to try the example out.
    """
    dataset = Dataset.load(Path(__file__).with_name("functions.jsonl"), length=48).split(test=0.25, validation=0.1)
    teacher = Model.create("bert", weights=weights or "file", path=None if weights else folder)
    teacher.train(dataset, epochs=3, batch_size=16, learning_rate=0.00003, warm_up=0.1)
    print(teacher.evaluate(dataset))

    distiller = Distiller(teacher, Model.create("bert", weights=weights or "bert-base-uncased"))
    student = distiller.train(
        dataset, epochs=6, batch_size=16, learning_rate=0.00005, warm_up=0.1, temperature=2.0, attention=1.0
    )
    print(distiller.report)
    evaluation = student.evaluate(dataset)
    print(evaluation)
    return evaluation["accuracy"]


if __name__ == "__main__":
    main()
