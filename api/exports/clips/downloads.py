"""Exported clips under signed addresses: a browser saves them without a licence key."""

from __future__ import annotations

import functools
import mimetypes
import os
from collections.abc import Iterable

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.exports.clips.answers import ExportedClip
from api.exports.exact_bounds import ExportServices
from api.http.endpoint import PREFIX, attachment
from api.opened_file_response import OpenedFileResponse, opened_in
from api.signed_addresses import Signed, token_of
from shared.errors import Missing
from shared.exports.clips import ClipSpec
from shared.opening import OpenedFile, open_file

PATH = f"{PREFIX}/exports"
_OTHER = "application/octet-stream"


class SignedExport(Signed, frozen=True):
    """An exported file, in our form, and the id of the licence key that asked for its address."""

    path: str
    key_id: str


def routes(services: ExportServices) -> list[Route]:
    async def download(request: Request) -> Response:
        token = request.path_params["token"]
        export, _ = await run_in_threadpool(services.addresses.read, token, SignedExport)
        key = await run_in_threadpool(services.access.key_of_address, export.key_id)
        opened = functools.partial(_opened, services, export, key.roots)
        file = await opened_in(services.folders, export.path, opened)
        name = os.path.basename(export.path)
        headers = {
            "Content-Disposition": attachment(name),
            "Cache-Control": "private, no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        kind = mimetypes.guess_type(name)[0] or _OTHER
        return OpenedFileResponse(file, services.folders, request.headers, headers, kind)

    return [Route(f"{PATH}/{{token}}", download)]


def add_addresses(
    services: ExportServices, task_id: str, clips: Iterable[ExportedClip], key_id: str
) -> None:
    """Give each clip of a task its `download_url`, unless all was only planned. Asks Redis.

    `key_id`: the licence key with which the addresses end.
    """
    raw = services.ledger.spec(task_id)
    spec = msgspec.json.decode(raw, type=ClipSpec) if raw else None
    if spec is None or spec.dry_run:
        return
    signer = services.addresses.signer()
    for clip in clips:
        name = clip.output_path.removeprefix(spec.client_output_dir).lstrip("/\\")
        token = token_of(signer, SignedExport(os.path.join(spec.output_dir, name), key_id))
        clip.download_url = f"{services.settings.public_path}{PATH}/{token}"


def _opened(
    services: ExportServices, export: SignedExport, roots: tuple[str, ...] | None
) -> OpenedFile:
    paths = services.within(roots).paths
    paths.export_roots.check(export.path)
    try:
        return open_file(export.path, paths.export_roots)
    except OSError as error:
        raise Missing(
            f"{os.path.basename(export.path)} is not where it was exported to; export it again."
        ) from error
