/** All people of a collection, and what is said where there are none. */
import { may } from "../api/session";
import { Notice } from "../parts/notice";
import { says } from "../words/people";
import { Bar } from "./bar";
import { RegroupingNow } from "./dialogs/regrouping_now";
import { People } from "./people";
import { Proposals } from "./proposals/proposals";
import { type Cast, dir, NOBODY } from "./state/cast";
import { hrefToPerson } from "./state/places";

export function Everybody({ cast }: { cast: Cast }) {
  const { missing } = says;
  return (
    <>
      {!may("people") && <p class="only-look">{missing.onlyLook}</p>}
      <Bar cast={cast} />
      <RegroupingNow />
      {cast.faces === 0 && cast.people.length === 0 && (
        <Notice title={missing.empty}>
          <p>{missing.emptyHow}</p>
        </Notice>
      )}
      {cast.people.length === 0 && cast.faces > 0 && (
        <Notice title={missing.nobody}>
          <p>{missing.nobodyHow}</p>
        </Notice>
      )}
      {cast.loose + cast.looseVoices > 0 && (
        <p class="loose">
          <a href={hrefToPerson(dir.value, cast.collection, NOBODY)}>{says.loose(cast.loose, cast.looseVoices)}</a>{" "}
          <span class="hint">{says.looseHint}</span>
        </p>
      )}
      {may("people") && <Proposals cast={cast} />}
      {cast.people.length > 0 && <People cast={cast} />}
    </>
  );
}
