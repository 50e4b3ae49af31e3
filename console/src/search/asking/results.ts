/** The hits of the search, page by page. What was found before stays until there is something new. */
import { batch, computed, effect, signal } from "@preact/signals";
import { connections } from "../../api/live";
import { session } from "../../api/session";
import { library } from "./folders";
import type { Hit } from "./hits";
import { Busy, isAbort } from "./patience";
import { picture } from "./picture";
import { query } from "./query";
import { type Asked, isNothing, pageOf } from "./request";

export interface Found {
  asked: Asked;
  hits: Hit[];
  next?: string; // the cursor of the page after these
  notes: string[];
  since: number; // when its first page came, in milliseconds
}

export const asked = computed<Asked>(() => ({
  query: { ...query.value, dir: library.value },
  picture: picture.value,
}));

export const found = signal<Found | null>(null);
export const failure = signal<unknown>(null);
export const isSearching = signal(false);
export const isSlow = signal(false);
export const wasCancelled = signal(false);
/** What is shown belongs to another search. */
export const isOld = computed(() => found.value !== null && found.value.asked !== asked.value);

/** What is loaded now, if anything, is the next page. */
export const isGoingOn = computed(() => found.value !== null && !isOld.value);

const SLOW_MS = 1000;
const ADDRESSES_MS = 3_600_000; // signed addresses of pictures hold for so long at least
const RENEWAL_MS = 60_000; // at least, between two tries to get new ones
let control = new AbortController();
let slowTimer = 0;
let againTimer = 0;
let renewedAt = 0;

/** Search for what the address says, and again whenever it says something else. */
export function followQuery(): () => void {
  const ends = [
    effect(() => void search(asked.value)),
    effect(() => {
      // The server is back, or somebody signed in again.
      if (connections.value > 0 && session.value && failure.peek()) again();
    }),
  ];
  return () => {
    ends.forEach((end) => end());
    cancel();
  };
}

/** Ask once more, after a failure or a cancel. */
export function again(): void {
  if (!found.peek() || isOld.peek()) void search(asked.peek());
  else void (areExpired() ? renew() : more());
}

export function cancel(): void {
  batch(() => {
    wasCancelled.value = isSearching.peek();
    stop();
  });
}

async function search(wanted: Asked): Promise<void> {
  stop();
  wasCancelled.value = false;
  failure.value = null;
  if (found.peek()?.asked === wanted) return; // somebody came back to this page
  if (isNothing(wanted) || !wanted.query.dir) {
    found.value = null;
    return;
  }
  if (found.peek()?.asked.query.dir !== wanted.query.dir) found.value = null;
  await load(wanted, [], "");
}

/** A picture does not come: where the addresses have expired, the hits are asked for anew. */
export function renewPictures(): void {
  if (areExpired() && Date.now() - renewedAt > RENEWAL_MS) void renew();
}

/** What was found is no longer true, such as who is on a picture: whoever looks again searches anew. */
export function forgetFound(): void {
  found.value = null;
}

function areExpired(): boolean {
  return Date.now() - (found.peek()?.since ?? 0) > ADDRESSES_MS;
}

/** As many hits as there are, with new addresses. They take the place of these all at once. */
async function renew(): Promise<void> {
  const { asked: wanted, hits } = found.peek() ?? {};
  if (!wanted || !hits || isSearching.peek() || isOld.peek()) return;
  renewedAt = Date.now();
  await load(wanted, [], "", hits.length);
}

/** The next page, if there is one. */
export async function more(): Promise<void> {
  const { asked: wanted, hits, next } = found.peek() ?? {};
  if (!wanted || !hits || !next || isSearching.peek() || isOld.peek()) return;
  await load(wanted, hits, next);
}

/** `least`: so many hits, over several pages where there are any more. */
async function load(wanted: Asked, before: Hit[], cursor: string, least = 0): Promise<void> {
  const { signal } = start();
  try {
    const since = cursor ? (found.peek()?.since ?? 0) : Date.now();
    let { hits, next, notes } = await pageOf(wanted, cursor, signal);
    while (hits.length < least && next) {
      const page = await pageOf(wanted, next, signal);
      ({ next, notes } = page);
      hits = [...hits, ...page.hits];
    }
    batch(() => {
      stop();
      failure.value = null;
      found.value = { asked: wanted, hits: [...before, ...hits], next, notes, since };
    });
  } catch (error) {
    if (isAbort(error)) return;
    batch(() => {
      stop();
      failure.value = error;
    });
    if (error instanceof Busy) againTimer = window.setTimeout(again, error.waitSeconds * 1000);
  }
}

function start(): AbortController {
  stop();
  isSearching.value = true;
  wasCancelled.value = false;
  slowTimer = window.setTimeout(() => (isSlow.value = true), SLOW_MS);
  return control;
}

function stop(): void {
  control.abort();
  control = new AbortController();
  clearTimeout(slowTimer);
  clearTimeout(againTimer);
  isSearching.value = false;
  isSlow.value = false;
}
