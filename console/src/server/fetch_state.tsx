/** How the fetching of a model goes on one machine. */
import type { Schemas } from "../api/client";
import { serverWords } from "../words/server";
import { Said } from "./parts";

export type Fetching = Schemas["ModelFetch"];

const says = serverWords.models;

export function isUnderWay({ state }: Fetching): boolean {
  return state === "waiting" || state === "running";
}

export function FetchState({ fetching, name }: { fetching: Fetching; name: string }) {
  const { state, bytes, total_bytes: all, message, host } = fetching;
  const goesOn = isUnderWay(fetching);
  return (
    <div class="fetch">
      {goesOn && (
        <progress
          aria-label={says.progress(name)}
          max={all ?? undefined}
          value={all ? Math.min(bytes, all) : undefined}
        />
      )}
      <p role={state === "failed" ? "alert" : "status"} class={state === "failed" ? "error" : undefined}>
        {says.states[state]}
        {goesOn && bytes > 0 && ` ${says.of(bytes, all)}`}
        {host && ` ${says.onHost(host)}`}
        {message && ": "}
        {message && <Said text={message} />}
      </p>
    </div>
  );
}
