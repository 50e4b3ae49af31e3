/** What an analysis will cost, told before it can be begun. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { useDoing } from "../../parts/doing";
import { useLoad } from "../../parts/load";
import { Failure } from "../../parts/notice";
import { go } from "../../route";
import { work } from "../../words/work";
import { isAbsolute } from "../browser/paths";
import { begin } from "./beginning";
import { chosen, library, parts } from "./choice";
import { lacking } from "./parts";

const SETTLE_MS = 400; // while somebody still chooses
const says = work.analyze;

type Question = Schemas["EstimateBody"];

export function Cost() {
  const lacks = whatLacks();
  const asked = useSettled(lacks ? "" : JSON.stringify(question()));
  return (
    <div class="cost">
      <h3>{says.cost}</h3>
      {lacks ? <p class="hint">{lacks}</p> : asked === "" ? <p class="wait">{says.counting}</p> : <Asked asked={asked} />}
    </div>
  );
}

function whatLacks(): string {
  if (chosen.value.size === 0) return says.none;
  if (!isAbsolute(library.value.trim())) return says.noLibrary;
  return lacking(parts.value);
}

function question(): Question {
  const { pictures, speech, faces } = parts.value;
  const paths = [...chosen.value.keys()].sort();
  return { cache_dir: library.value.trim(), paths, visual: pictures, speech, faces };
}

/** A text once it has not changed for a moment; "" at once. */
function useSettled(text: string): string {
  const settled = useSignal("");
  useEffect(() => {
    if (text === "") settled.value = "";
    const timer = setTimeout(() => (settled.value = text), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return text === "" ? "" : settled.value;
}

function Asked({ asked }: { asked: string }) {
  const { data, error, again } = useLoad(asked, (signal) => {
    const body = JSON.parse(asked) as Question;
    return ask(api.POST("/analyze/estimate", { body, signal }));
  });
  if (error != null) return <Failure error={error} again={again} />;
  if (!data) return <p class="wait">{says.counting}</p>;
  return (
    <>
      <Figures estimate={data} />
      <Begin estimate={data} />
    </>
  );
}

function Figures({ estimate }: { estimate: Schemas["Estimate"] }) {
  const { files, hours, hours_are, seconds, disk_bytes, basis, waits, is_partial, warnings } = estimate;
  const counted = [
    says.filesOf(files.new, files.analyzed),
    files.left_out > 0 && says.leftOut(files.left_out),
    files.unsupported > 0 && says.unsupported(files.unsupported),
  ].filter(Boolean);
  const footage = [
    hours == null ? says.unknown : says.hours(hours, hours_are === "known"),
    work.bytes(estimate.bytes),
  ];
  const rows: [string, string][] = [
    [says.files, counted.join("; ")],
    [says.footage, footage.join(", ")],
    [says.time, seconds == null ? says.unknown : says.timeOf(seconds)],
    [says.disk, disk_bytes == null ? says.unknown : says.diskOf(disk_bytes)],
  ];
  return (
    <>
      <dl class="facts in-line" aria-label={says.cost}>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">{basis}</p>
      {waits && <p class="reason">{waits}</p>}
      {is_partial && <p class="reason">{says.partial}</p>}
      {warnings.map((warning) => (
        <p key={warning} class="reason">
          {warning}
        </p>
      ))}
    </>
  );
}

function Begin({ estimate }: { estimate: Schemas["Estimate"] }) {
  const { isBusy, error, run } = useDoing();
  const told = useSignal("");
  const { files, is_partial } = estimate;
  if (files.total === 0 && !is_partial) return <p role="status">{says.noFiles}</p>;
  const start = async () => {
    const body = question();
    const task = await begin([...body.paths], body.cache_dir, parts.peek(), (text) => (told.value = text));
    chosen.value = new Map();
    go("work", new URLSearchParams({ task }));
  };
  return (
    <>
      {files.new === 0 && !is_partial && <p class="hint">{says.nothingNew}</p>}
      <button type="button" class="primary" disabled={isBusy} onClick={() => void run(start)}>
        {says.begin}
      </button>
      <p role="status">{isBusy.value && told.value}</p>
      {error.value != null && <Failure error={error.value} />}
    </>
  );
}
