/** What is said of a watched folder, as a form has it. */
import { api, ask } from "../../api/client";
import type { Parts } from "../analyze/parts";
import type { WatchFolder } from "./watching";

const SETTLE_S = 5; // as the server has it

export interface Fields extends Parts {
  library: string | null; // null: the usual one
  recursive: boolean;
  isLimited: boolean; // to some hours
  start: string;
  stop: string;
  settle: number;
  globs: string;
}

export function fieldsOf(folder: WatchFolder | undefined): Fields {
  return {
    pictures: folder?.analyze_visual ?? true,
    speech: folder?.analyze_speech ?? true,
    language: folder?.language ?? "",
    faces: folder?.analyze_faces ?? false,
    collection: folder?.cluster_job_name ?? "",
    library: folder?.cache_dir ?? null,
    recursive: folder?.recursive ?? true,
    isLimited: Boolean(folder?.schedule),
    start: folder?.schedule?.start ?? "20:00",
    stop: folder?.schedule?.stop ?? "06:00",
    settle: folder?.settle_seconds ?? SETTLE_S,
    globs: folder?.excluded_filename_globs.join(", ") ?? "",
  };
}

/** Throws Refusal. `path`: of a new one; `isGone`: it is to be watched anew. */
export async function send(
  folder: WatchFolder | undefined,
  isGone: boolean,
  path: string,
  library: string,
  fields: Fields,
) {
  const body = {
    cache_dir: library.trim(),
    recursive: fields.recursive,
    analyze_visual: fields.pictures,
    analyze_speech: fields.speech,
    language: fields.language.trim() || null,
    analyze_faces: fields.faces,
    cluster_job_name: fields.faces ? fields.collection.trim() : null,
    excluded_filename_globs: fields.globs.split(",").flatMap((glob) => glob.trim() || []),
    settle_seconds: fields.settle,
    schedule: fields.isLimited ? { start: fields.start, stop: fields.stop } : null,
  };
  if (!folder || isGone) await ask(api.POST("/watch-folders", { body: { ...kept(folder), path, ...body } }));
  else {
    const params = { path: { watch_folder_id: folder.id } };
    await ask(api.PUT("/watch-folders/{watch_folder_id}", { params, body }));
  }
}

/** What the form does not ask, as it was. */
function kept(folder: WatchFolder | undefined) {
  if (!folder) return {};
  const { excluded_extensions, polling, image_sequences, vocabulary } = folder;
  return { excluded_extensions, polling, image_sequences, vocabulary };
}
