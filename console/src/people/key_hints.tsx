/** The keys that matter most here, in sight; `?` lists all. */
import { words } from "../words";
import { says } from "../words/people";

export function KeyHints({ keys }: { keys: [key: string, what: string][] }) {
  return (
    <p class="hint key-hints">
      {[...keys, ["?", says.keys.short.all] as const].map(([key, what]) => (
        <span key={key}>
          <kbd>{words.keys.names[key] ?? key}</kbd>
          {what}
        </span>
      ))}
      <span>{says.keys.drag}</span>
    </p>
  );
}
