"""``deepseek blocks``: what a pipeline can be made of, read from the catalog."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping
from typing import Any

from deepseek.errors import unknown


def register(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "blocks", help="list the blocks, or explain one", description="List the blocks, or explain one of them."
    )
    parser.add_argument("id", nargs="?", help="block to explain, for example train.classifier")
    parser.add_argument("--json", action="store_true", help="print the catalog's entry as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from deepseek import local

    catalog = local.catalog()
    if args.id is None:
        print(json.dumps(catalog["blocks"], indent=2) if args.json else list_blocks(catalog))
        return 0
    if args.id not in catalog["blocks"]:
        raise unknown("block", args.id, catalog["blocks"])
    entry = catalog["blocks"][args.id]
    print(json.dumps(entry, indent=2) if args.json else explain(entry))
    return 0


def list_blocks(catalog: Mapping[str, Any]) -> str:
    """Every block with its summary, by category."""
    lines = []
    for category in catalog["categories"]:
        blocks = [entry for entry in catalog["blocks"].values() if entry["category"] == category["id"]]
        if not blocks:
            continue
        lines += ["", category["title"]]
        lines += [f"  {entry['id']:<24} {_shorten(entry['summary'] or entry['title'], 92)}" for entry in blocks]
    return "\n".join([*lines[1:], "", "`deepseek blocks ID` explains one."])


def explain(entry: Mapping[str, Any]) -> str:
    """One block: ports, parameters with their bounds and defaults, and its documentation."""
    lines = [f"{entry['id']}  {entry['title']}", ""]
    if entry["inputs"]:
        lines.append("Inputs")
        lines += [f"  {port['name']:<20} {_port(port)}" for port in entry["inputs"]]
    if entry["outputs"]:
        lines.append("Outputs")
        lines += [f"  {port['name']:<20} {port['kind']}" for port in entry["outputs"]]
    schema = entry["params"]["schema"]
    if schema.get("properties"):
        lines.append("Parameters")
        for name, body in schema["properties"].items():
            is_required = name in schema.get("required", ())
            lines.append(f"  {name:<20} {_param(body, is_required)}")
            lines += textwrap.wrap(body.get("description", ""), 96, initial_indent=" " * 23, subsequent_indent=" " * 23)
    if entry["doc"]:
        lines += ["", textwrap.dedent("    " + entry["doc"]).strip()]
    return "\n".join(lines)


def _port(port: Mapping[str, Any]) -> str:
    extra = ["optional"] if port["optional"] else []
    extra += ["several"] if port["many"] else []
    return " or ".join(port["kinds"]) + (f" ({', '.join(extra)})" if extra else "")


def _param(body: Mapping[str, Any], is_required: bool) -> str:
    choices = body.get("enum") or [o["const"] for o in body.get("anyOf", ()) if "const" in o]
    if choices:
        kind = " | ".join(str(choice) for choice in choices)
    else:
        kind = body.get("type") or " or ".join(str(option.get("type", "value")) for option in body.get("anyOf", ({},)))
    bounds = [
        f"{sign} {body[key]:g}"
        for key, sign in (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
        if key in body
    ]
    parts = [
        kind,
        *bounds,
        body.get("unit") or "",
        "required" if is_required else f"= {json.dumps(body.get('default'))}",
    ]
    return "  ".join(part for part in parts if part)


def _shorten(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" ...")
