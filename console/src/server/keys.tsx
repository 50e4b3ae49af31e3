/** The licence keys: who has one, what each may do; making and revoking them. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { session } from "../api/session";
import { serverWords } from "../words/server";
import { NewKey } from "./new_key";
import { Answered, AskFirst, Fact, Facts } from "./parts";
import { usePolled } from "../parts/polling";

type Key = Schemas["KeyAnswer"];

const says = serverWords.keys;
const PAUSE_MS = 5000;

export function KeysSection() {
  const found = usePolled((signal) => ask(api.GET("/keys", { signal })), () => PAUSE_MS);
  const isMaking = useSignal(false);
  const toRevoke = useSignal<Key | null>(null);
  return (
    <>
      <p class="hint">{says.hint}</p>
      <button type="button" class="primary" onClick={() => (isMaking.value = true)}>
        {says.create}
      </button>
      <Answered of={found}>
        {({ keys }) => (
          <ul class="entries">
            {keys.map((key) => (
              <OneKey key={key.id} of={key} onRevoke={() => (toRevoke.value = key)} />
            ))}
          </ul>
        )}
      </Answered>
      {isMaking.value && <NewKey onMade={found.again} onClose={() => (isMaking.value = false)} />}
      {toRevoke.value && (
        <Revoke of={toRevoke.value} onDone={found.again} onClose={() => (toRevoke.value = null)} />
      )}
    </>
  );
}

function OneKey({ of, onRevoke }: { of: Key; onRevoke: () => void }) {
  const isOver = of.expires_at !== null && of.expires_at * 1000 <= Date.now();
  const isOwn = session.value?.key_id === of.id;
  const hint = of.is_from_settings ? says.fromSettingsHint : isOwn && says.ownHint;
  return (
    <li class="entry" aria-label={of.label}>
      <p class="title">
        {of.label}{" "}
        <span class="badges">
          {isOwn && <span class="badge good">{says.own}</span>}
          {of.is_from_settings && <span class="badge">{says.fromSettings}</span>}
          {isOver && <span class="badge bad">{says.expired}</span>}
        </span>
      </p>
      <Facts>
        <Fact name={says.facts.id}>{of.id}</Fact>
        <Fact name={says.facts.scopes}>{of.scopes.join(", ")}</Fact>
        <Fact name={says.facts.roots}>{of.roots?.join(", ") ?? says.allRoots}</Fact>
        <Fact name={says.facts.created}>{timeOf(of.created_at, says.unknown)}</Fact>
        <Fact name={says.facts.used}>{timeOf(of.last_seen_at, says.never)}</Fact>
        <Fact name={says.facts.expires}>{timeOf(of.expires_at, says.never)}</Fact>
        <Fact name={says.facts.use}>{says.use(of.requests, of.footage_seconds)}</Fact>
      </Facts>
      {hint ? (
        <p class="hint">{hint}</p>
      ) : (
        <div class="buttons">
          <button type="button" aria-label={says.revokeIt(of.label)} onClick={onRevoke}>
            {says.revoke}
          </button>
        </div>
      )}
    </li>
  );
}

function timeOf(at: number | null, none: string) {
  return at === null ? none : <span title={serverWords.moment(at)}>{serverWords.ago(at)}</span>;
}

interface RevokeProps {
  of: Key;
  onDone: () => void;
  onClose: () => void;
}

function Revoke({ of, onDone, onClose }: RevokeProps) {
  const revoke = async () => {
    await ask(api.DELETE("/keys/{key_id}", { params: { path: { key_id: of.id } } }));
    onDone();
  };
  return (
    <AskFirst title={says.revokeTitle(of.label)} button={says.revoke} act={revoke} onClose={onClose}>
      <p>{says.revokeMeans}</p>
    </AskFirst>
  );
}
