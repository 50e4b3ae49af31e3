/** What can be done with a hit. */
import { addRange, basket } from "../../basket/basket";
import { hrefOf, change, route } from "../../route";
import type { Hit } from "../asking/hits";
import { choose, noFilters, query } from "../asking/query";
import { scrub } from "./scrub";

/** Its scene: to the picture where that is known. */
function rangeOf(hit: Hit) {
  return {
    cacheDir: hit.dir,
    mediaPath: hit.path,
    start: hit.cutStart ?? hit.from,
    end: hit.cutEnd ?? hit.to,
  };
}

/** A still has no range. */
export function canAdd(hit: Hit): boolean {
  const { start, end } = rangeOf(hit);
  return end > start;
}

export function isAdded(hit: Hit): boolean {
  const { mediaPath, start, end } = rangeOf(hit);
  return basket.value.some(
    (one) => one.mediaPath === mediaPath && one.start === start && one.end === end,
  );
}

/** Whether it was added now. */
export function add(hit: Hit): boolean {
  if (!canAdd(hit) || isAdded(hit)) return false;
  addRange({ ...rangeOf(hit), imageUrl: hit.image });
  return true;
}

export function moreLike(hit: Hit): void {
  scrub.value = null;
  const filters = { ...noFilters, folder: query.peek().filters.folder };
  choose({ dir: hit.dir, words: "", said: "", people: [], speaker: "", like: { path: hit.path, second: hit.at }, filters });
}

function playParams(hit: Hit): Record<string, string> {
  const { start, end } = rangeOf(hit);
  return { play: hit.path, at: String(hit.at), from: String(start), to: String(end), dir: hit.dir };
}

/** `replace`: instead of the one that is played. */
export function open(hit: Hit, replace = false): void {
  change(playParams(hit), replace);
}

/** Where the hit stands that is played; -1: it is none of them. */
export function playedPlace(hits: Hit[]): number {
  const { params } = route.value;
  const [path, at] = [params.get("play"), params.get("at")];
  return path === null ? -1 : hits.findIndex((hit) => hit.path === path && String(hit.at) === at);
}

/** The address that shows it, so that it can be opened in another window. */
export function hrefTo(hit: Hit): string {
  const { page, params: now } = route.peek();
  const params = new URLSearchParams(now);
  for (const [name, value] of Object.entries(playParams(hit))) params.set(name, value);
  return hrefOf(page, params);
}
