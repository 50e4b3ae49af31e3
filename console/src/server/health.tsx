/** Whether the server can work, and what `rushes doctor` finds: problems first, each with its cure. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { may, session } from "../api/session";
import { useLoad } from "../parts/load";
import { Failure } from "../parts/notice";
import { serverWords } from "../words/server";
import { Answered, Command, Said } from "./parts";
import { usePolled } from "../parts/polling";

type Finding = Schemas["DoctorFinding"];
type Readiness = Schemas["Readiness"] | Schemas["NotReady"];

const says = serverWords.health;
const PAUSE_MS = 5000;
const LEVELS: Finding["level"][] = ["problem", "warning"];

export function HealthSection() {
  const ready = usePolled(readiness, () => PAUSE_MS);
  const sees = !session.value || may("admin");
  return (
    <>
      <Answered of={ready}>{(found) => <Ready found={found} />}</Answered>
      <h2>{says.doctor}</h2>
      {sees ? <Doctor /> : <p>{serverWords.lacks(says.doctor, "admin")}</p>}
    </>
  );
}

function Ready({ found }: { found: Readiness }) {
  const running = Object.entries(found.workers)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => severalOf(kind, count));
  return (
    <div class={found.ready ? "entry good" : "entry bad"} role="status">
      <p class="title">{found.ready ? says.ready : says.notReady}</p>
      {"message" in found && (
        <p>
          <Said text={found.message} />
        </p>
      )}
      {found.loading && <p>{says.loading}</p>}
      <p class="hint">{running.length > 0 ? says.alive(running.join(", ")) : says.nobody}</p>
    </div>
  );
}

function severalOf(kind: string, count: number): string {
  return serverWords.several(count, serverWords.workers[kind] ?? kind);
}

function Doctor() {
  const fresh = useSignal(0); // how often it was asked to look again
  const found = useLoad(`${fresh.value}`, async (signal) => {
    const query = fresh.value > 0 ? { fresh: true } : {};
    return ask(api.GET("/doctor", { params: { query }, signal }));
  });
  const shown = useSignal<Schemas["DoctorReport"] | null>(null);
  if (found.data) shown.value = found.data;
  const isLooking = !found.data && found.error == null;
  const answer = shown.value;
  return (
    <>
      <div class="buttons">
        <button type="button" disabled={isLooking} onClick={() => (fresh.value += 1)}>
          {serverWords.refresh}
        </button>
        <p class="hint" role="status">
          {isLooking ? says.looking : answer && says.lookedAt(answer.host, answer.checked_at)}
        </p>
      </div>
      {found.error != null && <Failure error={found.error} />}
      {answer && <Findings findings={answer.findings} />}
      <p class="hint">
        {says.foot} <Command text={says.command} />
      </p>
    </>
  );
}

function Findings({ findings }: { findings: Finding[] }) {
  const wrong = LEVELS.flatMap((level) => findings.filter((one) => one.level === level));
  const fine = findings.filter(({ level }) => level === "ok");
  const count = (level: string) => findings.filter((one) => one.level === level).length;
  return (
    <>
      <p>
        <strong>{says.problems(count("problem"))}</strong>
        {count("warning") > 0 && `, ${says.warnings(count("warning"))}`}
      </p>
      {wrong.length > 0 && (
        <ul class="entries">
          {wrong.map((finding, place) => (
            <li key={place} class={finding.level === "problem" ? "entry bad" : "entry warn"}>
              <p class="title">
                {says.levels[finding.level]}: {finding.subject}
              </p>
              <p>
                <Said text={asSentence(finding.message)} />
              </p>
              {finding.cure && (
                <p>
                  <strong>{says.cure}</strong> <Said text={finding.cure} />
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
      {fine.length > 0 && (
        <details>
          <summary>{says.fine(fine.length)}</summary>
          <ul class="plain">
            {fine.map(({ subject, message }, place) => (
              <li key={place}>
                <strong>{subject}</strong>: <Said text={message} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

/** Messages of checks are halves of sentences. */
function asSentence(message: string): string {
  const ends = /[.!?]$/.test(message) ? "" : ".";
  return message.charAt(0).toUpperCase() + message.slice(1) + ends;
}

/** 503 is an answer here, too: it says what is missing. */
async function readiness(signal: AbortSignal): Promise<Readiness> {
  const asked = api.GET("/ready", { params: { query: { require: "models,roots" } }, signal });
  return ask(
    asked.then((answer) => {
      const { error, response } = answer;
      if (response.status !== 503 || !error || !("checks" in error)) return answer;
      return { data: error, response: new Response() };
    }),
  );
}
