/** Copies a text, and says that it did. */
import { useSignal } from "@preact/signals";
import { words } from "../words";

interface CopyButtonProps {
  what: string;
  text: string;
  label?: string; // for screen readers, where there are several that say the same
}

export function CopyButton({ what, text, label }: CopyButtonProps) {
  const copied = useSignal<string | null>(null);
  return (
    <button
      type="button"
      class="copy"
      onClick={() => void copy(text).then((done) => (copied.value = done ? text : null))}
    >
      {label ? <span aria-hidden="true">{what}</span> : what}
      {label && <span class="hidden">{label}</span>}
      <span role="status">{copied.value === text && words.player.copied}</span>
    </button>
  );
}

async function copy(text: string): Promise<boolean> {
  if (!navigator.clipboard) return copyByHand(text); // plain http, elsewhere than on this machine
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text);
  }
}

function copyByHand(text: string): boolean {
  const field = document.createElement("textarea");
  const before = document.activeElement;
  field.value = text;
  field.className = "hidden";
  // What lies outside of a dialog cannot be selected while that is open.
  (before?.closest("dialog") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
