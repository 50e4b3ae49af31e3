/** What somebody has chosen, kept in this browser. */
import { signal, type Signal } from "@preact/signals";

/** A signal that is kept under a name; `isShared`: what is chosen in another window is taken here, too. */
export function kept<T extends object>(name: string, usual: T, { isShared = true } = {}): Signal<T> {
  const stored = (): T => ({ ...usual, ...(read(name) as Partial<T> | null) });
  const made = signal<T>(stored());
  made.subscribe((value) => localStorage.setItem(name, JSON.stringify(value)));
  addEventListener("storage", (event) => {
    if (isShared && event.key === name) made.value = stored();
  });
  return made;
}

function read(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}
