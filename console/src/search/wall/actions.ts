/** What can be done with a hit. */
import { computed } from "@preact/signals";
import { addRange, basket } from "../../basket/basket";
import { hrefOf, change, route } from "../../route";
import { library } from "../asking/folders";
import type { Hit } from "../asking/hits";
import { choose, noFilters, query } from "../asking/query";
import { found } from "../asking/results";
import { scrub } from "./scrub";

/** Its scene: to the picture where that is known. */
function rangeOf(hit: Hit) {
  return {
    cacheDir: library.peek(),
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
  choose({ words: "", said: "", people: [], like: { path: hit.path, second: hit.at }, filters });
}

function playParams(hit: Hit): Record<string, string> {
  const { start, end } = rangeOf(hit);
  return { play: hit.path, at: String(hit.at), from: String(start), to: String(end), dir: library.peek() };
}

/** `replace`: instead of the one that is played. */
export function open(hit: Hit, replace = false): void {
  change(playParams(hit), replace);
}

/** Where the hit stands that is played; -1: it is none of them. */
export const playedPlace = computed(() => {
  const { params } = route.value;
  const [path, at] = [params.get("play"), params.get("at")];
  if (path === null) return -1;
  return found.value?.hits.findIndex((hit) => hit.path === path && String(hit.at) === at) ?? -1;
});

/** The address that shows it, so that it can be opened in another window. */
export function hrefTo(hit: Hit): string {
  const params = new URLSearchParams(route.peek().params);
  for (const [name, value] of Object.entries(playParams(hit))) params.set(name, value);
  return hrefOf("search", params);
}
