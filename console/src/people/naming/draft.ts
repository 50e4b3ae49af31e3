/** The name that somebody is typing. It outlives its field: others merge people, and tiles come and go. */
import { computed, type Signal, signal } from "@preact/signals";
import { byId, casts } from "../state/cast";

interface Draft {
  id: string; // whose name it is to be
  name: string; // as it was before
  typed: Signal<string>;
}

export const draft = signal<Draft | null>(null);
/** They are merged by who types, who knows where they went. */
export const isJoining = signal(false);
/** Somebody else has taken them away meanwhile. */
export const isLost = computed(() => {
  if (!draft.value || isJoining.value || casts.value === null) return false;
  return !byId.value.has(draft.value.id);
});

const left = new Map<string, string>(); // what was typed and not saved when another field was opened, by id

export function beginName(id: string, text?: string): void {
  const before = draft.peek();
  if (before?.id === id) return;
  const typed = before?.typed.peek() ?? "";
  if (before && typed.trim() !== before.name) left.set(before.id, typed);
  const name = byId.peek().get(id)?.name ?? "";
  draft.value = { id, name, typed: signal(text ?? left.get(id) ?? name) };
}

/** It is saved, or given up. */
export function endName(id: string): void {
  left.delete(id);
  if (draft.peek()?.id === id) draft.value = null;
}

/** Where the page of the field is left. What was typed for somebody who is lost stays. */
export function leaveNames(): void {
  const { id } = draft.peek() ?? {};
  if (id !== undefined && byId.peek().has(id)) endName(id);
}

export function forgetNames(): void {
  left.clear();
  draft.value = null;
}
