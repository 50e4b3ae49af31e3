/** One person: a name, all faces, all scenes. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, Refusal } from "../../api/client";
import { may } from "../../api/session";
import { type Key, useKeys } from "../../keys";
import { Failure, Notice } from "../../parts/notice";
import { change, go, route } from "../../route";
import { Wall } from "../../search/wall/wall";
import { words } from "../../words";
import { says } from "../../words/people";
import { PickPerson } from "../dialogs/pick_person";
import { Face } from "../grid/person_tile";
import { NameField } from "../naming/name_field";
import { MergeNamed } from "../naming/same_person";
import { byId, type Cast, cast, casts, castsError, type Cluster, dir, load, NOBODY } from "../state/cast";
import { called, dismiss, isChanging, known, merge, message, namesOf, undo } from "../state/changes";
import { wantPictures } from "../state/face_pictures";
import { hrefToPeople, hrefToSearch } from "../state/places";
import { Faces } from "./faces";
import { loadScenes, moreScenes, scenes, scenesError } from "./scenes";

const nobody = (faces: number): Cluster => ({ id: NOBODY, name: "", faces, seconds: 0, stills: 0, files: 0 });

export function PersonPage() {
  const id = route.value.params.get("id") ?? "";
  const shown = cast.value;
  const person = id === NOBODY ? nobody(shown?.loose ?? 0) : byId.value.get(id);
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
    const where = { cache_dir: dir.peek(), cluster_job_name: collection };
    ask(api.POST("/faces/clusters/faces", { body: { ...where, cluster_id: id, limit: 1 } }))
      .then(({ faces: [face] }) => {
        if (!face || face.cluster_id === id || face.cluster_id === NOBODY) return;
        change({ id: face.cluster_id }, true);
        message.value ??= { text: says.did.became(called(face.cluster_id)), isUndoable: may("people") };
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
  const { id, faces } = person;
  const isNobody = id === NOBODY;
  const title = isNobody ? says.nobodyTitle : person.name || says.unnamed;
  const isScenes = !isNobody && route.value.params.get("tab") === "scenes";
  const back = hrefToPeople(dir.value, cast.collection);
  useEffect(() => {
    wantPictures("person", isNobody ? [] : [person]);
    return () => wantPictures("person", []);
  }, [id, faces]);
  useEffect(() => void (document.title = `${title} · ${words.name}`), [title]);
  const isPlaying = route.value.params.has("play");
  const keys = [
    { keys: ["Backspace"], what: says.keys.back, run: () => go("people", new URLSearchParams({ dir: dir.peek(), collection: cast.collection })) },
    ...(isNobody ? [] : [{ keys: ["v"], what: says.keys.tab, run: () => showTab(!isScenes) }]),
    ...(isScenes && may("people") ? [undoKey] : []),
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
            <Face id={id} />
          </span>
        )}
        <div>
          <h1>{title}</h1>
          <p class="hint">
            {isNobody ? says.looseHint : `${says.facts(person.seconds, person.stills, person.files)} · ${says.faces(faces)}`}
          </p>
          {!isNobody && <PersonActions cast={cast} person={person} />}
        </div>
      </header>
      {!isNobody && <Tabs isScenes={isScenes} faces={faces} />}
      {isScenes ? (
        <Scenes cast={cast} person={person} />
      ) : (
        <Faces collection={cast.collection} id={id} name={title} count={faces} edition={`${cast.lastEdit} ${faces}`} />
      )}
    </div>
  );
}

function PersonActions({ cast, person }: { cast: Cast; person: Cluster }) {
  const { id, name } = person;
  const { actions } = says;
  const open = useSignal<"" | "name" | "pick">("");
  const target = useSignal(""); // with another name
  const close = () => {
    open.value = "";
    target.value = "";
  };
  function mergeWith(other: string): void {
    open.value = "";
    if (namesOf([other, id]).length > 1) target.value = other;
    else void merge([id], other).then((isDone) => isDone && change({ id: other }, true));
  }
  async function drop(): Promise<void> {
    if (await dismiss([id])) go("people", new URLSearchParams({ dir: dir.peek(), collection: cast.collection }));
  }
  return (
    <div class="person-actions">
      {name && <a href={hrefToSearch(dir.value, cast.collection, name)}>{actions.search(name)}</a>}
      {may("people") && (
        <>
          {open.value === "name" ? (
            <NameField ids={[id]} name={name} onEnd={close} />
          ) : (
            <button type="button" onClick={() => (open.value = "name")}>
              {name ? actions.rename : actions.name}
            </button>
          )}
          <button type="button" onClick={() => (open.value = "pick")}>
            {actions.mergeWith}
          </button>
          <button type="button" disabled={isChanging} onClick={() => void drop()}>
            {actions.dismiss}
          </button>
        </>
      )}
      {open.value === "pick" && (
        <PickPerson title={says.pick.mergeTitle} without={[id]} onPick={mergeWith} onClose={close} />
      )}
      {target.value && <MergeNamed ids={[id]} target={target.value} knownEdit={known()} onEnd={close} />}
    </div>
  );
}

function showTab(isScenes: boolean): void {
  change({ tab: isScenes ? "scenes" : null }, true);
}

function Tabs({ isScenes, faces }: { isScenes: boolean; faces: number }) {
  const tab = (is: boolean, text: string) => (
    <button type="button" aria-pressed={is === isScenes} onClick={() => showTab(is)}>
      {text}
    </button>
  );
  return (
    <div class="tabs" role="group" aria-label={says.person.tabs}>
      {tab(false, `${says.person.faces} (${words.number(faces)})`)}
      {tab(true, says.person.scenes)}
    </div>
  );
}

function Scenes({ cast, person }: { cast: Cast; person: Cluster }) {
  const again = () => void loadScenes(dir.peek(), cast.collection, person.id);
  useEffect(again, [cast.collection, person.id, person.faces, cast.lastEdit]);
  const shown = scenes.value;
  if (scenesError.value) return <Failure error={scenesError.value} again={again} />;
  if (!shown) return <p class="wait">{says.person.searching}</p>;
  if (shown.hits.length === 0) return <Notice title={says.person.noScenes} />;
  return (
    <>
      <p class="found">{says.person.count(shown.hits.length, !shown.next)}</p>
      <Wall found={shown} more={moreScenes} />
    </>
  );
}
