/** Files that the page has made, for the browser to save. */

const SAVED_MS = 60_000; // by then a browser has begun to read it

export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVED_MS);
}

/** A name without what file names may not hold. */
export function safeName(name: string): string {
  return name.replace(/[\\/:*?"<>|\p{Cc}]/gu, "_").trim() || "Rushes";
}
