/** Adding a webhook. Its secret is made in this window and shown once. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { Dialog } from "../parts/dialog";
import { useDoing } from "../parts/doing";
import { Failure } from "../parts/notice";
import { words } from "../words";
import { serverWords } from "../words/server";
import { Checks } from "./checks";
import { ShownOnce } from "./parts";

type Event = Schemas["WebhookEvent"];

const says = serverWords.webhooks;
const EVENTS: Event[] = ["task.ended", "file.failed", "ingest.finished", "folder.waiting"];
const SECRET_BYTES = 32;

interface NewWebhookProps {
  onAdded: () => void;
  onClose: () => void;
}

export function NewWebhook({ onAdded, onClose }: NewWebhookProps) {
  const secret = useSignal("");
  if (secret.value) {
    return (
      // It closes by its button alone: a slip of the hand would lose the secret.
      <Dialog title={says.made}>
        <p>{says.once}</p>
        <ShownOnce name={says.made} text={secret.value} />
        <div class="buttons">
          <button type="button" class="primary" onClick={onClose}>
            {says.kept}
          </button>
        </div>
      </Dialog>
    );
  }
  const take = (made: string) => {
    secret.value = made;
    onAdded();
  };
  return <WebhookForm onAdded={take} onClose={onClose} />;
}

interface WebhookFormProps {
  onAdded: (secret: string) => void;
  onClose: () => void;
}

function WebhookForm({ onAdded, onClose }: WebhookFormProps) {
  const url = useSignal("");
  const events = useSignal<Event[]>(["task.ended", "file.failed"]);
  const { isBusy, error, run } = useDoing();
  const add = async () => {
    if (events.value.length === 0) throw new Error(says.noEvents);
    const secret = newSecret();
    const body = { url: url.value.trim(), secret, events: events.value };
    await ask(api.POST("/webhooks", { body }));
    onAdded(secret);
  };
  return (
    <Dialog title={says.add} onClose={onClose}>
      <form
        class="asked"
        onSubmit={(event) => {
          event.preventDefault();
          void run(add);
        }}
      >
        <label>
          {says.url}
          <input
            type="url"
            required
            maxLength={4096}
            placeholder={says.urlExample}
            autocomplete="off"
            value={url}
            onInput={(event) => (url.value = event.currentTarget.value)}
          />
        </label>
        <Checks label={says.events} options={EVENTS} meanings={says.eventNames} chosen={events} />
        {error.value != null && <Failure error={error.value} />}
        <div class="buttons">
          <button type="submit" class="primary" disabled={isBusy}>
            {says.addIt}
          </button>
          <button type="button" onClick={onClose}>
            {words.cancel}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** As Standard Webhooks have it. */
function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}
