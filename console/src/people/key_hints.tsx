/** The keys that matter most here, in sight; `?` lists all. */
import { words } from "../words";
import { says } from "../words/people";

interface KeyHintsProps {
  keys: [key: string, what: string][];
  drag?: string; // what dragging does
}

export function KeyHints({ keys, drag }: KeyHintsProps) {
  return (
    <p class="hint key-hints">
      {[...keys, ["?", says.keys.short.all] as const].map(([key, what]) => (
        <span key={key}>
          <kbd>{words.keys.names[key] ?? key}</kbd>
          {what}
        </span>
      ))}
      {drag && <span>{drag}</span>}
    </p>
  );
}
