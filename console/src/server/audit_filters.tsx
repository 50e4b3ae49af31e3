/** Which lines of the audit log are shown: by what was done, by whom, in which task. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask } from "../api/client";
import { useLoad } from "../parts/load";
import { Select } from "../parts/select";
import { change } from "../route";
import { serverWords } from "../words/server";

export interface Filters {
  action: string;
  key: string;
  task: string;
}

const says = serverWords.audit;

export function AuditFilters({ filters, onAgain }: { filters: Filters; onAgain: () => void }) {
  const { action, key, task } = filters;
  const keys = useLoad("", (signal) => ask(api.GET("/keys", { signal })));
  const named = (keys.data?.keys ?? []).map(({ id, label }) => [id, label] as const);
  return (
    <div class="filters" role="group" aria-label={says.filters}>
      <Select
        label={says.action}
        options={withOwn({ "": says.any, ...says.actions }, action)}
        value={action}
        onChange={(value) => change({ action: value })}
      />
      <Select
        label={says.key}
        options={withOwn({ "": says.anybody, ...Object.fromEntries(named) }, key)}
        value={key}
        onChange={(value) => change({ key: value })}
      />
      <TaskField task={task} />
      <button type="button" onClick={onAgain}>
        {serverWords.refresh}
      </button>
    </div>
  );
}

/** What is chosen is among what can be, also a key that is no more. */
function withOwn(options: Record<string, string>, own: string): Record<string, string> {
  return own in options ? options : { ...options, [own]: own };
}

function TaskField({ task }: { task: string }) {
  const typed = useSignal(task);
  useEffect(() => void (typed.value = task), [task]);
  const choose = () => change({ task: typed.value.trim() });
  return (
    <label>
      {says.task}
      <input
        type="text"
        autocomplete="off"
        spellcheck={false}
        placeholder={says.taskHint}
        value={typed}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onChange={choose}
      />
    </label>
  );
}
