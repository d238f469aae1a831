"""Whatever the controller may say has a Chinese text; its templates stand in variables, so they are read off here."""

import ast
import json
from pathlib import Path

from engine.learn.precision import explain

TEXTS = Path(__file__).parents[4] / "static/studio/src/i18n/zh-Hans"


def test_every_template_of_the_controller_has_a_chinese_text():
    tree = ast.parse(Path(explain.__file__).read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    templates = {text for text in texts - docs if text[:1].isupper() and " " in text}
    assert len(templates) > 20
    known = {key for file in TEXTS.glob("*.json") for key in json.loads(file.read_text(encoding="utf-8"))}
    assert templates - known == set()
