/** The people of a library: all of them, or one. */
import { computed, effect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { connections } from "../api/live";
import { may, session } from "../api/session";
import { Failure, Notice } from "../parts/notice";
import { change, go, hrefOf, route } from "../route";
import { keepFolder, loadFolders } from "../search/asking/folders";
import { Library } from "../search/library";
import { PlayerPlace } from "../search/player_place";
import { NoLibrary } from "../search/search_page";
import { words } from "../words";
import { says } from "../words/people";
import { Everybody } from "./everybody";
import { MessageBar } from "./message_bar";
import { forgetNames } from "./naming/draft";
import { Lost } from "./naming/lost";
import { PersonPage } from "./person/person_page";
import { moreScenes, scenes } from "./person/scenes";
import { cast, casts, castsError, dir, followCasts, load } from "./state/cast";
import { message } from "./state/changes";

export function PeoplePage() {
  // Where a session has ended, what was shown stays behind the sign-in.
  if (session.value && !may("search")) return <Notice title={says.missing.lacksSearch} />;
  return <People />;
}

function People() {
  useEffect(() => {
    const ends = [
      effect(() => void (connections.value >= 0 && loadFolders())),
      effect(() => keepInAddress()),
      effect(() => void (shownName.value && forget())), // it was about others
      followCasts(),
    ];
    return () => {
      ends.forEach((end) => end());
      forget();
    };
  }, []);
  return (
    <div class="people-page">
      {dir.value ? <Shown /> : <NoLibrary />}
      <Lost />
      <MessageBar />
      <PlayerPlace hits={scenes.value?.hits ?? []} more={moreScenes} />
    </div>
  );
}

function forget(): void {
  message.value = null;
  forgetNames();
}

const shownName = computed(() => `${dir.value}\n${cast.value?.collection ?? ""}`);

/** An address that is sent to somebody says which folder and collection it is about. */
function keepInAddress(): void {
  const { page, params } = route.value;
  if (page.split("/")[0] !== "people" || !dir.value) return;
  keepFolder(dir.value);
  const changes: Record<string, string> = {};
  if (!params.get("dir")) changes.dir = dir.value;
  if (params.get("collection") === null && cast.value) changes.collection = cast.value.collection;
  if (Object.keys(changes).length > 0) change(changes, true);
}

function Shown() {
  const isOne = route.value.page === "people/person";
  // Ids are those of a collection.
  if (isOne) return <PersonPage key={`${shownName.value}\n${route.value.params.get("id")}`} />;
  return (
    <>
      <div class="people-head">
        <h1>{says.title}</h1>
        <Library dir={dir.value} onChoose={(chosen) => go("people", new URLSearchParams({ dir: chosen }))} />
        <Collections />
      </div>
      <InCollection />
    </>
  );
}

function Collections() {
  const all = casts.value ?? [];
  if (all.length === 0) return null;
  return (
    <label class="library">
      <span>{says.collection}</span>
      <select
        value={cast.value?.collection ?? ""}
        onChange={(event) => {
          const params = new URLSearchParams({ dir: dir.peek(), collection: event.currentTarget.value });
          go("people", params);
        }}
      >
        {!cast.value && <option value="" />}
        {all.map(({ collection, people }) => (
          <option key={collection} value={collection}>
            {says.collectionOption(collection, people.length)}
          </option>
        ))}
      </select>
    </label>
  );
}

function InCollection() {
  const { missing } = says;
  if (!casts.value) {
    if (castsError.value) return <Failure error={castsError.value} again={() => void load()} />;
    return <p class="wait">{words.loading}</p>;
  }
  if (casts.value.length === 0) return <NoFaces />;
  if (!cast.value) {
    return (
      <Notice title={missing.noCollection(route.value.params.get("collection") ?? "")}>
        <p>{missing.others}</p>
        <Collections />
      </Notice>
    );
  }
  return <Everybody key={`${dir.value}\n${cast.value.collection}`} cast={cast.value} />;
}

function NoFaces() {
  const { missing } = says;
  return (
    <Notice title={missing.noFaces}>
      <p>{missing.noFacesHow}</p>
      <code>{missing.command}</code>
      <a href={hrefOf("work")}>{missing.toWork}</a>
    </Notice>
  );
}
