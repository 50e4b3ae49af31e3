/** One person: a name, all faces, all scenes. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Refusal } from "../../api/client";
import { may } from "../../api/session";
import { type Key, useKeys } from "../../keys";
import { Failure, Notice } from "../../parts/notice";
import { useTitle } from "../../parts/title";
import { change, go, route } from "../../route";
import { Wall } from "../../search/wall/wall";
import { words } from "../../words";
import { says } from "../../words/people";
import { PickPerson } from "../dialogs/pick_person";
import { Face } from "../grid/face";
import { beginName, draft, endName, leaveNames } from "../naming/draft";
import { NameField } from "../naming/name_field";
import { MergeNamed } from "../naming/same_person";
import { whoBecame } from "../state/became";
import { byId, type Cast, cast, casts, castsError, type Cluster, dir, load, NOBODY } from "../state/cast";
import { called, dismiss, isChanging, known, merge, message, namesOf, undo } from "../state/changes";
import { wantPictures } from "../state/face_pictures";
import { hrefToPeople, hrefToSearch } from "../state/places";
import { Faces } from "./faces";
import { loadScenes, moreScenes, scenes, scenesError } from "./scenes";
import { Voices } from "./voices";

const TABS = ["faces", "voices", "scenes"] as const;
type Tab = (typeof TABS)[number];

const nobody = (faces: number, voices: number): Cluster => ({ id: NOBODY, name: "", faces, seconds: 0, stills: 0, files: 0, voices, spoken: 0 });

export function PersonPage() {
  const id = route.value.params.get("id") ?? "";
  const shown = cast.value;
  const person = id === NOBODY ? nobody(shown?.loose ?? 0, shown?.looseVoices ?? 0) : byId.value.get(id);
  if (!casts.value) {
    if (castsError.value) return <Failure error={castsError.value} again={() => void load()} />;
    return <p class="wait">{words.loading}</p>;
  }
  return shown && person ? <Person cast={shown} person={person} /> : <Gone id={id} />;
}

const undoKey: Key = { keys: ["u", "Control+z"], what: says.keys.undo, run: () => void undo() };

/** They may be a part of somebody else by now. */
function Gone({ id }: { id: string }) {
  const { collection = "" } = cast.value ?? {};
  useEffect(() => {
    whoBecame(collection, id)
      .then((now) => {
        if (!now || route.peek().params.get("id") !== id) return;
        change({ id: now }, true);
        message.value ??= { text: says.did.became(called(now)) };
      })
      .catch((error: unknown) => {
        if (!(error instanceof Refusal)) throw error; // what is shown says so already
      });
  }, [id, collection]);
  useKeys(says.keys.person, may("people") ? [undoKey] : []);
  return (
    <Notice title={says.missing.person}>
      <p>{says.missing.personHow}</p>
      <a href={hrefToPeople(dir.value, collection)}>{says.missing.all}</a>
    </Notice>
  );
}

function Person({ cast, person }: { cast: Cast; person: Cluster }) {
  const { id, faces, voices } = person;
  const isNobody = id === NOBODY;
  const title = isNobody ? says.nobodyTitle : person.name || says.unnamed;
  const tabs = tabsOf(person);
  const tab = tabs.find((one) => one === route.value.params.get("tab")) ?? tabs[0] ?? "faces";
  const back = hrefToPeople(dir.value, cast.collection);
  useEffect(() => {
    wantPictures("person", isNobody ? [] : [person]);
    return () => wantPictures("person", []);
  }, [id, faces]);
  useTitle(title);
  const isPlaying = route.value.params.has("play");
  const keys = [
    { keys: ["Backspace"], what: says.keys.back, run: () => go("people", new URLSearchParams({ dir: dir.peek(), collection: cast.collection })) },
    ...(tabs.length < 2 ? [] : [{ keys: ["v"], what: says.keys.tab, run: () => showTab(tabs[(tabs.indexOf(tab) + 1) % tabs.length] ?? tab) }]),
    ...(tab === "scenes" && may("people") ? [undoKey] : []),
  ];
  useKeys(says.keys.person, isPlaying ? [] : keys);
  return (
    <div class="person">
      <p>
        <a href={back}>← {says.person.back}</a> <span class="hint">{cast.collection}</span>
      </p>
      {!may("people") && <p class="only-look">{says.missing.onlyLook}</p>}
      <header>
        {!isNobody && (
          <span class="portrait">
            <Face person={person} />
          </span>
        )}
        <div>
          <h1>{title}</h1>
          <p class="hint">
            {isNobody ? says.looseHint : `${says.facts(person)} · ${says.parts(person)}`}
          </p>
          {!isNobody && <PersonActions cast={cast} person={person} />}
        </div>
      </header>
      {tabs.length > 1 && <Tabs tabs={tabs} shown={tab} person={person} />}
      {tab === "scenes" && <Scenes cast={cast} person={person} />}
      {tab === "voices" && <Voices collection={cast.collection} id={id} name={title} edition={`${cast.lastEdit} ${voices}`} />}
      {tab === "faces" && <Faces collection={cast.collection} id={id} name={title} count={faces} edition={`${cast.lastEdit} ${faces}`} />}
    </div>
  );
}

