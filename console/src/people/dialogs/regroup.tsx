/** How the faces of a collection are grouped anew: two numbers in words, or good ones by themselves. */
import { useSignal } from "@preact/signals";
import { api, ask } from "../../api/client";
import { Dialog } from "../../parts/dialog";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { says } from "../../words/people";
import { type Cast, dir } from "../state/cast";
import { beginRegrouping } from "./regrouping_now";

const USUAL_EPS = 0.48; // as the API takes it where nothing is said

export function Regroup({ cast, onClose }: { cast: Cast; onClose: () => void }) {
  const isAuto = useSignal(false);
  const eps = useSignal(cast.eps || USUAL_EPS);
  const samples = useSignal(String(cast.minSamples || 5));
  const fault = useSignal("");
  const { isBusy, error, run } = useDoing();
  const say = says.regroup;

  async function start(): Promise<void> {
    const count = Number(samples.value);
    fault.value = isAuto.value || (Number.isInteger(count) && count >= 1) ? "" : say.number;
    if (fault.value) return;
    await run(async () => {
      const numbers = isAuto.value ? { auto_detect_params: true } : { eps: eps.value, min_samples: count };
      const body = { cache_dir: dir.peek(), cluster_job_name: cast.collection, ...numbers };
      const { task_id } = await ask(api.POST("/faces/recluster", { body }));
      beginRegrouping(task_id, cast);
      onClose();
    });
  }

  return (
    <Dialog title={say.title} onClose={onClose}>
      <form
        class="regroup"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <p class="hint">{say.hint}</p>
        <label class="check">
          <input type="checkbox" checked={isAuto} onChange={(event) => (isAuto.value = event.currentTarget.checked)} />
          {say.auto}
        </label>
        <p class="hint">{say.autoHint}</p>
        <label>
          {say.eps}
          <input
            type="range"
            min="0.3"
            max="0.7"
            step="0.01"
            disabled={isAuto}
            value={eps}
            aria-describedby="eps-hint"
            onInput={(event) => (eps.value = Number(event.currentTarget.value))}
          />
        </label>
        <p id="eps-hint" class="hint">
          {eps.value.toFixed(2)}: {say.epsHint(eps.value, USUAL_EPS)}
        </p>
        <label>
          {say.samples}
          <input
            type="number"
            min="1"
            disabled={isAuto}
            value={samples}
            aria-describedby="samples-hint"
            onInput={(event) => (samples.value = event.currentTarget.value)}
          />
        </label>
        <p id="samples-hint" class="hint">
          {say.samplesHint(Number(samples.value) || 0)}
        </p>
        <p class="error" role="alert">
          {fault}
        </p>
        {error.value != null && <Failure error={error.value} />}
        <button type="submit" class="primary" disabled={isBusy}>
          {say.start}
        </button>
      </form>
    </Dialog>
  );
}
