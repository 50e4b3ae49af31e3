/** The picture of a scene that is shown instead of the hit's: under the pointer, or by keys. */
import { signal } from "@preact/signals";
import { type Hit, scrubSeconds } from "../asking/hits";

interface Scrub {
  key: string; // of the hit
  step: number; // which of its seconds
}

export const scrub = signal<Scrub | null>(null);

const kept = new Map<string, HTMLImageElement[]>(); // while they load, browsers need somebody who waits

/** Load the pictures of a scene, so that they are there when the pointer moves. */
export function fetchScene(hit: Hit): void {
  if (!hit.image || kept.has(hit.key)) return;
  kept.clear();
  const pictures = scrubSeconds(hit).map((second) => {
    const picture = new Image();
    picture.src = imageAt(hit, second);
    return picture;
  });
  kept.set(hit.key, pictures);
}

/** `share` of the way through its scene, from 0 to 1. */
export function scrubTo(hit: Hit, share: number): void {
  const count = hit.image ? scrubSeconds(hit).length : 0;
  if (count < 2) return;
  const step = Math.min(count - 1, Math.max(0, Math.floor(share * count)));
  if (scrub.peek()?.key !== hit.key || scrub.peek()?.step !== step) scrub.value = { key: hit.key, step };
}

/** One picture on (1) or back (-1). */
export function scrubBy(hit: Hit, step: number): void {
  const seconds = hit.image ? scrubSeconds(hit) : [];
  if (seconds.length < 2) return;
  fetchScene(hit);
  const now = scrub.peek();
  const from = now?.key === hit.key ? now.step : seconds.findLastIndex((second) => second <= hit.at);
  scrub.value = { key: hit.key, step: (from + step + seconds.length) % seconds.length };
}

export function scrubEnd(hit: Hit): void {
  if (scrub.peek()?.key === hit.key) scrub.value = null;
}

export function imageAt(hit: Hit, second: number): string {
  return `${hit.image}?second=${second}`;
}
