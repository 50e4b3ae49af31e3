/** Begins an analysis of folders: their files are named first, a page at a time. */
import { api, ask } from "../../api/client";
import { work } from "../../words/work";
import type { Parts } from "./parts";

type Type = "video" | "audio" | "image";

const PAGE = 10_000;
const says = work.analyze;

/** The id of the task. Throws Refusal. `tell`: what is done just now. */
export async function begin(
  paths: string[],
  library: string,
  parts: Parts,
  tell: (text: string) => void,
): Promise<string> {
  const { pictures, speech, language, faces, collection } = parts;
  const below = (types: Type[]) => filesBelow(paths, types, (count) => tell(says.finding(count)));
  const seen = pictures || faces ? await below(["video", "image"]) : [];
  const heard = speech ? await below(["video", "audio"]) : [];
  tell(says.sending(new Set([...seen, ...heard]).size));
  const body = {
    cache_dir: library,
    visual_media_paths: pictures ? seen : [],
    transcription_jobs: heard.map((path) => ({ path, language: language.trim() || null })),
    face_media_paths: faces ? seen : [],
    cluster_job_name: faces ? collection.trim() : undefined,
    on_busy: "queue" as const, // what was begun before goes on
  };
  return (await ask(api.POST("/analyze", { body }))).task_id;
}

async function filesBelow(paths: string[], types: Type[], tell: (count: number) => void): Promise<string[]> {
  const found: string[] = [];
  let after: string | undefined;
  do {
    const body = { paths, media_types: types, limit: PAGE, after };
    const page = await ask(api.POST("/media/files", { body }));
    found.push(...page.files);
    tell(found.length);
    after = page.next ?? undefined;
  } while (after);
  return found;
}
