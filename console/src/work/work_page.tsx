import { words } from "../words";

export function WorkPage() {
  return <h1>{words.pages.work}</h1>;
}
