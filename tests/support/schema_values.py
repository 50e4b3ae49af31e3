"""Values that a schema of our OpenAPI document allows, for Hypothesis to draw from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
Values = st.SearchStrategy[Any]
_MOST_ITEMS = 3
_TEXT = st.text(max_size=12)
ANYTHING: Values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)


class SchemaValues:
    """`placed` gives the path on this machine of one that the document shows."""

    def __init__(self, placed: Callable[[str], str]) -> None:
        self._placed = placed

    def of(self, schema: Json) -> Values:
        """Values of a schema that holds no `$ref`."""
        kinds = schema.get("anyOf") or schema.get("allOf")
        if kinds:
            return st.one_of([self.of(kind) for kind in kinds])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        found: Values = getattr(self, f"_{schema['type']}")(schema)
        return st.none() | found if schema.get("nullable") else found

    def _object(self, schema: Json) -> Values:
        fields = {name: self.of(field) for name, field in schema.get("properties", {}).items()}
        required = {name: fields.pop(name) for name in schema.get("required", ())}
        return st.fixed_dictionaries(required, optional=fields)

    def _array(self, schema: Json) -> Values:
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", _MOST_ITEMS), max(least, _MOST_ITEMS))
        return st.lists(self.of(schema["items"]), min_size=least, max_size=most)

    def _string(self, schema: Json) -> Values:
        example = schema.get("example")
        if str(example).startswith("/"):
            return st.just(self._placed(str(example)))
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        text = st.text(min_size=schema.get("minLength", 0), max_size=12)
        return text if example is None else st.just(example) | text

    def _integer(self, schema: Json) -> Values:
        return st.integers(schema.get("minimum"), schema.get("maximum"))

    def _number(self, schema: Json) -> Values:
        return st.floats(
            schema.get("minimum"),
            schema.get("maximum"),
            exclude_min=schema.get("exclusiveMinimum", False),
            allow_nan=False,
            allow_infinity=False,
        )

    def _boolean(self, _schema: Json) -> Values:
        return st.booleans()
