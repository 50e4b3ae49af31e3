/** What the key may not do is not offered: this says which scope it takes. */
import { may, type Scope } from "../api/session";
import { words } from "../words";

export function Lacks({ scope }: { scope: Scope }) {
  return may(scope) ? null : <p class="hint">{words.session.lacks(scope)}</p>;
}
