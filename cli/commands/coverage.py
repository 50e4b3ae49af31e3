"""How much of what was asked a search knew, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.remote import Remote

_REASONS = 5
_NAMED = {
    "waiting": "waiting",
    "failed": "failed",
    "left_out": "left out",
    "other_models": "analyzed with other models only",
    "unknown": "not analyzed",
    "offline": "offline",
}
_STATES = {
    "left_out": "left out",
    "other_model": "analyzed with other models only",
    "unknown": "not analyzed",
}


def tell_coverage(
    server: Remote, kind: str, body: dict[str, Any], answer: dict[str, Any], *, is_empty: bool
) -> None:
    """Say the coverage where it was asked for, or where nothing was found and not all searched."""
    coverage = answer.get("coverage")
    if coverage is None and is_empty and not server.out.as_json:
        once = {name: value for name, value in body.items() if name != "cursor"}
        once |= {"coverage": True, "max_results": 1}
        found = server.api.post(f"/search/{kind}", once)["coverage"]
        is_whole = found["searched"] == found["asked"] and not found["offline"]["files"]
        coverage = None if is_whole else found
    for line in _lines(coverage) if coverage else ():
        server.out.hint(line)


def _lines(coverage: dict[str, Any]) -> Iterator[str]:
    asked, searched = coverage["asked"], coverage["searched"]
    parts = [
        f"{coverage[part]['files']:,} {words}"
        for part, words in _NAMED.items()
        if part in coverage and coverage[part]["files"]
    ]
    rest = f": {', '.join(parts)}" if parts else ""
    unit, factor = ("hours", 1) if asked["hours"] >= 1 else ("minutes", 60)
    hours, all_hours = (factor * known["hours"] for known in (searched, asked))
    yield (
        f"Searched {searched['files']:,} of {asked['files']:,} files, {hours:,.1f} of "
        f"{all_hours:,.1f} {unit} that are known, with {coverage['model_key']}{rest}."
    )
    if "speakers" in coverage:
        yield f"Speakers were told apart in {coverage['speakers']['files']:,} of these files."
    if "captions" in coverage:
        yield f"Captions of {coverage['captions']['files']:,} of these files were searched."
    if "with_folder_names" in coverage:
        yield (
            f"Transcripts of {coverage['with_folder_names']['files']:,} of these files may lack "
            "sentences, made by an earlier version: `rushes doctor` says how to make them again."
        )
    reasons = coverage["reasons"]
    for each in reasons[:_REASONS]:
        state = _STATES.get(each["state"], each["state"])
        examples = ", ".join(each["examples"])
        more = ", …" if each["files"] > len(each["examples"]) else ""
        yield f"  {each['files']:,} {state}: {each['reason']} ({examples}{more})"
    if len(reasons) > _REASONS:
        yield f"  and {len(reasons) - _REASONS} other reasons (--coverage --json has all)"
