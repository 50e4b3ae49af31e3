/** The first page: one box, and a wall of what it finds. */
import { effect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { home } from "../api/client";
import { may, session } from "../api/session";
import { Failure, Notice } from "../parts/notice";
import { shownTitle } from "../parts/title";
import { change, hrefOf } from "../route";
import { words } from "../words";
import { followCoverage } from "./asking/coverage";
import { folders, foldersError, followFolders, library, loadFolders } from "./asking/folders";
import { followPeople } from "./asking/people";
import { query } from "./asking/query";
import { isNothing } from "./asking/request";
import { asked, followQuery, found, isGoingOn, isOld, isSearching, more } from "./asking/results";
import { Box } from "./box/box";
import { CoverageBar } from "./coverage_bar";
import { Filters, FiltersButton } from "./filters";
import { Library, OtherFolder } from "./library";
import { PlayerPlace } from "./player_place";
import { Announcement, Count, Nothing, Status } from "./status";
import { Wall } from "./wall/wall";

export function SearchPage() {
  // Where a session has ended, what was found stays behind the sign-in.
  if (session.value && !may("search")) return <Notice title={words.session.lacks("search")} />;
  return <Search />;
}

function Search() {
  useEffect(() => {
    const ends = [
      // An address that is sent to somebody says which folder it is about.
      effect(() => {
        if (library.value && !query.value.dir) change({ dir: library.value }, true);
      }),
      effect(() => {
        const { words: typed, said } = query.value;
        shownTitle.value = typed || said;
      }),
      () => (shownTitle.value = ""),
      followFolders(),
      followPeople(),
      followQuery(),
      followCoverage(),
    ];
    return () => ends.forEach((end) => end());
  }, []);
  return (
    <>
      <h1 class="hidden">{words.pages.search}</h1>
      {library.value ? <Found /> : <NoLibrary />}
    </>
  );
}

function Found() {
  return (
    <div class="search-page">
      <div class="head">
        <Box />
        <FiltersButton />
        <Library />
      </div>
      <Filters />
      <CoverageBar />
      {!isGoingOn.value && <Status />}
      <Announcement />
      <Matches />
      <PlayerPlace hits={found.value?.hits ?? []} more={more} />
    </div>
  );
}

function Matches() {
  const shown = found.value;
  if (isNothing(asked.value)) return <Start />;
  if (!shown) return null;
  if (shown.hits.length === 0) {
    return isOld.value || isSearching.value ? null : <Nothing found={shown} />;
  }
  return (
    <>
      <Count found={shown} />
      <Wall found={shown} isOld={isOld.value} more={more} />
      {isGoingOn.value && <Status />}
    </>
  );
}

function Start() {
  return (
    <Notice title={words.search.start}>
      {words.search.startMore.map((line) => (
        <p key={line} class="hint">
          {line}
        </p>
      ))}
    </Notice>
  );
}

export function NoLibrary() {
  const says = words.search.library;
  if (foldersError.value) return <Failure error={foldersError.value} again={() => void loadFolders()} />;
  if (!folders.value) return <p class="wait">{words.loading}</p>;
  return (
    <Notice title={says.none}>
      <p>{says.how}</p>
      {may("analyze") && (
        <a class="button" href={hrefOf("work/analyze")}>
          {says.begin}
        </a>
      )}
      <code>{says.command}</code>
      <a href={new URL("api/v1/docs", home).href}>{says.docs}</a>
      <OtherFolder />
    </Notice>
  );
}
