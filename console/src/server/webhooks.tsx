/** Who is told of what: webhooks, how their sending goes, and what was given up. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { useDoing } from "../parts/doing";
import { Failure } from "../parts/notice";
import { serverWords } from "../words/server";
import { DeadMessages } from "./dead_messages";
import { NewWebhook } from "./new_webhook";
import { Answered, AskFirst, Fact, Facts } from "./parts";
import { usePolled } from "../parts/polling";

type Webhook = Schemas["WebhookAnswer"];

const says = serverWords.webhooks;
const PAUSE_MS = 4000;

export function WebhooksSection() {
  const found = usePolled((signal) => ask(api.GET("/webhooks", { signal })), () => PAUSE_MS);
  const isAdding = useSignal(false);
  const toRemove = useSignal<Webhook | null>(null);
  return (
    <>
      <p class="hint">{says.hint}</p>
      <button type="button" class="primary" onClick={() => (isAdding.value = true)}>
        {says.add}
      </button>
      <Answered of={found}>
        {({ webhooks }) => (
          <>
            {webhooks.length === 0 && <p>{says.none}</p>}
            <ul class="entries">
              {webhooks.map((one) => (
                <OneWebhook
                  key={one.id}
                  of={one}
                  onChange={found.again}
                  onRemove={() => (toRemove.value = one)}
                />
              ))}
            </ul>
          </>
        )}
      </Answered>
      {isAdding.value && <NewWebhook onAdded={found.again} onClose={() => (isAdding.value = false)} />}
      {toRemove.value && (
        <Remove of={toRemove.value} onDone={found.again} onClose={() => (toRemove.value = null)} />
      )}
    </>
  );
}

interface OneWebhookProps {
  of: Webhook;
  onChange: () => void;
  onRemove: () => void;
}

function OneWebhook({ of, onChange, onRemove }: OneWebhookProps) {
  return (
    <li class="entry" aria-label={of.url}>
      <p class="title">{of.url}</p>
      <Facts>
        <Fact name={says.facts.events}>
          <ul class="plain">
            {of.events.map((event) => (
              <li key={event}>{says.eventNames[event] ?? event}</li>
            ))}
          </ul>
        </Fact>
        <Fact name={says.facts.created}>{serverWords.moment(of.created_at)}</Fact>
        <Fact name={says.facts.waiting}>{says.waiting(of.waiting)}</Fact>
        <Fact name={says.facts.sent}>
          {of.last_sent_at === null ? says.never : serverWords.ago(of.last_sent_at)}
        </Fact>
        <Fact name={says.facts.error}>
          {of.last_error === null ? says.noError : <span class="error">{of.last_error}</span>}
        </Fact>
        {of.dropped > 0 && <Fact name={says.facts.dropped}>{says.dropped(of.dropped)}</Fact>}
      </Facts>
      <Try of={of} onTried={onChange} onRemove={onRemove} />
      {of.dead.length > 0 && <DeadMessages of={of} onChange={onChange} />}
    </li>
  );
}

function Try({ of, onTried, onRemove }: { of: Webhook; onTried: () => void; onRemove: () => void }) {
  const { isBusy, error, run } = useDoing();
  const told = useSignal<Schemas["WebhookTested"] | null>(null);
  const test = async () => {
    told.value = null;
    const path = { webhook_id: of.id };
    told.value = await ask(api.POST("/webhooks/{webhook_id}/test", { params: { path } }));
    onTried();
  };
  return (
    <>
      <div class="buttons">
        <button type="button" aria-label={says.testIt(of.url)} disabled={isBusy} onClick={() => void run(test)}>
          {isBusy.value ? says.trying : says.test}
        </button>
        <button type="button" aria-label={says.removeIt(of.url)} onClick={onRemove}>
          {says.remove}
        </button>
        <p role="status" class={told.value && !told.value.delivered ? "error" : undefined}>
          {told.value?.message}
        </p>
      </div>
      {error.value != null && <Failure error={error.value} />}
    </>
  );
}

interface RemoveProps {
  of: Webhook;
  onDone: () => void;
  onClose: () => void;
}

function Remove({ of, onDone, onClose }: RemoveProps) {
  const remove = async () => {
    const path = { webhook_id: of.id };
    await ask(api.DELETE("/webhooks/{webhook_id}", { params: { path } }));
    onDone();
  };
  return (
    <AskFirst title={says.removeTitle} button={says.remove} act={remove} onClose={onClose}>
      <p>{says.removeMeans(of.url, of.waiting, of.dead.length)}</p>
    </AskFirst>
  );
}
