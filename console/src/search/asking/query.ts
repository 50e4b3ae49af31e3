/** What is searched, as a plain object and as the parameters of an address. */
import { computed, signal } from "@preact/signals";
import { go, route } from "../../route";

export interface Person {
  collection: string;
  name: string;
}

/** A picture of a file: what is like it is looked for. */
export interface Moment {
  path: string;
  second: number;
}

const FIELDS = ["folder", "after", "before", "rate", "size", "sound", "lang", "order", "least"] as const;
export type Field = (typeof FIELDS)[number];

export interface Query {
  dir: string; // the cache folder; "": the one that was used last
  words: string;
  said: string;
  people: Person[];
  anyPerson: boolean; // one of them is enough
  speaker: string; // who speaks meanwhile; "": anybody
  like: Moment | null;
  filters: Record<Field, string>; // "": none
}

export function queryOf(params: URLSearchParams): Query {
  const text = (name: string) => params.get(name) ?? "";
  const filters = Object.fromEntries(FIELDS.map((name) => [name, text(name)]));
  const like = text("like");
  return {
    dir: text("dir"),
    words: text("q"),
    said: text("said"),
    people: params.getAll("who").flatMap(personOf),
    anyPerson: params.has("any"),
    speaker: text("speaker"),
    like: like ? { path: like, second: Number(text("second")) || 0 } : null,
    filters: filters as Record<Field, string>,
  };
}

export function paramsOf(query: Query): URLSearchParams {
  const params = new URLSearchParams();
  const set = (name: string, value: string) => value && params.set(name, value);
  set("q", query.words);
  set("said", query.said);
  for (const person of query.people) params.append("who", textOf(person));
  if (query.anyPerson && query.people.length > 1) params.set("any", "1");
  set("speaker", query.speaker);
  if (query.like) {
    params.set("like", query.like.path);
    params.set("second", String(query.like.second));
  }
  for (const name of FIELDS) set(name, query.filters[name]);
  set("dir", query.dir);
  return params;
}

/** `collection/name`. Slashes in the collection's name are written otherwise. */
function textOf({ collection, name }: Person): string {
  return `${collection.replace(/[%/]/g, encodeURIComponent)}/${name}`;
}

function personOf(text: string): Person[] {
  const at = text.indexOf("/");
  if (at < 1 || at === text.length - 1) return [];
  const collection = text.slice(0, at).replace(/%25|%2F/gi, decodeURIComponent);
  return [{ collection, name: text.slice(at + 1) }];
}

export const isSame = (one: Person, other: Person): boolean => textOf(one) === textOf(other);

const params = signal(new URLSearchParams());
let isElsewhere = false;

// Other pages do not change the search, and whoever comes back without one finds that of before.
route.subscribe(({ page, params: now }) => {
  if (page !== "search") {
    isElsewhere = true;
    return;
  }
  const comesBack = isElsewhere && now.size === 0 && params.peek().size > 0;
  isElsewhere = false;
  if (comesBack) go("search", paramsOf(queryOf(params.peek())), true);
  else params.value = now;
});

/** The search of this address. Parameters of the player do not change it. */
const text = computed(() => paramsOf(queryOf(params.value)).toString());
export const query = computed(() => queryOf(new URLSearchParams(text.value)));

// What somebody typed and did not enter gives way to what is typed next.
let isKept = true;

/** Go to the address of another search, which is kept in the history. */
export function choose(changes: Partial<Query>): void {
  isKept = true;
  go("search", paramsOf({ ...query.peek(), ...changes }));
}

/** The same while somebody types: only the last of these addresses is kept. */
export function type(changes: Partial<Query>): void {
  go("search", paramsOf({ ...query.peek(), ...changes }), !isKept);
  isKept = false;
}

/** What was typed is meant: the next search is an address of its own. */
export function keep(): void {
  isKept = true;
}

export function filter(name: Field, value: string): void {
  choose({ filters: { ...query.peek().filters, [name]: value } });
}

export function activeFilters(filters: Query["filters"]): Field[] {
  return FIELDS.filter((name) => filters[name] !== "");
}

export const noFilters = Object.fromEntries(FIELDS.map((name) => [name, ""])) as Query["filters"];
