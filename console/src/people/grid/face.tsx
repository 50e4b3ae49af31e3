/** A face; a sign where only a voice is known. */
import { Icon } from "../../parts/icon";
import type { Cluster } from "../state/cast";
import { pictureOf } from "../state/face_pictures";

export function Face({ person }: { person: Cluster }) {
  const image = pictureOf(person.id);
  if (image) return <img src={`data:image/jpeg;base64,${image}`} alt="" draggable={false} decoding="async" />;
  return <span class="face-empty">{person.faces === 0 && person.voices > 0 && <Icon of="sound" />}</span>;
}
