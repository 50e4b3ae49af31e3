/** Messages that were given up: what they say, why they failed, and what becomes of them. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { useDoing } from "../parts/doing";
import { Failure } from "../parts/notice";
import { serverWords } from "../words/server";
import { AskFirst, focusSection } from "./parts";

type Dead = Schemas["DeadWebhookMessage"];
type Webhook = Schemas["WebhookAnswer"];

const says = serverWords.webhooks;
const AT_ONCE = 20;

export function DeadMessages({ of, onChange }: { of: Webhook; onChange: () => void }) {
  const shown = useSignal(AT_ONCE);
  const asksToDrop = useSignal<string[]>([]);
  const { isBusy, error, run } = useDoing();
  const act = async (deed: Deed, ids?: string[]) => {
    await deed(of.id, ids);
    onChange();
  };
  const doIt = (deed: Deed, ids?: string[]) =>
    void run(async () => {
      await act(deed, ids);
      focusSection(); // what was pressed is going
    });
  const { dead } = of;
  return (
    <details class="dead">
      <summary>{says.dead(dead.length)}</summary>
      <p class="hint">{says.deadHint}</p>
      <div class="buttons">
        <button type="button" disabled={isBusy} onClick={() => doIt(resend)}>
          {says.resendAll}
        </button>
        <button type="button" disabled={isBusy} onClick={() => (asksToDrop.value = dead.map(({ id }) => id))}>
          {says.dropAll}
        </button>
      </div>
      {error.value != null && <Failure error={error.value} />}
      <ul class="plain">
        {dead.slice(0, shown.value).map((one) => (
          <OneDead
            key={one.id}
            of={one}
            isBusy={isBusy.value}
            onResend={() => doIt(resend, [one.id])}
            onDrop={() => doIt(drop, [one.id])}
          />
        ))}
      </ul>
      {dead.length > shown.value && (
        <button type="button" onClick={() => (shown.value += AT_ONCE)}>
          {says.more}
        </button>
      )}
      {asksToDrop.value.length > 0 && (
        <AskFirst
          title={says.dropAllTitle(asksToDrop.value.length)}
          button={says.dropAll}
          // Not those that were given up while this was read.
          act={() => act(drop, asksToDrop.value)}
          onClose={() => (asksToDrop.value = [])}
        >
          <p>{says.dropAllMeans}</p>
        </AskFirst>
      )}
    </details>
  );
}

interface OneDeadProps {
  of: Dead;
  isBusy: boolean;
  onResend: () => void;
  onDrop: () => void;
}

function OneDead({ of, isBusy, onResend, onDrop }: OneDeadProps) {
  const type = says.typeNames[of.type] ?? of.type;
  return (
    <li>
      <p>
        <strong>{type}</strong>, {serverWords.moment(of.timestamp)}
      </p>
      <p class="error">{of.error}</p>
      <details>
        <summary>{says.content}</summary>
        <pre tabIndex={0}>{JSON.stringify(of.data, null, 2)}</pre>
      </details>
      <div class="buttons">
        <button
          type="button"
          aria-label={says.resendIt(type, of.timestamp)}
          disabled={isBusy}
          onClick={onResend}
        >
          {says.resend}
        </button>
        <button
          type="button"
          aria-label={says.dropIt(type, of.timestamp)}
          disabled={isBusy}
          onClick={onDrop}
        >
          {says.drop}
        </button>
      </div>
    </li>
  );
}

type Deed = (hookId: string, ids?: string[]) => Promise<unknown>;

const resend: Deed = (webhook_id, message_ids) => {
  const params = { path: { webhook_id } };
  return ask(api.POST("/webhooks/{webhook_id}/dead/resend", { params, body: { message_ids } }));
};

const drop: Deed = (webhook_id, message_ids) => {
  const params = { path: { webhook_id } };
  return ask(api.POST("/webhooks/{webhook_id}/dead/drop", { params, body: { message_ids } }));
};
