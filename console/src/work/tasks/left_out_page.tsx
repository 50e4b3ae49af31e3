/** Files that somebody has left out of a library, and the way back. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { may } from "../../api/session";
import { useDoing } from "../../parts/doing";
import { useLoad } from "../../parts/load";
import { Failure, Notice } from "../../parts/notice";
import { Select } from "../../parts/select";
import { fileName } from "../../parts/times";
import { change, route } from "../../route";
import { words } from "../../words";
import { work } from "../../words/work";
import { focusOn } from "../focus";
import { Lacks } from "../lacks";
import { leaveOut, leftOutOf } from "./left_out";

type LeftOut = Schemas["LeftOutFile"];
const says = work.leftOut;

export function LeftOutPage() {
  const known = useLoad("", (signal) => ask(api.GET("/analysis-data/folders", { signal })));
  if (!may("search")) return <Lacks scope="search" />;
  if (known.error) return <Failure error={known.error} again={known.again} />;
  if (!known.data) return <p class="wait">{words.loading}</p>;
  const folders = known.data.folders.map(({ cache_dir }) => cache_dir);
  const library = route.value.params.get("dir") ?? folders[0];
  if (!library) return <Notice title={says.noLibrary} />;
  const options = Object.fromEntries([library, ...folders].map((one) => [one, one]));
  return (
    <section class="left-out" aria-labelledby="left-out">
      <h2 id="left-out" tabIndex={-1}>{says.title}</h2>
      <Select
        label={work.tasks.library}
        options={options}
        value={library}
        onChange={(dir) => change({ dir })}
      />
      <List key={library} library={library} />
    </section>
  );
}

function List({ library }: { library: string }) {
  const files = useSignal<LeftOut[]>([]);
  const next = useSignal<string | null>(null);
  const first = useLoad(library, (signal) => leftOutOf(library, undefined, signal));
  const said = useSignal("");
  const { isBusy, error, run } = useDoing();
  useEffect(() => {
    files.value = first.data?.files ?? [];
    next.value = first.data?.next ?? null;
  }, [first.data]);
  if (first.error) return <Failure error={first.error} again={first.again} />;
  if (!first.data) return <p class="wait">{words.loading}</p>;
  const more = async () => {
    const page = await leftOutOf(library, next.peek() ?? undefined);
    files.value = [...files.value, ...page.files];
    next.value = page.next ?? null;
  };
  const back = async (paths: string[]) => {
    said.value = await leaveOut(library, paths, false);
    first.again();
    focusOn("left-out"); // what was pressed is going
  };
  const mayTake = may("analyze");
  return (
    <>
      {first.data.total === 0 ? <Notice title={says.none} /> : <p>{says.count(first.data.total)}</p>}
      <p role="status">{said}</p>
      <Lacks scope="analyze" />
      {error.value != null && <Failure error={error.value} />}
      <ul class="rows" aria-label={says.title}>
        {files.value.map((file) => (
          <li key={file.media_path}>
            <span class="name" title={file.media_path}>
              {fileName(file.media_path)}
              <span class="hint">
                {[file.reason, says.by(file.by, file.at)].filter(Boolean).join(" · ")}
              </span>
            </span>
            {mayTake && (
              <button
                type="button"
                disabled={isBusy}
                aria-label={says.backOf(fileName(file.media_path))}
                onClick={() => void run(() => back([file.media_path]))}
              >
                {says.back}
              </button>
            )}
          </li>
        ))}
      </ul>
      <div class="acts">
        {mayTake && files.value.length > 1 && (
          <button
            type="button"
            disabled={isBusy}
            onClick={() => void run(() => back(files.value.map(({ media_path }) => media_path)))}
          >
            {says.allBack(files.value.length)}
          </button>
        )}
        {next.value && (
          <button type="button" disabled={isBusy} onClick={() => void run(more)}>
            {says.more}
          </button>
        )}
      </div>
    </>
  );
}
