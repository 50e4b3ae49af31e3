/** Somebody else has merged or taken away who was about to be named: what was typed is still there. */
import { Dialog } from "../../parts/dialog";
import { useLoad } from "../../parts/load";
import { words } from "../../words";
import { says } from "../../words/people";
import { whoBecame } from "../state/became";
import { byId, cast } from "../state/cast";
import { beginName, draft, endName, isLost } from "./draft";

export function Lost() {
  const shown = draft.value;
  return shown && isLost.value ? <LostName key={shown.id} id={shown.id} /> : null;
}

function LostName({ id }: { id: string }) {
  const collection = cast.value?.collection ?? "";
  const { data, error } = useLoad(`${collection}\n${id}`, (signal) => whoBecame(collection, id, signal));
  const one = byId.value.get(data ?? "");
  const typed = draft.value?.typed;
  const name = one?.name || says.somebody;
  const say = says.lost;
  return (
    <Dialog title={say.title} onClose={() => endName(id)}>
      <p role="status">{one ? say.became(name) : data !== undefined || error != null ? say.gone : words.loading}</p>
      <label>
        {say.typed}{" "}
        <input
          type="text"
          autofocus
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => typed && (typed.value = event.currentTarget.value)}
        />
      </label>
      <div class="choices">
        {one && (
          <button type="button" class="primary" onClick={() => beginName(one.id, typed?.peek())}>
            {say.nameThem(name)}
          </button>
        )}
        <button type="button" onClick={() => endName(id)}>
          {say.giveUp}
        </button>
      </div>
    </Dialog>
  );
}
