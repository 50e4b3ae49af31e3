/** Begins an analysis of folders: their files are named first, a page at a time. */
import { api, ask, type Schemas } from "../../api/client";
import { may } from "../../api/session";
import { work } from "../../words/work";
import { libraries } from "./libraries";
import { type Parts, takesCollection } from "./parts";

type Type = "video" | "audio" | "image";

const PAGE = 10_000;
const KNOWN = 1_000; // videos of which is asked at once whether they are transcribed
const PROBED = 32; // at once: each file is opened
const AT_ONCE = 4; // such questions
const MOST_BYTES = 32 << 20; // of one request; the server takes 64 MiB
const TIMES = 3; // that a file is named: for its pictures, its speech and its faces
const AROUND = 40; // bytes around each name
const says = work.analyze;

/** Is told what is done just now, and may end it until something is sent. */
export interface Watcher {
  tell: (text: string, isSending?: boolean) => void;
  signal: AbortSignal;
}

/** The id of the first task: more files than one request holds are several. Throws Refusal, or AbortError. */
export async function begin(paths: string[], library: string, parts: Parts, watcher: Watcher): Promise<string> {
  const { pictures, speech, faces } = parts;
  const below = (type: Type) => filesBelow(paths, type, watcher);
  const videos = await below("video");
  const seen = new Set(pictures || faces ? [...videos, ...(await below("image"))] : []);
  const heard = new Set(speech ? [...(await withSound(videos, library, watcher)), ...(await below("audio"))] : []);
  const all = [...new Set([...seen, ...heard])].sort();
  watcher.signal.throwIfAborted();
  let first = "";
  let sent = 0;
  for (const some of inRequests(all)) {
    watcher.tell(says.sending(sent, all.length), true);
    const body = bodyOf(some.filter((path) => seen.has(path)), some.filter((path) => heard.has(path)), library, parts);
    const { task_id } = await ask(api.POST("/analyze", { body }));
    first ||= task_id;
    sent += some.length;
  }
  return first;
}

function bodyOf(seen: string[], heard: string[], library: string, parts: Parts): Schemas["AnalyzeBody"] {
  const { pictures, language, speakers, faces, collection } = parts;
  return {
    cache_dir: library,
    visual_media_paths: pictures ? seen : [],
    transcription_jobs: heard.map((path) => ({ path, language: language.trim() || null })),
    speakers: speakers ? speakers === "yes" : undefined,
    face_media_paths: faces ? seen : [],
    cluster_job_name: (takesCollection(parts) && collection.trim()) || undefined,
    on_busy: "queue", // what was begun before goes on
  };
}

/** At least one request, also of no file: the server says what is wrong with it. */
function inRequests(paths: string[]): string[][] {
  const encoder = new TextEncoder();
  const found: string[][] = [[]];
  let bytes = 0;
  for (const path of paths) {
    const more = TIMES * (encoder.encode(JSON.stringify(path)).length + AROUND);
    if (bytes + more > MOST_BYTES) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1)!.push(path);
    bytes += more;
  }
  return found;
}

/** Videos that have a sound track. One that does not open stays: its analysis says why. */
async function withSound(videos: string[], library: string, { tell, signal }: Watcher): Promise<string[]> {
  if (!may("search")) return videos;
  const heard = await transcribed(videos, library, signal);
  const unknown = videos.filter((path) => !heard.has(path));
  const silent = new Set<string>();
  let done = 0;
  await each(groupsOf(unknown, PROBED), async (media_paths) => {
    tell(says.listening(done, unknown.length));
    const { media } = await ask(api.POST("/media/metadata", { body: { media_paths }, signal }));
    for (const one of media) if (!one.has_audio && !one.error) silent.add(one.media_path);
    done += media_paths.length;
  });
  return videos.filter((path) => !silent.has(path));
}

/** Those that are transcribed there already: they need not be opened. */
async function transcribed(videos: string[], library: string, signal: AbortSignal): Promise<Set<string>> {
  const found = new Set<string>();
  if (!libraries.peek().some(({ cache_dir }) => cache_dir === library)) return found; // it is new
  await each(groupsOf(videos, KNOWN), async (media_paths) => {
    const body = { cache_dir: library, media_paths };
    const { cache_paths } = await ask(api.POST("/cache-paths", { body, signal }));
    for (const one of cache_paths) if (one.transcription?.exists) found.add(one.media_path);
  });
  return found;
}

/** Some at once; the first that fails ends it. */
async function each(groups: string[][], act: (group: string[]) => Promise<void>): Promise<void> {
  const left = [...groups];
  const take = async () => {
    for (let group = left.shift(); group; group = left.shift()) {
      await act(group).catch((error: unknown) => {
        left.length = 0;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, take));
}

function groupsOf(paths: string[], size: number): string[][] {
  const groups: string[][] = [];
  for (let at = 0; at < paths.length; at += size) groups.push(paths.slice(at, at + size));
  return groups;
}

async function filesBelow(paths: string[], type: Type, { tell, signal }: Watcher): Promise<string[]> {
  const found: string[] = [];
  let after: string | undefined;
  do {
    const body = { paths, media_types: [type], limit: PAGE, after };
    const page = await ask(api.POST("/media/files", { body, signal }));
    for (const path of page.files) found.push(path);
    tell(says.finding(found.length));
    after = page.next ?? undefined;
  } while (after);
  return found;
}
