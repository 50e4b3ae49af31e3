/** Begins an analysis of folders: their files are named first, a page at a time. */
import { api, ask } from "../../api/client";
import { may } from "../../api/session";
import { work } from "../../words/work";
import type { Parts } from "./parts";

type Type = "video" | "audio" | "image";

const PAGE = 10_000;
const PROBED = 32; // at once: each file is opened
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
  const heard = speech ? await withSound(await below(["video"]), await below(["audio"]), tell) : [];
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

/** Videos that have a sound track, and sound files. A video that does not open stays: its analysis says why. */
async function withSound(videos: string[], sounds: string[], tell: (text: string) => void): Promise<string[]> {
  const silent = new Set<string>();
  for (let at = 0; may("search") && at < videos.length; at += PROBED) {
    tell(says.listening(at, videos.length));
    const body = { media_paths: videos.slice(at, at + PROBED) };
    const { media } = await ask(api.POST("/media/metadata", { body }));
    for (const one of media) if (!one.has_audio && !one.error) silent.add(one.media_path);
  }
  return [...videos.filter((path) => !silent.has(path)), ...sounds];
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
