/** Addresses of the pages about people. */
import { hrefOf } from "../../route";
import { paramsOf, queryOf } from "../../search/asking/query";

export function personParams(dir: string, collection: string, id: string): URLSearchParams {
  return new URLSearchParams({ dir, collection, id });
}

export function hrefToPerson(dir: string, collection: string, id: string): string {
  return hrefOf("people/person", personParams(dir, collection, id));
}

export function hrefToPeople(dir: string, collection: string): string {
  return hrefOf("people", new URLSearchParams({ dir, collection }));
}

/** The search for somebody by name: where they are seen, else where they are heard. */
export function hrefToSearch(dir: string, collection: string, name: string, isSeen: boolean): string {
  const nothing = queryOf(new URLSearchParams());
  const who = isSeen ? { people: [{ collection, name }] } : { speaker: name };
  return hrefOf("search", paramsOf({ ...nothing, dir, ...who }));
}
