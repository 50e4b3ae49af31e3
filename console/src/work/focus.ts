/** Where the focus goes on from when what had it goes. */
import { useEffect, useRef } from "preact/hooks";

/** To a part of the page that stays, such as the title above a list. */
export function focusOn(id: string): void {
  document.getElementById(id)?.focus({ preventScroll: true });
}

/** For a dialog: call what is returned where the button that opened it goes with what the dialog did. */
export function useFocusAfter(id: string): () => void {
  const goes = useRef(false);
  useEffect(() => () => void (goes.current && queueMicrotask(() => focusOn(id))), []);
  return () => (goes.current = true);
}
