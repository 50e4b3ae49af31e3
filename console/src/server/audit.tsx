/** The audit log: who changed or took what, the newest first. The address holds its filters. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api, ask, type Schemas } from "../api/client";
import { Failure } from "../parts/notice";
import { change, route } from "../route";
import { words } from "../words";
import { serverWords } from "../words/server";
import { AuditFilters, type Filters } from "./audit_filters";
import { AuditLine } from "./audit_line";

type Deed = Schemas["AuditedDeed"];

interface Lines {
  of: string; // what was asked for: its answer belongs to nothing else
  lines: Deed[];
  next?: string | null; // undefined: nothing has come yet
  error?: unknown;
  retry?: () => void; // what failed, once more
}

const says = serverWords.audit;
const LIMIT = 100;

export function AuditSection() {
  const { params } = route.value;
  const filters: Filters = {
    action: params.get("action") ?? "",
    key: params.get("key") ?? "",
    task: params.get("task") ?? "",
  };
  const { found, older, again } = useLines(filters);
  const { lines, next, error, retry } = found;
  const isFiltered = Object.values(filters).some(Boolean);
  return (
    <>
      <p class="hint">{says.hint}</p>
      <AuditFilters filters={filters} onAgain={again} />
      {lines.length > 0 && (
        <ol class="audit">
          {lines.map((line, place) => (
            <AuditLine key={`${line.at} ${place}`} of={line} filters={filters} />
          ))}
        </ol>
      )}
      {error != null && <Failure error={error} again={retry} />}
      {error == null && next === undefined && <p class="wait">{words.loading}</p>}
      {error == null && next && <Older key={next} onSeen={older} />}
      {next === null && (
        <p class="hint">
          {lines.length > 0 ? says.end : isFiltered ? says.noneFound : says.none}
        </p>
      )}
      {isFiltered && lines.length === 0 && next === null && (
        <button type="button" onClick={() => change({ action: null, key: null, task: null })}>
          {says.clear}
        </button>
      )}
    </>
  );
}

/** The lines that were read so far; `older` reads on. */
function useLines(filters: Filters) {
  const of = JSON.stringify(filters);
  const state = useSignal<Lines>({ of, lines: [] });
  const turn = useSignal(0);
  const abort = useRef<AbortController | null>(null);
  const read = async (before: Lines) => {
    abort.current?.abort();
    const { signal } = (abort.current = new AbortController());
    try {
      const page = await ask(
        api.GET("/audit", { params: { query: queryOf(filters, before.next) }, signal }),
      );
      state.value = { of, lines: [...before.lines, ...page.lines], next: page.next };
    } catch (error) {
      if (signal.aborted) return;
      const { of: shownOf } = state.peek();
      const shown = shownOf === of ? state.peek() : before; // stays, whatever failed
      state.value = { ...shown, error, retry: () => void read(before) };
    }
  };
  useEffect(() => {
    void read({ of, lines: [] });
    return () => abort.current?.abort();
  }, [of, turn.value]);
  const found = state.value.of === of ? state.value : { of, lines: [] };
  return { found, older: () => void read(state.peek()), again: () => (turn.value += 1) };
}

function queryOf({ action, key, task }: Filters, after?: string | null) {
  return {
    limit: LIMIT,
    after: after ?? undefined,
    action: action || undefined,
    key_id: key || undefined,
    task_id: task || undefined,
  };
}

/** Reads on when it comes into sight, or when somebody presses it. */
function Older({ onSeen }: { onSeen: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const seen = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && onSeen(),
      { rootMargin: "300px" },
    );
    if (button.current) seen.observe(button.current);
    return () => seen.disconnect();
  }, []);
  return (
    <button ref={button} type="button" onClick={onSeen}>
      {says.older}
    </button>
  );
}
