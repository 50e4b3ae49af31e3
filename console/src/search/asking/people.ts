/** The people with names in the folder that is searched. */
import { effect, signal } from "@preact/signals";
import { api, Refusal } from "../../api/client";
import { connections } from "../../api/live";
import { library } from "./folders";
import { answerOf, Busy, isAbort } from "./patience";
import type { Person } from "./query";

export const people = signal<Person[]>([]);
let control = new AbortController();
let shown = ""; // the folder of `people`
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
  if (dir !== shown) people.value = [];
  shown = dir;
  if (!dir) return;
  const params = { query: { cache_dir: dir } };
  try {
    const found = await answerOf(api.GET("/faces/clusters", { params, signal: control.signal }));
    people.value = found.cluster_jobs.flatMap(named);
  } catch (error) {
    // Without them names are no suggestions; the search itself says what is wrong.
    if (!isAbort(error) && !(error instanceof Refusal)) throw error;
    const isBusy = error instanceof Busy && error.status !== 0; // a server that is away connects again
    if (isBusy) timer = window.setTimeout(() => void load(dir), error.waitSeconds * 1000);
  }
}

/** Somebody has learned who has a name in a folder: the box knows it at once. */
export function tellPeople(dir: string, named: Person[]): void {
  if (dir !== library.peek()) return;
  shown = dir;
  people.value = named;
}

function named(job: { cluster_job_name: string; clusters: { name?: string | null }[] }): Person[] {
  const names = new Set(job.clusters.flatMap(({ name }) => name ?? []));
  return [...names].map((name) => ({ collection: job.cluster_job_name, name }));
}

/** Those of whom a name begins with the end of what was typed, or with all of it. */
export function peopleLike(typed: string): { person: Person; rest: string }[] {
  const text = typed.trimStart();
  const last = /\S*$/.exec(text)?.[0] ?? "";
  const ends = [...new Set([text, last])].filter((end) => end.trim().length > 0);
  return people.value.flatMap((person) => {
    const end = ends.find((one) => isNamed(person, one));
    return end === undefined ? [] : [{ person, rest: text.slice(0, text.length - end.length).trim() }];
  });
}

function isNamed({ name }: Person, start: string): boolean {
  const wanted = start.trim().toLocaleLowerCase();
  const whole = name.toLocaleLowerCase();
  return whole.startsWith(wanted) || whole.split(/\s+/).some((part) => part.startsWith(wanted));
}
