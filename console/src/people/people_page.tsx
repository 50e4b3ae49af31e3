import { words } from "../words";

export function PeoplePage() {
  return <h1>{words.pages.people}</h1>;
}
