/** What an analysis will cost, told before it can be begun. */
import { api, ask, type Schemas } from "../../api/client";
import { useLoad } from "../../parts/load";
import { Failure } from "../../parts/notice";
import { hrefOf } from "../../route";
import { words } from "../../words";
import { work } from "../../words/work";
import { isAbsolute } from "../browser/paths";
import { chosen, library, parts } from "./choice";
import { useSettled } from "../settled";
import { lacking } from "./parts";
import { begun, start, startError, starting } from "./start";

const says = work.analyze;

type Question = Schemas["EstimateBody"];

export function Cost() {
  const lacks = whatLacks();
  const asked = useSettled(lacks ? "" : JSON.stringify(question()), lacks ? "" : "asked");
  return (
    <div class="cost">
      <h3>{says.cost}</h3>
      {lacks ? <p class="hint">{lacks}</p> : <Asked asked={asked} />}
      <Starting />
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

function Asked({ asked }: { asked: string }) {
  const body = JSON.parse(asked) as Question;
  const { data, error, again } = useLoad(asked, (signal) => ask(api.POST("/analyze/estimate", { body, signal })));
  if (error != null) return <Failure error={error} again={again} />;
  if (!data) return <p class="wait">{says.counting}</p>;
  return (
    <>
      <Figures estimate={data} />
      <Begin estimate={data} body={body} />
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
    hours !== 0 && (hours == null ? says.unknown : says.hours(hours, hours_are === "known")), // stills last no time
    work.bytes(estimate.bytes),
  ].filter(Boolean);
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

function Begin({ estimate, body }: { estimate: Schemas["Estimate"]; body: Question }) {
  const { files, is_partial } = estimate;
  if (files.total === 0 && !is_partial) return <p role="status">{says.noFiles}</p>;
  const isOld = JSON.stringify(body) !== JSON.stringify(question()); // something else is chosen since
  return (
    <>
      {files.new === 0 && !is_partial && <p class="hint">{says.nothingNew}</p>}
      <button type="button" class="primary" disabled={isOld || starting.value !== null} onClick={() => void start(body)}>
        {says.begin}
      </button>
    </>
  );
}

/** What is begun just now, also where something else is chosen since. */
function Starting() {
  const now = starting.value;
  return (
    <>
      <p role="status">{now?.told}</p>
      {now?.stop && (
        <button type="button" onClick={now.stop}>
          {words.cancel}
        </button>
      )}
      {begun.value && (
        <a href={hrefOf("work", new URLSearchParams({ task: begun.value }))}>{says.begun}</a>
      )}
      {startError.value != null && <Failure error={startError.value} />}
    </>
  );
}
