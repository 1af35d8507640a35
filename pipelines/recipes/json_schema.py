"""The JSON Schema of recipes for editors, with the parameters of every stage and format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from corpusmill.pipelines.engines.base import resolve
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.recipe import LoadSource, Recipe

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema(*, stages: Mapping[str, str], loaders: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of recipes.

    Args:
        stages: Table of stages, ``name -> "module:Class"``.
        loaders: Table of loaders, of the same form.
    """
    definitions: dict[str, Any] = {}
    schema = _of_model(Recipe, "recipe", definitions)
    crawl = _reference(CrawlSource, "crawl", definitions)
    loads = [_load(name, resolve(place), definitions) for name, place in loaders.items()]
    schema["properties"]["sources"] |= {
        "items": {"oneOf": [_entry("crawl", crawl), _entry("load", {"oneOf": loads})]},
    }
    models = {name: _reference(resolve(place), f"stage.{name}", definitions) for name, place in stages.items()}
    schema["properties"]["stages"]["items"] = {
        "anyOf": [{"enum": list(models)}, *(_entry(name, _or_null(model)) for name, model in models.items())]
    }
    used = {name: definition for name, definition in definitions.items() if not name.startswith("recipe.Load")}
    return {"$schema": DIALECT, "title": "corpusmill recipe", **schema, "$defs": used}


def _of_model(model: type[BaseModel], prefix: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of *model*; nested models are added to *definitions*, with *prefix* before their names."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = definition
    return schema


def _reference(model: type[BaseModel], name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    definitions[name] = _of_model(model, name, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _entry(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: value}, "required": [name], "additionalProperties": False}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _load(name: str, loader: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of `load` for the format *name*: the shared fields and those of its loader."""
    shared = _of_model(LoadSource, "load", definitions)
    own = _of_model(loader, f"load.{name}", definitions)
    fields = shared["properties"] | {key: {"type": "null"} for key in ("text_field", "id_field")}
    fields |= {key: _or_null(value) if key in fields else value for key, value in own.get("properties", {}).items()}
    has_text = "text_field" in own.get("properties", {})
    if has_text:
        fields["text"] = fields["text_field"] | {"description": "Another name of `text_field`."}
    definitions[f"load.{name}"] = {
        "title": f"load, format {name}",
        "description": own.get("description", ""),
        "type": "object",
        "properties": fields | {"format": {"const": name}},
        "required": sorted({*shared["required"], *own.get("required", [])}),
        "additionalProperties": False,
        **({"not": {"required": ["text", "text_field"]}} if has_text else {}),
    }
    return {"$ref": f"#/$defs/load.{name}"}
