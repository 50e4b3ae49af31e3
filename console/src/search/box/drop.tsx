/** Takes pictures that are dropped or pasted anywhere on the page. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { words } from "../../words";

interface DropAreaProps {
  onFiles: (files: File[]) => void;
  text?: string; // while something is held over the page
}

export function DropArea({ onFiles, text = words.search.drop }: DropAreaProps) {
  const isOver = useSignal(false);
  useEffect(() => {
    const control = new AbortController();
    const { signal } = control;
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      isOver.value = true;
    };
    const drop = (event: DragEvent) => {
      isOver.value = false;
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      onFiles([...event.dataTransfer.files]);
    };
    const paste = (event: ClipboardEvent) => {
      if (event.clipboardData?.files.length) onFiles([...event.clipboardData.files]);
    };
    document.addEventListener("dragover", over, { signal });
    document.addEventListener("dragleave", (event) => !event.relatedTarget && (isOver.value = false), { signal });
    document.addEventListener("drop", drop, { signal });
    document.addEventListener("paste", paste, { signal });
    return () => control.abort();
  }, []);
  return isOver.value ? <div class="drop-area">{text}</div> : null;
}
