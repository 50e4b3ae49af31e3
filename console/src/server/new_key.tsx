/** Making a licence key. It is shown once, and nothing of it is kept here. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { session } from "../api/session";
import { Dialog } from "../parts/dialog";
import { useDoing } from "../parts/doing";
import { Failure } from "../parts/notice";
import { words } from "../words";
import { serverWords } from "../words/server";
import { Checks } from "./checks";
import { ShownOnce } from "./parts";

type Scope = Schemas["KeyScope"];

const says = serverWords.keys;
const SCOPES: Scope[] = ["search", "export", "people", "analyze", "watch", "models", "admin"];
const WHOLE_PATH = /^(\/|[A-Za-z]:[\\/]|\\\\)/;

interface NewKeyProps {
  onMade: () => void;
  onClose: () => void;
}

export function NewKey({ onMade, onClose }: NewKeyProps) {
  const made = useSignal<Schemas["NewKey"] | null>(null);
  if (made.value) return <Made of={made.value} onClose={onClose} />;
  const take = (key: Schemas["NewKey"]) => {
    made.value = key;
    onMade();
  };
  return <KeyForm onMade={take} onClose={onClose} />;
}

/** It closes by its button alone: a slip of the hand would lose the key. */
function Made({ of, onClose }: { of: Schemas["NewKey"]; onClose: () => void }) {
  return (
    <Dialog title={of.key.label}>
      <p>{says.once}</p>
      <ShownOnce name={says.made} text={of.license_key} />
      <div class="buttons">
        <button type="button" class="primary" onClick={onClose}>
          {says.kept}
        </button>
      </div>
    </Dialog>
  );
}

interface KeyFormProps {
  onMade: (key: Schemas["NewKey"]) => void;
  onClose: () => void;
}

function KeyForm({ onMade, onClose }: KeyFormProps) {
  const label = useSignal("");
  const scopes = useSignal<Scope[]>(["search", "export"]);
  const roots = useSignal("");
  const day = useSignal("");
  const { isBusy, error, run } = useDoing();
  const offered = SCOPES.filter((one) => !session.value || session.value.scopes.includes(one));
  const create = async () => onMade(await ask(api.POST("/keys", { body: body() })));
  /** Throws what is to be corrected. */
  const body = (): Schemas["KeyBody"] => {
    const asked = offered.filter((one) => scopes.value.includes(one));
    if (asked.length === 0) throw new Error(says.noScopes);
    const folders = linesOf(roots.value);
    return {
      label: label.value.trim() || undefined,
      scopes: asked,
      roots: folders.length > 0 ? folders : undefined,
      expires_at: endOf(day.value),
    };
  };
  return (
    <Dialog title={says.create} onClose={onClose}>
      <form
        class="asked"
        onSubmit={(event) => {
          event.preventDefault();
          void run(create);
        }}
      >
        <label>
          {says.label}
          <input
            type="text"
            maxLength={200}
            autocomplete="off"
            value={label}
            onInput={(event) => (label.value = event.currentTarget.value)}
          />
          <span class="hint">{says.labelHint}</span>
        </label>
        <Checks label={says.scopes} options={offered} meanings={says.scopeNames} chosen={scopes} />
        <label>
          {says.roots}
          <textarea
            rows={2}
            spellcheck={false}
            value={roots}
            onInput={(event) => (roots.value = event.currentTarget.value)}
          />
          <span class="hint">{says.rootsHint}</span>
        </label>
        <label>
          {says.expires}
          <input
            type="date"
            value={day}
            onInput={(event) => (day.value = event.currentTarget.value)}
          />
          <span class="hint">{says.expiresHint}</span>
        </label>
        {error.value != null && <Failure error={error.value} />}
        <div class="buttons">
          <button type="submit" class="primary" disabled={isBusy}>
            {says.createIt}
          </button>
          <button type="button" onClick={onClose}>
            {words.cancel}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function linesOf(text: string): string[] {
  const lines = text.split("\n").map((line) => line.trim());
  const wrong = lines.find((line) => line && !WHOLE_PATH.test(line));
  if (wrong) throw new Error(says.rootsWrong(wrong));
  return lines.filter(Boolean);
}

/** The end of a day, here. */
function endOf(day: string): number | undefined {
  if (!day) return undefined;
  const end = new Date(`${day}T00:00:00`);
  end.setDate(end.getDate() + 1);
  if (end.getTime() <= Date.now()) throw new Error(says.expiresPast);
  return end.getTime() / 1000;
}
