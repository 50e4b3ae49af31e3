/** How much of the folder is analyzed, and what is missing, why. */
import { useComputed } from "@preact/signals";
import { type Coverage, coverage } from "./asking/coverage";
import { isSpokenOnly } from "./asking/request";
import { asked } from "./asking/results";
import { words } from "../words";

const says = words.search.coverage;
const PARTS = ["waiting", "failed", "left_out", "other_models", "unknown", "offline"] as const;
const STATES = {
  waiting: "waiting",
  failed: "failed",
  left_out: "left_out",
  other_models: "other_model",
  unknown: "unknown",
  offline: "offline",
};

const NOTHING = { files: 0, hours: 0 }; // left out: only told where there is something

export function CoverageBar() {
  const sentence = useComputed(() => (coverage.value ? sentenceOf(coverage.value) : ""));
  const known = coverage.value;
  if (!known) return null;
  const missing = PARTS.filter((part) => (known[part]?.files ?? 0) > 0);
  return (
    <div class="coverage">
      <span class="bar" aria-hidden="true">
        <span style={{ width: `${100 * shareOf(known)}%` }} />
      </span>
      <p role="status">{sentence}</p>
      {missing.length > 0 && (
        <details>
          <summary>{says.details}</summary>
          <dl>
            {missing.map((part) => (
              <Missing key={part} part={part} coverage={known} />
            ))}
          </dl>
        </details>
      )}
    </div>
  );
}

function Missing({ part, coverage }: { part: (typeof PARTS)[number]; coverage: Coverage }) {
  const { files, hours } = coverage[part] ?? NOTHING;
  const reasons = coverage.reasons.filter(({ state }) => state === STATES[part]);
  return (
    <div>
      <dt>{says[part]}</dt>
      <dd>
        {says.files(files, hours)}
        {reasons.length > 0 && (
          <ul>
            {reasons.map(({ reason, files, examples }) => (
              <li key={reason}>
                {says.reason(reason, files)}
                {examples.length > 0 && <span class="hint"> {says.example(examples)}</span>}
              </li>
            ))}
          </ul>
        )}
      </dd>
    </div>
  );
}

/** By hours; by files where something has no length that is known. What is left out is not to be done. */
export function shareOf({ asked, searched, left_out = NOTHING }: Coverage): number {
  if (asked.files === 0) return 0;
  const [files, hours] = [asked.files - left_out.files, asked.hours - left_out.hours];
  if (searched.files === files) return 1;
  const byHours = hours > 0 && searched.hours < hours;
  return byHours ? searched.hours / hours : searched.files / files;
}

/** In whole percent; never 100 where something is missing, nor 0 where something is there. */
export function percentOf(share: number): string {
  const percent = Math.round(share * 100);
  if (share < 1 && percent === 100) return "99";
  return share > 0 && percent === 0 ? "less than 1" : String(percent);
}

function sentenceOf(known: Coverage): string {
  if (known.asked.files === 0) return says.nothing;
  const part = isSpokenOnly(asked.value) ? says.said : says.seen;
  const speakers = asked.value.query.speaker && known.speakers ? says.speakers(known.speakers.files) : "";
  return [part(percentOf(shareOf(known))), speakers].filter(Boolean).join("; ");
}
