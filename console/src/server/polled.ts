/** Data that changes by itself: asked for again every few seconds while the page is seen. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { session } from "../api/session";

export interface Polled<T> {
  data?: T; // stays while it is asked for again, and when that fails
  error?: unknown;
  again: () => void;
}

/** `pause`: milliseconds until it is asked for again, by what came last. */
export function usePolled<T>(
  load: (signal: AbortSignal) => Promise<T>,
  pause: (data?: T) => number,
): Polled<T> {
  const state = useSignal<{ data?: T; error?: unknown }>({});
  const turn = useSignal(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    let isAsking = false;
    const settle = (found: { data?: T; error?: unknown }) => {
      isAsking = false;
      if (abort.signal.aborted) return;
      state.value = found;
      timer = window.setTimeout(look, pause(found.data));
    };
    const look = () => {
      window.clearTimeout(timer);
      if (isAsking || document.hidden) return; // asked for when it is seen again
      if (!session.peek()) {
        timer = window.setTimeout(look, pause(state.peek().data)); // somebody is to sign in first
        return;
      }
      isAsking = true;
      load(abort.signal).then(
        (data) => settle({ data }),
        (error: unknown) => settle({ data: state.peek().data, error }),
      );
    };
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      document.removeEventListener("visibilitychange", look);
      window.clearTimeout(timer);
      abort.abort();
    };
  }, [turn.value]);
  return { ...state.value, again: () => (turn.value += 1) };
}
