/** A line of the audit log in words; its details unfold. */
import { useSignal } from "@preact/signals";
import type { Schemas } from "../api/client";
import { change } from "../route";
import { serverWords } from "../words/server";
import type { Filters } from "./audit_filters";
import { Fact, Facts } from "./parts";

const says = serverWords.audit;

interface AuditLineProps {
  of: Schemas["AuditedDeed"];
  filters: Filters;
}

export function AuditLine({ of, filters }: AuditLineProps) {
  const { at, action, key_id: key, key_label: label, address, client, task_id: task, details } = of;
  const who = label || key || says.somebody;
  const what = says.actions[action] ?? says.other(action);
  const unix = Date.parse(at) / 1000;
  const isFailed = "error" in details;
  const isOpen = useSignal(false);
  return (
    <li>
      <details onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
        <summary>
          <strong>{says.line(who, what)}</strong>
          {isFailed && <span class="error"> {says.failed}</span>}
          <span class="hint">
            {" "}
            <time dateTime={at}>{serverWords.moment(unix)}</time> {says.from(address, client)}
          </span>
        </summary>
        {isOpen.value && (
          <>
            <Facts>
              <Fact name={says.facts.action}>{action}</Fact>
              {key && <Fact name={says.facts.key}>{key}</Fact>}
              {client && <Fact name={says.facts.client}>{client}</Fact>}
              {task && <Fact name={says.facts.task}>{task}</Fact>}
              {Object.entries(details).map(([name, value]) => (
                <Fact key={name} name={name}>
                  {shown(value)}
                </Fact>
              ))}
            </Facts>
            <div class="buttons">
              {task && task !== filters.task && (
                <button type="button" onClick={() => change({ task })}>
                  {says.onlyTask}
                </button>
              )}
              {key && key !== filters.key && (
                <button type="button" onClick={() => change({ key })}>
                  {says.onlyKey(who)}
                </button>
              )}
            </div>
          </>
        )}
      </details>
    </li>
  );
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}
