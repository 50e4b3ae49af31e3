import { words } from "../words";

export function ServerPage() {
  return <h1>{words.pages.server}</h1>;
}
