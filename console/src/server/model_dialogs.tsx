/** What loading or fetching a model means, before it is done. */
import { useSignal } from "@preact/signals";
import { api, ask } from "../api/client";
import { serverWords } from "../words/server";
import type { Kind, Model } from "./model_card";
import { AskFirst } from "./parts";

interface ModelDialogProps {
  kind: Kind;
  model: Model;
  onAct: (deed: () => Promise<unknown>) => Promise<void>;
  onClose: () => void;
}

const says = serverWords.models;

export function LoadFirst({ kind, model, onAct, onClose }: ModelDialogProps) {
  const body = { model_key: model.model_key, model_type: kind };
  return (
    <AskFirst
      title={says.loadTitle(model.display_name)}
      button={says.load}
      isGood
      act={() => onAct(() => ask(api.POST("/models/load", { body })))}
      onClose={onClose}
    >
      <p>{says.means[kind]}</p>
    </AskFirst>
  );
}

export function FetchFirst({ model, onAct, onClose }: ModelDialogProps) {
  const agrees = useSignal(false);
  const body = { model_key: model.model_key };
  const isFree = model.commercial_use === true;
  const size = model.size_bytes === null ? null : serverWords.size(model.size_bytes);
  return (
    <AskFirst
      title={says.fetchTitle(model.display_name)}
      button={says.fetch}
      isGood
      isBlocked={!isFree && !agrees.value}
      act={() => onAct(() => ask(api.POST("/models/fetch", { body })))}
      onClose={onClose}
    >
      <p>{says.fetchMeans(size)}</p>
      <p>{says.licence(model.licence)}</p>
      {!isFree && (
        <>
          <p>
            <strong>{model.commercial_use === null ? says.unknownCommercial : says.licenceForbids}</strong>
          </p>
          <label class="check">
            <input
              type="checkbox"
              checked={agrees.value}
              onChange={(event) => (agrees.value = event.currentTarget.checked)}
            />
            {says.agree}
          </label>
        </>
      )}
    </AskFirst>
  );
}
