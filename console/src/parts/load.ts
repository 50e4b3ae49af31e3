/** Data that a part of the page needs, asked for when that part is shown. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export interface Loaded<T> {
  data?: T;
  error?: unknown;
  again: () => void;
}

/** Asks anew when `key` changes, and gives up the former question; keeps the data while it asks again. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const state = useSignal<{ key: string; data?: T; error?: unknown }>({ key });
  const turn = useSignal(0);
  useEffect(() => {
    const abort = new AbortController();
    const settle = (found: { data?: T; error?: unknown }) => {
      if (!abort.signal.aborted) state.value = { key, ...found };
    };
    load(abort.signal).then(
      (data) => settle({ data }),
      (error: unknown) => settle({ error }),
    );
    return () => abort.abort();
  }, [key, turn.value]);
  const { data, error } = state.value.key === key ? state.value : {};
  return { data, error, again: () => (turn.value += 1) };
}
