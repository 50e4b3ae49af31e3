/** What is shown once, such as a new key: it stays, whichever page is gone to, until it is let go. */
import { effect, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

export const held = signal<ComponentChildren>(null);
const making = signal(0);

/** Make what is to be held: until that is done, too, the browser asks before the window is left. */
export async function makeHeld(make: () => Promise<ComponentChildren>): Promise<void> {
  making.value += 1;
  try {
    held.value = await make();
  } finally {
    making.value -= 1;
  }
}

effect(() => {
  if (!held.value && making.value === 0) return undefined;
  addEventListener("beforeunload", stay);
  return () => removeEventListener("beforeunload", stay);
});

function stay(event: Event): void {
  event.preventDefault();
}
