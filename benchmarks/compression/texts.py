"""Texts for the compression benchmarks that every machine with our packages has: docstrings and Python's own library.

Called by :mod:`benchmarks.compression.models`. Files are parsed, never imported. Nothing is kept in the repository; the
texts depend on the installed versions, which are stated beside each number.

Docstrings (which package is a sentence from?): numpy, scipy, scikit-learn, pandas, sympy, networkx, torch and Django,
all BSD 3-Clause. Source of the standard library (a corpus): PSF License.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

PACKAGES = {
    "numpy": "numpy", "scipy": "scipy", "sklearn": "scikit-learn", "pandas": "pandas", "sympy": "sympy",
    "networkx": "networkx", "torch": "torch", "django": "Django",
}  # fmt: skip
PER_PACKAGE = 2_000
SHORTEST, LONGEST = 30, 300
SKIPPED = {"test", "tests", "testing", "site-packages", "dist-packages", "__pycache__", "idlelib", "lib2to3"}
SPACES = re.compile(r"\s+")


def versions() -> dict[str, str]:
    """Distribution -> version of what is read."""
    return {name: importlib.metadata.version(name) for name in PACKAGES.values()}


def docstrings(per_package: int = PER_PACKAGE) -> tuple[list[str], list[str]]:
    """First paragraphs of documentation, and the package of each; none names its package, none comes twice.

    Which ones are taken follows from their own text, so that a new file elsewhere moves nothing.
    """
    found: dict[str, str] = {}
    twice: set[str] = set()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed")
        for file in _sources(Path(spec.origin).parent):
            for text in _paragraphs(file):
                if PACKAGES[package].lower() in text.lower() or package in text.lower():
                    continue
                if found.setdefault(text, package) != package:
                    twice.add(text)
    texts, labels = [], []
    for package in PACKAGES:
        own = sorted((text for text, of in found.items() if of == package and text not in twice), key=_place)
        texts += own[:per_package]
        labels += [package] * len(own[:per_package])
    order = random.Random(0).sample(range(len(texts)), len(texts))
    return [texts[n] for n in order], [labels[n] for n in order]


def library(megabytes: float) -> list[str]:
    """Files of Python's standard library, in an order drawn from their names, up to a size."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(_sources(folder), key=lambda file: _place(str(file.relative_to(folder))))
    documents, left = [], int(megabytes * 1e6)
    for file in files:
        content = file.read_text(encoding="utf-8", errors="replace")
        if not 1_000 <= len(content) <= 200_000:
            continue
        documents.append(content[:left])
        left -= len(content)
        if left <= 0:
            break
    return documents


def _sources(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*.py")):
        if not SKIPPED & set(file.relative_to(folder).parts):
            yield file


def _paragraphs(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):  # templates that only end in .py
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            text = ast.get_docstring(node)
            if text:
                first = SPACES.sub(" ", text.strip().split("\n\n")[0]).strip()
                if SHORTEST <= len(first) <= LONGEST:
                    yield first


def _place(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
