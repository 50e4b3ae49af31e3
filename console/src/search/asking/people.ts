/** The people with names in the folder that is searched. */
import { computed, effect, signal } from "@preact/signals";
import { api, Refusal } from "../../api/client";
import { connections } from "../../api/live";
import { library } from "./folders";
import { answerOf, Busy, isAbort } from "./patience";
import type { Person } from "./query";

/** Somebody with a name, and whether a face, a voice or both are known. */
interface Known extends Person {
  isSeen: boolean;
  isHeard: boolean;
}

const known = signal<Known[]>([]);
/** Who is to be seen. */
export const people = computed(() => known.value.filter(({ isSeen }) => isSeen));
/** The names of who is to be heard, whichever collection they are of. */
export const speakers = computed(() => [...new Set(known.value.filter(({ isHeard }) => isHeard).map(({ name }) => name))]);
let control = new AbortController();
let shown = ""; // the folder of `known`
let timer = 0;

/** Keep `people` up to date until the returned function is called. */
export function followPeople(): () => void {
  const end = effect(() => void (connections.value >= 0 && load(library.value)));
  return () => {
    end();
    stop();
  };
}

function stop(): void {
  clearTimeout(timer);
  control.abort();
}

async function load(dir: string): Promise<void> {
  stop();
  control = new AbortController();
  if (dir !== shown) known.value = [];
  shown = dir;
  if (!dir) return;
  const params = { query: { cache_dir: dir, voices: true } };
  try {
    const found = await answerOf(api.GET("/faces/clusters", { params, signal: control.signal }));
    known.value = found.cluster_jobs.flatMap(({ cluster_job_name, clusters }) =>
      knownPeople(
        cluster_job_name,
        clusters.map((one) => ({ name: one.name ?? "", faces: one.face_count, voices: one.voice_count ?? 0 })),
      ),
    );
  } catch (error) {
    // Without them names are no suggestions; the search itself says what is wrong.
    if (!isAbort(error) && !(error instanceof Refusal)) throw error;
    const isBusy = error instanceof Busy && error.status !== 0; // a server that is away connects again
    if (isBusy) timer = window.setTimeout(() => void load(dir), error.waitSeconds * 1000);
  }
}

/** Somebody has learned who has a name in a folder: the box knows it at once. */
export function tellPeople(dir: string, named: Known[]): void {
  if (dir !== library.peek()) return;
  shown = dir;
  known.value = named;
}

/** Each name of a collection once. */
export function knownPeople(collection: string, all: { name: string; faces: number; voices: number }[]): Known[] {
  const found = new Map<string, Known>();
  for (const { name, faces, voices } of all) {
    if (!name) continue;
    const one = found.get(name) ?? { collection, name, isSeen: false, isHeard: false };
    one.isSeen ||= faces > 0;
    one.isHeard ||= voices > 0;
    found.set(name, one);
  }
  return [...found.values()];
}

/** Those of whom a name begins with the end of what was typed, or with all of it. */
export function peopleLike(typed: string): { person: Person; rest: string }[] {
  return people.value.flatMap((person) => {
    const rest = restOf(typed, person.name);
    return rest === undefined ? [] : [{ person, rest }];
  });
}

/** The same of those who are to be heard. */
export function speakersLike(typed: string): { name: string; rest: string }[] {
  return speakers.value.flatMap((name) => {
    const rest = restOf(typed, name);
    return rest === undefined ? [] : [{ name, rest }];
  });
}

/** What was typed before a name begins; undefined: the name is not what is typed. */
function restOf(typed: string, name: string): string | undefined {
  const text = typed.trimStart();
  const last = /\S*$/.exec(text)?.[0] ?? "";
  const ends = [...new Set([text, last])].filter((end) => end.trim().length > 0);
  const end = ends.find((one) => begins(name, one));
  return end === undefined ? undefined : text.slice(0, text.length - end.length).trim();
}

function begins(name: string, start: string): boolean {
  const wanted = start.trim().toLocaleLowerCase();
  const whole = name.toLocaleLowerCase();
  return whole.startsWith(wanted) || whole.split(/\s+/).some((part) => part.startsWith(wanted));
}
