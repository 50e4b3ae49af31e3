/** The people of a library, collection by collection, as they are now. Kept up to date while shown. */
import { batch, computed, effect, signal } from "@preact/signals";
import { api, ask, Refusal, type Schemas } from "../../api/client";
import { connections } from "../../api/live";
import { may, session } from "../../api/session";
import { route } from "../../route";
import { library } from "../../search/asking/folders";
import { answerOf, Busy, isAbort } from "../../search/asking/patience";
import { knownPeople, tellPeople } from "../../search/asking/people";

/** The faces and voices of one person, or of somebody whom nobody has named. */
export interface Cluster {
  id: string;
  name: string; // "": none
  faces: number;
  seconds: number; // of films in which they are seen
  stills: number;
  files: number;
  voices: number; // one for each file in which they are heard
  spoken: number; // seconds
}

/** A collection. */
export interface Cast {
  collection: string;
  faces: number;
  eps: number;
  minSamples: number;
  lastEdit: string; // "": nothing was changed by hand
  people: Cluster[];
  loose: number; // faces of nobody
  looseVoices: number;
}

export const NOBODY = "-1";
const EDITS_MS = 3000; // between looks at what others change
const ALL_MS = 30_000; // and at what analysis adds

export const casts = signal<Cast[] | null>(null);
export const castsError = signal<unknown>(null);
/** The library that is looked at. */
export const dir = computed(() => route.value.params.get("dir") || library.value);
/** A collection that is looked at whatever the address says; null: none. */
export const lookedAt = signal<string | null>(null);
/** The collection that the address names, else the largest. */
export const cast = computed<Cast | undefined>(() => {
  const named = lookedAt.value ?? route.value.params.get("collection");
  const all = casts.value ?? [];
  if (named !== null) return all.find(({ collection }) => collection === named);
  return all.reduce<Cast | undefined>((most, one) => (most && most.faces >= one.faces ? most : one), undefined);
});
export const byId = computed(() => new Map(cast.value?.people.map((one) => [one.id, one])));

/** The page loads without waiting for the first connection, which makes nothing old. */
const reconnections = computed(() => Math.max(0, connections.value - 1));

let shownDir = "";
let control = new AbortController();
let loading: Promise<boolean> = Promise.resolve(false);
let timer = 0;
let isLooking = false; // for edits

/** Until the returned function is called. */
export function followCasts(): () => void {
  const ifSeen = (act: () => void) => () => document.hidden || act();
  const seen = ifSeen(() => void load());
  const looks = [setInterval(ifSeen(() => void lookForEdits()), EDITS_MS), setInterval(seen, ALL_MS)];
  document.addEventListener("visibilitychange", seen);
  const end = effect(() => {
    const about = [dir.value, reconnections.value, session.value?.key_id];
    if (about.length > 0) void load();
  });
  return () => {
    end();
    looks.forEach(clearInterval);
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
    control.abort();
  };
}

/** Ask anew. What is shown changes only where something is different. Whether there was an answer. */
export function load(): Promise<boolean> {
  clearTimeout(timer);
  control.abort();
  control = new AbortController();
  const mine = loadNow(dir.peek(), control.signal);
  loading = mine;
  return mine;
}

async function loadNow(wanted: string, signal: AbortSignal): Promise<boolean> {
  if (wanted !== shownDir) casts.value = null;
  shownDir = wanted;
  if (!wanted) return false;
  const params = { query: { cache_dir: wanted, details: true, voices: true } };
  try {
    const found = await answerOf(api.GET("/faces/clusters", { params, signal }));
    take(wanted, found.cluster_jobs.map(castOf));
    return true;
  } catch (error) {
    // A newer request has aborted this one and its answer counts, or the page was left.
    if (isAbort(error)) return signal === control.signal ? false : loading;
    if (!(error instanceof Refusal)) throw error;
    castsError.value = error;
    if (error instanceof Busy) timer = window.setTimeout(() => void load(), error.waitSeconds * 1000);
    return false;
  }
}

function take(folder: string, next: Cast[]): void {
  const isSame = JSON.stringify(next) === JSON.stringify(casts.peek());
  batch(() => {
    castsError.value = null;
    if (!isSame) casts.value = next;
  });
  if (isSame) return;
  tellPeople(folder, next.flatMap(({ collection, people }) => knownPeople(collection, people)));
}

/** The list of edits is short to ask for; only who may change people may read it. */
async function lookForEdits(): Promise<void> {
  const shown = cast.peek();
  if (!shown || isLooking) return;
  if (!may("people")) return; // they hear of it when all is loaded again
  const query = { cache_dir: shownDir, cluster_job_name: shown.collection, limit: 1, brief: true };
  isLooking = true;
  try {
    const { edits } = await ask(api.GET("/faces/edits", { params: { query } }));
    const newest = edits.at(-1)?.edit_id ?? "";
    if (newest !== cast.peek()?.lastEdit && shown === cast.peek()) await load();
  } catch (error) {
    // What is shown stays; the next look says more.
    if (!(error instanceof Refusal)) throw error;
  } finally {
    isLooking = false;
  }
}

function castOf(job: Schemas["ClusterJob"]): Cast {
  const people = job.clusters.filter(({ cluster_id }) => cluster_id !== NOBODY);
  const nobody = job.clusters.find(({ cluster_id }) => cluster_id === NOBODY);
  return {
    collection: job.cluster_job_name,
    faces: job.total_faces,
    eps: job.eps,
    minSamples: job.min_samples,
    lastEdit: job.last_edit_id ?? "",
    people: people.map((one) => ({
      id: one.cluster_id,
      name: one.name ?? "",
      faces: one.face_count,
      seconds: one.seconds ?? 0,
      stills: one.stills ?? 0,
      files: Math.max(one.files ?? 0, one.face_count > 0 ? 0 : (one.voice_count ?? 0)),
      voices: one.voice_count ?? 0,
      spoken: one.voice_seconds ?? 0,
    })),
    loose: nobody?.face_count ?? 0,
    looseVoices: nobody?.voice_count ?? 0,
  };
}
