/** What somebody types, once it has not changed for a moment. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const SETTLE_MS = 400;

/** A text once it stays as it is; at once where `of`, what it is about, changes. */
export function useSettled(text: string, of: string): string {
  const settled = useSignal({ text, of });
  useEffect(() => {
    const settle = () => (settled.value = { text, of });
    if (settled.peek().of !== of) settle();
    const timer = setTimeout(settle, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text, of]);
  return settled.value.of === of ? settled.value.text : text;
}
