"""The model that tells voices apart: Resemblyzer's network. There is no other to choose from."""

from __future__ import annotations

from shared.domain import ModelKind
from shared.models.specs import ModelSpec

KEY = "resemblyzer"

SPEC = ModelSpec(
    key=KEY,
    kind=ModelKind.SPEECH,
    family="ge2e",
    display_name="Resemblyzer (GE2E)",
    dim=256,
    size_bytes=2_570_000,
    licence="Apache-2.0",
    commercial_use=True,
    source="PyPI: resemblyzer",
    limits=(
        "Trained on English of audio books and interviews. Takes the voices of one synthesiser for "
        "one, and knows little of children, singing, whispers and several who talk at once."
    ),
)
