"""A model as a folder that runs anywhere: ONNX, what happens before and after it, and a program of two files.

Called by the block ``export.edge``. What is in the folder::

    model.onnx       the network
    edge.json        task, input, preprocessing, labels, and the checksum of the network
    run.py           asks it; needs Python, numpy and onnxruntime only
    inputs.py        images, rows and texts as numbers
    sample.npz       a few inputs with the answers that were given here: ``python run.py --check``
    tokenizer.json   for texts
    README.md

Nothing in it is pickled. ``run.py`` and ``inputs.py`` are the modules of this package, as they stand.
"""

from engine.runtime.edge.package import edge_files, write_edge

__all__ = ["edge_files", "write_edge"]
