/** Adding a webhook. Its secret is made in this window and shown once. */
import { useSignal } from "@preact/signals";
import { useState } from "preact/hooks";
import { api, ask, Refusal, type Schemas } from "../api/client";
import { Dialog } from "../parts/dialog";
import { useDoing } from "../parts/doing";
import { makeHeld } from "../parts/held";
import { Failure } from "../parts/notice";
import { words } from "../words";
import { serverWords } from "../words/server";
import { Checks } from "./checks";
import { ShownOnce } from "./parts";

type Event = Schemas["WebhookEvent"];
type Webhook = Schemas["WebhookAnswer"];
type Body = Schemas["WebhookBody"];

const says = serverWords.webhooks;
const EVENTS: Event[] = ["task.ended", "file.failed", "ingest.finished", "folder.waiting"];
const SECRET_BYTES = 32;

interface NewWebhookProps {
  onAdded: () => void;
  onClose: () => void;
}

export function NewWebhook({ onAdded, onClose }: NewWebhookProps) {
  const url = useSignal("");
  const events = useSignal<Event[]>(["task.ended", "file.failed"]);
  const [secret] = useState(newSecret); // one, however often it is tried
  const [sender] = useState(() => new Sender());
  const { isBusy, error, run } = useDoing();
  const add = async () => {
    if (events.value.length === 0) throw new Error(says.noEvents);
    const body = { url: url.value.trim(), secret, events: events.value };
    await makeHeld(async () => {
      await sender.send(body);
      return <ShownOnce title={says.made} hint={says.once} name={says.made} text={secret} />;
    });
    onAdded();
    onClose();
  };
  return (
    <Dialog title={says.add} onClose={isBusy.value ? undefined : onClose}>
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
          <button type="button" disabled={isBusy} onClick={onClose}>
            {words.cancel}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Sends a webhook once, also where the answer was lost: the server may have taken it then. */
class Sender {
  #before: Set<string> | undefined; // webhooks that were there
  #lost: Body | undefined; // what was sent without an answer

  async send(body: Body): Promise<void> {
    const there = await webhooks();
    this.#before ??= new Set(there.map(({ id }) => id));
    if (there.some((one) => this.#isLost(one, body))) return;
    this.#lost = undefined;
    try {
      await ask(api.POST("/webhooks", { body }));
    } catch (error) {
      if (error instanceof Refusal && error.status === 0) this.#lost = body;
      throw error;
    }
  }

  /** Whether a webhook is what was sent, and what is asked for still. */
  #isLost({ id, url, events }: Webhook, body: Body): boolean {
    if (!this.#lost || this.#before?.has(id)) return false;
    return lookOf({ url, events }) === lookOf(this.#lost) && lookOf(this.#lost) === lookOf(body);
  }
}

async function webhooks(): Promise<Webhook[]> {
  return (await ask(api.GET("/webhooks"))).webhooks;
}

function lookOf({ url, events }: Pick<Webhook, "url" | "events">): string {
  return JSON.stringify([url, [...events].sort()]);
}

/** As Standard Webhooks have it. */
function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}
