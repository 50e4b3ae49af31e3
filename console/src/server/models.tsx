/** The models by kind: what each is, what is active, and what may be loaded or fetched. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { may, session } from "../api/session";
import { serverWords } from "../words/server";
import { FetchState, type Fetching, isUnderWay } from "./fetch_state";
import { type Kind, ModelCard, type Model } from "./model_card";
import { FetchFirst, LoadFirst } from "./model_dialogs";
import { Answered } from "./parts";
import { usePolled } from "../parts/polling";

interface Models {
  available: Record<Kind, Model[]>;
  loaded: Schemas["LoadedModels"];
  fetches: Fetching[];
}

const says = serverWords.models;
const PAUSE_MS = 10_000;
const SOON_MS = 1000; // while something is loading or fetched

export function ModelsSection() {
  const found = usePolled(models, (data) => (data && isChanging(data) ? SOON_MS : PAUSE_MS));
  const asked = useSignal<{ kind: Kind; model: Model; to: "load" | "fetch" } | null>(null);
  const mayChange = !session.value || may("models");
  const close = () => (asked.value = null);
  const act = async (deed: () => Promise<unknown>) => {
    await deed();
    found.again();
  };
  return (
    <>
      <p class="hint">{says.hint}</p>
      {!mayChange && <p>{serverWords.lacks(says.cannotChange, "models")}</p>}
      <Answered of={found}>
        {(data) => (
          <>
            {(Object.keys(says.kinds) as Kind[]).map((kind) => (
              <section key={kind} aria-label={says.kinds[kind]}>
                <h2>{says.kinds[kind]}</h2>
                {data.available[kind].length === 0 && <p>{says.none}</p>}
                <ul class="entries">
                  {data.available[kind].map((model) => (
                    <ModelCard
                      key={model.model_key}
                      model={model}
                      loaded={data.loaded[kind]}
                      fetches={fetchesOf(data.fetches, model.model_key)}
                      onAsk={mayChange ? (to) => (asked.value = { kind, model, to }) : undefined}
                    />
                  ))}
                </ul>
              </section>
            ))}
            <OtherFetches of={data} />
          </>
        )}
      </Answered>
      {asked.value?.to === "load" && <LoadFirst {...asked.value} onAct={act} onClose={close} />}
      {asked.value?.to === "fetch" && <FetchFirst {...asked.value} onAct={act} onClose={close} />}
    </>
  );
}

async function models(signal: AbortSignal): Promise<Models> {
  const [available, loaded, { fetches }] = await Promise.all([
    ask(api.GET("/models/available", { signal })),
    ask(api.GET("/models/loaded", { signal })),
    may("models") ? ask(api.GET("/models/fetches", { signal })) : { fetches: [] },
  ]);
  return { available, loaded, fetches };
}

function isChanging({ loaded, fetches }: Models): boolean {
  const isLoading = Object.values(loaded).some(({ is_loading }) => is_loading);
  return isLoading || fetches.some(isUnderWay);
}

/** Fetches of a model, on each machine the one that was begun last. The newest come first. */
function fetchesOf(fetches: Fetching[], key: string): Fetching[] {
  const own = fetches.filter(({ model_key }) => model_key === key);
  return own.filter((one, place) => own.findIndex(({ host }) => host === one.host) === place);
}

/** Of models that this server knows by nothing but their name. */
function OtherFetches({ of }: { of: Models }) {
  const known = Object.values(of.available).flatMap((some) => some.map((one) => one.model_key));
  const keys = new Set(of.fetches.map(({ model_key }) => model_key));
  const others = [...keys].filter((key) => !known.includes(key));
  if (others.length === 0) return null;
  return (
    <section aria-label={says.others}>
      <h2>{says.others}</h2>
      <ul class="entries">
        {others.map((key) => (
          <li key={key} class="entry" aria-label={key}>
            <p class="title">{key}</p>
            {fetchesOf(of.fetches, key).map((one) => (
              <FetchState key={one.host} fetching={one} name={key} />
            ))}
          </li>
        ))}
      </ul>
    </section>
  );
}