function PersonActions({ cast, person }: { cast: Cast; person: Cluster }) {
  const { id, name } = person;
  const { actions } = says;
  const isPicking = useSignal(false);
  const asked = useSignal<{ target: string; knownEdit: string } | null>(null); // with another name
  useEffect(() => leaveNames, []);
  function mergeWith(other: string): void {
    isPicking.value = false;
    if (namesOf([other, id]).length > 1) asked.value = { target: other, knownEdit: known() };
    else void merge([id], other).then((isDone) => isDone && change({ id: other }, true));
  }
  async function drop(): Promise<void> {
    if (await dismiss([id])) go("people", new URLSearchParams({ dir: dir.peek(), collection: cast.collection }));
  }
  return (
    <div class="person-actions">
      {name && <a href={hrefToSearch(dir.value, cast.collection, name, person.faces > 0)}>{actions.search(name)}</a>}
      {may("people") && (
        <>
          {draft.value?.id === id ? (
            <NameField ids={[id]} name={name} draft={draft.value.typed} onEnd={() => endName(id)} />
          ) : (
            <button type="button" onClick={() => beginName(id)}>
              {name ? actions.rename : actions.name}
            </button>
          )}
          <button type="button" onClick={() => (isPicking.value = true)}>
            {actions.mergeWith}
          </button>
          <button type="button" disabled={isChanging} onClick={() => void drop()}>
            {actions.dismiss}
          </button>
        </>
      )}
      {isPicking.value && (
        <PickPerson title={says.pick.mergeTitle} without={[id]} onPick={mergeWith} onClose={() => (isPicking.value = false)} />
      )}
      {asked.value && <MergeNamed ids={[id]} {...asked.value} onEnd={() => (asked.value = null)} />}
    </div>
  );
}

/** What there is of somebody; faces come first where there are any. */
function tabsOf({ id, faces, voices }: Cluster): Tab[] {
  const isThere = { faces: faces > 0 || voices === 0, voices: voices > 0, scenes: id !== NOBODY && (faces > 0 || voices === 0) };
  return TABS.filter((one) => isThere[one]);
}

function showTab(tab: Tab): void {
  change({ tab }, true);
}

function Tabs({ tabs, shown, person }: { tabs: Tab[]; shown: Tab; person: Cluster }) {
  const counts = { faces: person.faces, voices: person.voices, scenes: null };
  const text = (tab: Tab) => (counts[tab] === null ? says.person[tab] : `${says.person[tab]} (${words.number(counts[tab])})`);
  return (
    <div class="tabs" role="group" aria-label={says.person.tabs}>
      {tabs.map((tab) => (
        <button key={tab} type="button" aria-pressed={tab === shown} onClick={() => showTab(tab)}>
          {text(tab)}
        </button>
      ))}
    </div>
  );
}

function Scenes({ cast, person }: { cast: Cast; person: Cluster }) {
  const { id, name, faces, seconds, stills, files } = person;
  const again = () => void loadScenes(dir.peek(), cast.collection, id);
  useEffect(again, [cast.collection, id, name, faces, seconds, stills, files]); // what others change elsewhere does not matter
  const shown = scenes.value;
  const failed = scenesError.value != null && <Failure error={scenesError.value} again={again} />;
  if (!shown) return failed || <p class="wait">{says.person.searching}</p>;
  if (shown.hits.length === 0) return failed || <Notice title={says.person.noScenes} />;
  return (
    <>
      {failed}
      <p class="found">{says.person.count(shown.hits.length, !shown.next)}</p>
      <Wall found={shown} more={moreScenes} />
    </>
  );
}
