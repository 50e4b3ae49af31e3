/** Text in which what is looked for is marked. */

export function Marked({ text, find }: { text: string; find: string }) {
  const places = placesOf(text, find);
  if (places.length === 0) return <>{text}</>;
  return (
    <>
      {places.map((at, index) => (
        <>
          {text.slice(index === 0 ? 0 : places[index - 1]! + find.length, at)}
          <mark>{text.slice(at, at + find.length)}</mark>
        </>
      ))}
      {text.slice(places.at(-1)! + find.length)}
    </>
  );
}

/** Where `find` begins in `text`, in upper or lower case. */
export function placesOf(text: string, find: string): number[] {
  const [all, one] = [text.toLocaleLowerCase(), find.toLocaleLowerCase()];
  // Rare letters change their length with their case: then places would be wrong.
  if (!one || all.length !== text.length || one.length !== find.length) return [];
  const places: number[] = [];
  for (let at = all.indexOf(one); at >= 0; at = all.indexOf(one, at + one.length)) places.push(at);
  return places;
}
