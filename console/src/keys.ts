/** Keyboard: each part of the page tells its keys, and `?` lists them. */
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface Key {
  keys: string[]; // as KeyboardEvent.key names them; "Shift+Delete", "Control+z" with a modifier
  what: string;
  run: (event: KeyboardEvent) => void;
}

interface KeyGroup {
  title: string;
  readonly keys: Key[];
}

/** What works now; what was shown last comes last. */
export const keyGroups = signal<KeyGroup[]>([]);

/** While the component is shown, these keys work, except where somebody types. */
export function useKeys(title: string, keys: Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  // Before the browser paints: what can be seen can be used.
  useLayoutEffect(() => {
    const group: KeyGroup = {
      title,
      get keys() {
        return latest.current;
      },
    };
    keyGroups.value = [...keyGroups.peek(), group];
    return () => {
      keyGroups.value = keyGroups.peek().filter((one) => one !== group);
    };
  }, [title]);
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || isTyping(event) || document.querySelector("dialog[open].modal")) return;
  const name = nameOf(event);
  // What was shown last is on top.
  for (const group of keyGroups.peek().toReversed()) {
    const key = group.keys.find((one) => one.keys.some((each) => sameKey(each, name)));
    if (!key) continue;
    event.preventDefault();
    key.run(event);
    return;
  }
});

/** With the modifier that is held, if any. */
function nameOf(event: KeyboardEvent): string {
  // Many keyboards have brackets under AltGr, which counts as Control and Alt.
  if (!event.getModifierState("AltGraph")) {
    if (event.altKey) return `Alt+${event.key}`;
    if (event.ctrlKey || event.metaKey) return `Control+${event.key.toLowerCase()}`;
  }
  return event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
}

function sameKey(one: string, other: string): boolean {
  return one.length === 1 ? one.toLowerCase() === other.toLowerCase() : one === other;
}

function isTyping(event: KeyboardEvent): boolean {
  const at = event.target;
  if (!(at instanceof HTMLElement)) return false;
  if (at.isContentEditable || at.matches("textarea, select")) return true;
  if (at instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(at.type);
  // Space and Enter press what has the focus.
  return (event.key === " " || event.key === "Enter") && at.matches("button, a, summary, video");
}
