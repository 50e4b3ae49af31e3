/** Names to propose: of this collection, of others, and of people enrolled from pictures. */
import { signal } from "@preact/signals";
import { api, ask, Refusal, type Schemas } from "../../api/client";
import { says } from "../../words/people";
import { cast, dir } from "./cast";

export interface Proposal {
  name: string;
  about: string; // where the name is known
}

type Known = Schemas["NamedPerson"];

const everybody = signal<Known[]>([]);
const MOST = 8;

/** Ask who is known anywhere. Without an answer, the names of this collection are proposed. */
export async function loadKnownNames(): Promise<void> {
  try {
    everybody.value = (await ask(api.GET("/faces/people"))).people;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}

/** Those of whom a part of the name begins with what was typed; those of this collection first. */
export function proposals(typed: string): Proposal[] {
  const here = new Set(cast.value?.people.map(({ name }) => name).filter(Boolean));
  const others = everybody.value.filter(({ name }) => !here.has(name));
  const all = [
    ...[...here].map((name) => ({ name, about: says.naming.here })),
    ...others.map((one) => ({ name: one.name, about: aboutOf(one) })),
  ];
  return all.filter(({ name }) => beginsWith(name, typed) && name !== typed.trim()).slice(0, MOST);
}

function aboutOf({ is_enrolled, collections }: Known): string {
  const names = collections.map(({ cache_dir, cluster_job_name }) =>
    cache_dir === dir.value ? cluster_job_name : `${cluster_job_name} (${cache_dir})`,
  );
  return names.length > 0 || !is_enrolled ? says.naming.elsewhere(names) : says.naming.enrolled;
}

export function beginsWith(name: string, typed: string): boolean {
  const [whole, start] = [name.toLocaleLowerCase(), typed.trim().toLocaleLowerCase()];
  return whole.startsWith(start) || whole.split(/\s+/).some((part) => part.startsWith(start));
}
