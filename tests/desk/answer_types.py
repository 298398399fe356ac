"""The types of the server's answers for the page's scripts, made of the models: `python -m tests.desk.answer_types`."""

from __future__ import annotations

import inspect
from typing import Any

from tapeline.desk import models
from tapeline.desk.app import STATIC

FILE = STATIC / "answers.d.ts"
HEAD = "// What the server answers. Made of tapeline.desk.models by `python -m tests.desk.answer_types`; do not edit.\n"


def text() -> str:
    """Return what the file holds."""
    documents = [one for one in vars(models).values() if inspect.isclass(one) and issubclass(one, models.Answer)]
    return HEAD + "".join(_interface(model) for model in documents if model is not models.Answer)


def _interface(model: type[models.Answer]) -> str:
    schema = model.model_json_schema(mode="serialization")
    required = schema.get("required", [])
    base: Any = model.__bases__[0]
    inherited = base.model_json_schema(mode="serialization").get("properties", {}) if base is not models.Answer else {}
    extends = f" extends {base.__name__}" if inherited else ""
    fields = (
        f"  {name}{'' if name in required else '?'}: {_type(value)};\n"
        for name, value in schema["properties"].items()
        if name not in inherited
    )
    return f"\nexport interface {model.__name__}{extends} {{\n{''.join(fields)}}}\n"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(map(_type, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " | ".join(f'"{value}"' for value in schema.get("enum", [schema.get("const")]))
    if "prefixItems" in schema:
        return f"[{', '.join(map(_type, schema['prefixItems']))}]"
    if schema["type"] == "array":
        return f"{_type(schema['items'])}[]"
    if schema["type"] == "object":
        return f"Record<string, {_type(schema['additionalProperties'])}>"
    return {"integer": "number"}.get(schema["type"], str(schema["type"]))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
