/** One model: what it is, whether it is there, and how its fetch goes. */
import type { Schemas } from "../api/client";
import { serverWords } from "../words/server";
import { FetchState, type Fetching, isUnderWay } from "./fetch_state";
import { Fact, Facts, Said } from "./parts";

export type Kind = keyof typeof serverWords.models.kinds;
export type Model = Schemas["AvailableModel"];

interface ModelCardProps {
  model: Model;
  loaded: Schemas["LoadedModel"];
  fetches: Fetching[]; // of this model, one a machine
  onAsk?: (to: "load" | "fetch") => void; // left out: the key may not
}

const says = serverWords.models;

export function ModelCard({ model, loaded, fetches, onAsk }: ModelCardProps) {
  const { display_name: name, model_key: key } = model;
  const isIn = loaded.model_key === key;
  const canLoad = model.is_downloaded && !model.unsupported && !(isIn && model.is_active);
  return (
    <li class="entry" aria-label={name}>
      <p class="title">
        {name} <Badges model={model} isLoaded={isIn} isLoading={isIn && loaded.is_loading} />
      </p>
      <Facts>
        <Fact name={says.facts.key}>{key}</Fact>
        <Fact name={says.facts.licence}>
          {model.licence} (<Commercial of={model} />)
        </Fact>
        <Fact name={says.facts.size}>
          {model.size_bytes === null ? says.unknownSize : serverWords.size(model.size_bytes)}
        </Fact>
        {model.limits && <Fact name={says.facts.limits}>{model.limits}</Fact>}
        <Fact name={says.facts.source}>{model.source}</Fact>
      </Facts>
      {model.unsupported && (
        <p class="error">
          <Said text={model.unsupported} />
        </p>
      )}
      {fetches
        .filter(({ state }) => state !== "done" || !model.is_downloaded) // of one that ended well the model tells
        .map((one) => (
          <FetchState key={one.host} fetching={one} name={name} />
        ))}
      <div class="buttons">
        {onAsk && canLoad && (
          <button type="button" aria-label={says.loadIt(name)} onClick={() => onAsk("load")}>
            {says.load}
          </button>
        )}
        {onAsk && !model.is_downloaded && !fetches.some(isUnderWay) && (
          <button type="button" aria-label={says.fetchIt(name)} onClick={() => onAsk("fetch")}>
            {says.fetch}
          </button>
        )}
      </div>
    </li>
  );
}

interface BadgesProps {
  model: Model;
  isLoaded: boolean;
  isLoading: boolean;
}

function Badges({ model, isLoaded, isLoading }: BadgesProps) {
  const shown = [
    model.is_active && says.badges.active,
    isLoading ? says.badges.loading : isLoaded && says.badges.loaded,
    model.is_downloaded ? says.badges.downloaded : says.badges.absent,
    model.unsupported && says.badges.unsupported,
  ].filter(Boolean);
  return (
    <span class="badges">
      {shown.map((one) => (
        <span key={one} class={one === says.badges.active ? "badge good" : "badge"}>
          {one}
        </span>
      ))}
    </span>
  );
}

function Commercial({ of }: { of: Model }) {
  if (of.commercial_use === null) return <>{says.unknownCommercial}</>;
  if (of.commercial_use) return <>{says.commercial}</>;
  return <strong class="error">{says.notCommercial}</strong>;
}
