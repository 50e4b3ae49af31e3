/** Pictures of what is said. They are no addresses, so only those near the drawn rows are kept. */
import { signal } from "@preact/signals";
import { Refusal } from "../../api/client";
import type { Hit } from "./hits";
import { Busy, isAbort } from "./patience";
import { type Asked, picturesOf } from "./request";

interface Wanted {
  asked: Asked;
  hits: Hit[];
  first: number; // the place of the first that is in the window
  end: number; // behind the last
}

const AHEAD = 50; // hits around the window that have pictures, too
const KEPT = 300; // hits around it whose pictures stay
const MOST = 50; // in one answer

const pictures = signal<ReadonlyMap<string, string>>(new Map()); // by a hit's key; "": it has none
let wanted: Wanted | undefined;
let control: AbortController | null = null; // of what is asked for now
let timer = 0;

export function imageOf(hit: Hit): string | undefined {
  return hit.image ?? pictures.value.get(hit.key);
}

/** Ask for those that are missing. To be called again after a while, or when the server is back. */
export function keepPictures(now: Wanted): void {
  if (now.asked !== wanted?.asked) {
    control?.abort();
    control = null;
    if (now.asked.query.dir !== wanted?.asked.query.dir) pictures.value = new Map();
  }
  wanted = now;
  if (!control) void load();
}

async function load(): Promise<void> {
  clearTimeout(timer);
  const mine = (control = new AbortController());
  try {
    while (wanted && control === mine) {
      const hits = missing(wanted);
      if (hits.length === 0) break;
      keep(hits, await picturesOf(wanted.asked.query.dir, hits, mine.signal));
    }
  } catch (error) {
    // Without them there are still the words.
    if (!isAbort(error) && !(error instanceof Refusal)) throw error;
    const isBusy = error instanceof Busy && error.status !== 0; // a server that is away connects again
    if (isBusy) timer = window.setTimeout(() => control || void load(), error.waitSeconds * 1000);
  } finally {
    if (control === mine) control = null;
  }
}

/** Those in the window first. */
function missing({ hits, first, end }: Wanted): Hit[] {
  const near = [...hits.slice(first, end + AHEAD), ...hits.slice(Math.max(0, first - AHEAD), first)];
  return near.filter(({ key }) => !pictures.peek().has(key)).slice(0, MOST);
}

function keep(hits: Hit[], found: Awaited<ReturnType<typeof picturesOf>>): void {
  if (!wanted) return;
  const { first, end } = wanted;
  const all = new Map(pictures.peek());
  hits.forEach(({ key }, n) => {
    const image = found[n]?.thumbnail;
    all.set(key, image ? `data:image/jpeg;base64,${image}` : "");
  });
  const near = wanted.hits.slice(Math.max(0, first - KEPT), end + KEPT);
  pictures.value = new Map(near.flatMap(({ key }) => (all.has(key) ? [[key, all.get(key) ?? ""]] : [])));
}
