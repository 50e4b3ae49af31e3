/** Faces that are dragged onto another: within this page only. */
import { signal } from "@preact/signals";

/** What is dragged now, by ids; empty: nothing. */
export const dragged = signal<string[]>([]);

export function startDrag(event: DragEvent, ids: string[]): void {
  dragged.value = ids;
  event.dataTransfer?.setData("text/plain", "");
  if (event.dataTransfer) event.dataTransfer.effectAllowed = "move";
}

export function endDrag(): void {
  dragged.value = [];
}

/** Of what others may be dropped on; `drop` is called with their ids. */
export function dropTarget(id: string, drop: (ids: string[]) => void) {
  const others = () => dragged.peek().filter((one) => one !== id);
  return {
    onDragOver: (event: DragEvent) => {
      if (others().length === 0) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "move";
    },
    onDrop: (event: DragEvent) => {
      const ids = others();
      if (ids.length === 0) return;
      event.preventDefault();
      endDrag();
      drop(ids);
    },
  };
}
