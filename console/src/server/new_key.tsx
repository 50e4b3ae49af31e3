/** Making a licence key. It is shown once, and nothing of it is kept here. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { session } from "../api/session";
import { Dialog } from "../parts/dialog";
import { useDoing } from "../parts/doing";
import { makeHeld } from "../parts/held";
import { Failure } from "../parts/notice";
import { isAbsolute } from "../work/browser/paths";
import { words } from "../words";
import { serverWords } from "../words/server";
import { Checks } from "./checks";
import { ShownOnce } from "./parts";

type Scope = Schemas["KeyScope"];

const says = serverWords.keys;
const SCOPES: Scope[] = ["search", "export", "people", "analyze", "watch", "models", "admin"];

interface NewKeyProps {
  onMade: () => void;
  onClose: () => void;
}

export function NewKey({ onMade, onClose }: NewKeyProps) {
  const label = useSignal("");
  const scopes = useSignal<Scope[]>(["search", "export"]);
  const roots = useSignal("");
  const day = useSignal("");
  const { isBusy, error, run } = useDoing();
  const offered = SCOPES.filter((one) => !session.value || session.value.scopes.includes(one));
  const create = async () => {
    const asked = body();
    await makeHeld(async () => {
      const { key, license_key: made } = await ask(api.POST("/keys", { body: asked }));
      return <ShownOnce title={key.label} hint={says.once} name={says.made} text={made} />;
    });
    onMade();
    onClose();
  };
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
    <Dialog title={says.create} onClose={isBusy.value ? undefined : onClose}>
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
          <button type="button" disabled={isBusy} onClick={onClose}>
            {words.cancel}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function linesOf(text: string): string[] {
  const lines = text.split("\n").map((line) => line.trim());
  const wrong = lines.find((line) => line && !isAbsolute(line));
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
