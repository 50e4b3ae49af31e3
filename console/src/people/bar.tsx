/** Which people are shown and in which order, and what is done with the whole collection. */
import { useSignal } from "@preact/signals";
import { may } from "../api/session";
import { Select } from "../parts/select";
import { change } from "../route";
import { says } from "../words/people";
import { Enrol } from "./dialogs/enrol";
import { History } from "./dialogs/history";
import { Regroup } from "./dialogs/regroup";
import { find, show, sort } from "./grid/order";
import type { Cast } from "./state/cast";
import { isChanging, undo } from "./state/changes";

export const FIND = "find-person";

export function Bar({ cast }: { cast: Cast }) {
  return (
    <div class="people-bar">
      <label>
        <span class="hidden">{says.find}</span>
        <input
          id={FIND}
          type="search"
          placeholder={says.find}
          autocomplete="off"
          spellcheck={false}
          value={find.value}
          onInput={(event) => change({ find: event.currentTarget.value }, true)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" && event.key !== "Escape") return;
            event.preventDefault();
            if (event.key === "Escape") change({ find: null }, true);
            event.currentTarget.blur(); // the keys of the page work again
            document.querySelector<HTMLElement>(".faces-grid .face-link[tabindex='0']")?.focus();
          }}
        />
      </label>
      <Select label={says.show} options={says.shows} value={show.value} onChange={(value) => change({ show: value === "all" ? null : value }, true)} />
      <Select label={says.sort} options={says.sorts} value={sort.value} onChange={(value) => change({ sort: value === "time" ? null : value }, true)} />
      {may("people") && <Actions cast={cast} />}
    </div>
  );
}

function Actions({ cast }: { cast: Cast }) {
  const open = useSignal<"history" | "regroup" | "enrol" | "">("");
  const close = () => (open.value = "");
  const { actions } = says;
  return (
    <div class="people-actions">
      <button type="button" disabled={isChanging.value || !cast.lastEdit} onClick={() => void undo()}>
        {actions.undo}
      </button>
      <button type="button" onClick={() => (open.value = "history")}>
        {actions.history}
      </button>
      <button type="button" onClick={() => (open.value = "regroup")}>
        {actions.regroup}
      </button>
      <button type="button" onClick={() => (open.value = "enrol")}>
        {actions.enrol}
      </button>
      {open.value === "history" && <History onClose={close} />}
      {open.value === "regroup" && <Regroup cast={cast} onClose={close} />}
      {open.value === "enrol" && <Enrol onClose={close} />}
    </div>
  );
}
