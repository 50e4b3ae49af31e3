/** In and out: the range that goes into the basket. */
import { signal } from "@preact/signals";
import type { Schemas } from "../api/client";

export type Scene = Schemas["SceneSpan"];
export interface Span {
  start: number; // seconds
  end: number; // seconds; the first that is no more in it
}

export class Marks {
  readonly in = signal<number | null>(null);
  readonly out = signal<number | null>(null);

  setIn(seconds: number): void {
    this.in.value = seconds;
    if (this.out.value !== null && this.out.value <= seconds) this.out.value = null;
  }

  setOut(seconds: number): void {
    this.out.value = seconds;
    if (this.in.value !== null && this.in.value >= seconds) this.in.value = null;
  }

  clear(): void {
    this.in.value = this.out.value = null;
  }

  /** What is marked; what is not marked is where `scene` begins and ends. */
  range(scene: Span): Span {
    const start = this.in.value ?? Math.min(scene.start, this.out.value ?? Infinity);
    return { start, end: this.out.value ?? Math.max(scene.end, start) };
  }
}

/** The place of the scene at a time; -1: in none. `scenes` are in order. */
export function sceneAt(scenes: Scene[], seconds: number): number {
  let [low, high] = [0, scenes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((scenes[middle]?.start_seconds ?? 0) <= seconds) low = middle + 1;
    else high = middle;
  }
  const found = scenes[low - 1];
  return found && seconds < found.end_seconds ? low - 1 : -1;
}
