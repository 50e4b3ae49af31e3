/** All scenes of one person, page by page, for the wall of hits. */
import { batch, signal } from "@preact/signals";
import { api, Refusal } from "../../api/client";
import { seenHit } from "../../search/asking/hits";
import { answerOf, isAbort } from "../../search/asking/patience";
import { queryOf } from "../../search/asking/query";
import type { Found } from "../../search/asking/results";
import { words } from "../../words";

const PAGE = 100;

export const scenes = signal<Found | null>(null);
export const scenesError = signal<unknown>(null);

let person = { dir: "", collection: "", id: "" };
let control = new AbortController();
let isLoading = false;

/** Those of another person from now on, or of this one anew: as many as there were. */
export async function loadScenes(dir: string, collection: string, id: string): Promise<void> {
  const isSame = person.id === id && person.collection === collection && person.dir === dir;
  if (!isSame) {
    batch(() => {
      scenes.value = null;
      scenesError.value = null;
    });
  }
  person = { dir, collection, id };
  control.abort();
  control = new AbortController();
  isLoading = false;
  const asked = scenes.peek()?.asked ?? { query: { ...queryOf(new URLSearchParams()), dir }, picture: null };
  await append({ asked, hits: [], notes: [], since: Date.now() }, scenes.peek()?.hits.length);
}

export async function moreScenes(): Promise<void> {
  const before = scenes.peek();
  if (before?.next && !isLoading) await append(before);
}

/** What is shown changes once there are `least`, or all. */
async function append(before: Found, least = 0): Promise<void> {
  const { signal } = control;
  isLoading = true;
  try {
    let found = before;
    do {
      const { hits, next, notes } = await pageOf(found.next ?? "", signal);
      found = { ...found, hits: [...found.hits, ...hits], next, notes };
    } while (found.next && found.hits.length < least);
    batch(() => {
      scenesError.value = null;
      scenes.value = found;
    });
  } catch (error) {
    if (isAbort(error)) return;
    if (!(error instanceof Refusal)) throw error;
    scenesError.value = error;
  }
  isLoading = false;
}

async function pageOf(cursor: string, signal: AbortSignal) {
  const { dir, collection, id } = person;
  const body = {
    cache_dir: dir,
    query: words.search.anything, // whatever they do, they are to be seen
    people_filter: [{ cluster_job_name: collection, cluster_id: id }],
    sort: "time" as const,
    min_score: 0,
    images: "url" as const,
    details: true,
    max_results: PAGE,
    cursor,
  };
  const found = await answerOf(api.POST("/search/text", { body, signal }));
  const hits = found.matches.map((match) => seenHit(dir, match, false));
  return { hits, next: found.next ?? undefined, notes: found.notes ?? [] };
}
