/** One face of each person who is in sight, asked for several at once. */
import { signal } from "@preact/signals";
import { api, ask, Refusal } from "../../api/client";
import { cast, type Cluster, dir } from "./cast";

const MOST = 48; // people of one question
const KEPT = 1500; // pictures of some 10 KB
const AGAIN_MS = 3000;

interface Known {
  faces: number; // how many the person had: with others, another may be clearer
  image: string; // base64; "": there is none
}

const pictures = new Map<string, Known>();
const version = signal(0);
const wanted = new Map<string, Cluster[]>(); // by who shows them
let isAsking = false;

/** A picture, if there is one at hand. */
export function pictureOf(id: string): string | undefined {
  return version.value >= 0 ? pictures.get(keyOf(id))?.image : undefined;
}

/** Those in sight now. What was asked for before and is no longer in sight does not matter. */
export function wantPictures(who: string, people: Cluster[]): void {
  wanted.set(who, people);
  if (!isAsking) void askForThem();
}

function keyOf(id: string): string {
  return [dir.peek(), cast.peek()?.collection, id].join("\n");
}

async function askForThem(): Promise<void> {
  isAsking = true;
  try {
    for (let missing = missingNow(); missing.length > 0; missing = missingNow()) await fetchSome(missing);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    setTimeout(() => isAsking || void askForThem(), AGAIN_MS); // without a picture a person still has a place
  } finally {
    isAsking = false;
  }
}

function missingNow(): Cluster[] {
  return [...wanted.values()].flat().filter(({ id, faces }) => faces > 0 && pictures.get(keyOf(id))?.faces !== faces).slice(0, MOST);
}

async function fetchSome(people: Cluster[]): Promise<void> {
  const [cache_dir, cluster_job_name] = [dir.peek(), cast.peek()?.collection ?? ""];
  const keys = people.map(({ id }) => keyOf(id));
  const cluster_ids = people.map(({ id }) => id);
  const body = { cache_dir, cluster_job_name, cluster_ids, samples_per_cluster: 1 };
  const { samples } = await ask(api.POST("/faces/clusters/samples", { body }));
  people.forEach(({ id, faces }, n) => {
    const key = keys[n] ?? "";
    pictures.delete(key); // the newest stand last
    pictures.set(key, { faces, image: samples[id]?.[0]?.image ?? "" });
  });
  for (const key of pictures.keys()) {
    if (pictures.size <= KEPT) break;
    pictures.delete(key);
  }
  version.value += 1;
}
