/** Every word of the pages about people. */
import { words } from ".";

const { number, several } = words;

/** How long somebody is to be seen. */
function length(seconds: number): string {
  const all = Math.round(seconds);
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60)];
  if (hours > 0) return `${number(hours)} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${all % 60} s` : `${all} s`;
}

/** How much of somebody there is: films by seconds, pictures by number. */
function seen(seconds: number, stills: number): string {
  const parts = [seconds > 0 ? length(seconds) : "", stills > 0 ? several(stills, "picture") : ""];
  return parts.filter(Boolean).join(" and ") || length(0);
}

/** What is known of somebody. */
interface Known {
  faces: number;
  seconds: number;
  stills: number;
  files: number;
  voices: number;
  spoken: number;
}

function amount({ faces, seconds, stills, voices, spoken }: Known): string {
  const shown = faces > 0 || voices === 0 ? seen(seconds, stills) : "";
  return [shown, voices > 0 ? `speaks ${length(spoken)}` : ""].filter(Boolean).join(" · ");
}

const parts = (faces: number, voices: number): string =>
  [faces > 0 || voices === 0 ? several(faces, "face") : "", voices > 0 ? several(voices, "voice") : ""]
    .filter(Boolean)
    .join(" and ");

/** Whether one or more of them are meant. */
const go = (faces: number, voices: number, one: string, more: string): string =>
  `${parts(faces, voices)} ${faces + voices === 1 ? one : more}`;

const ofNobody = (faces: number, voices: number): string =>
  voices > 0 ? (faces > 0 ? "faces and voices of nobody" : "voices of nobody") : "faces of nobody";

const list = (names: string[]): string =>
  names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${number(names.length - 2)} more` : names.join(", ");

export const says = {
  title: "People",
  label: "People",
  collection: "Collection",
  collectionOption: (name: string, people: number) => `${name} · ${several(people, "person", "people")}`,
  find: "Find a name",
  show: "Show",
  shows: { all: "everybody", unnamed: "without a name", named: "with a name", heard: "with a voice" },
  sort: "Order",
  sorts: { time: "seen longest first", name: "by name", faces: "most faces first", spoken: "heard longest first" },
  length,
  seen,
  amount,
  speaksFor: "speaks",
  unnamed: "Unnamed",
  somebody: "somebody unnamed",
  theLongest: "who is seen longest",
  parts: ({ faces, voices }: { faces: number; voices: number }) => parts(faces, voices),
  inFiles: (seconds: number, stills: number, files: number) => `${seen(seconds, stills)} in ${several(files, "file")}`,
  heardInFiles: (spoken: number, files: number) => `${length(spoken)} of speech in ${several(files, "file")}`,
  heard: (spoken: number) => `${length(spoken)} of speech`,
  facts: (one: Known) => `${amount(one)} · ${several(one.files, "file")}`,
  count: (shown: number, all: number) =>
    shown === all ? several(all, "person", "people") : `${number(shown)} of ${several(all, "person", "people")}`,
  loose: (faces: number, voices: number) => `${parts(faces, voices)} of nobody`,
  looseHint: "Faces in no group: too few of one person, too small, blurred or turned away. Look at them, or move them to a person.",
  nobodyTitle: "Faces of nobody",
  noneFound: "Nobody is called so here",
  showAll: "Show everybody",
  ofPerson: (name: string, facts: string, faces: string) => `${name}, ${facts}, ${faces}`,

  missing: {
    noFaces: "No faces are analyzed in this library yet",
    noFacesHow: "Let Rushes look at a folder for faces, too. They come into a collection, which you name:",
    command: "rushes analyze FOLDER --faces --collection “Season 1”",
    toWork: "Analyze a folder",
    noCollection: (name: string) => `There is no collection “${name}” in this library`,
    others: "It may have been deleted. These are there:",
    empty: "This collection has no faces yet",
    emptyHow: "Its files are being analyzed, or nobody is seen in them.",
    nobody: "Nobody is known by enough clear faces yet",
    nobodyHow: "A person needs several clear faces. Group them anew with a smaller number, or look at the faces of nobody.",
    person: "This person is no longer here",
    personHow: "They were merged into somebody else, or all of their faces were moved. Undo, or the history, brings them back.",
    all: "All people",
    onlyLook: "You can look at people here, but not change them: your key lacks the scope “people”.",
    lacksSearch: words.session.lacks("search"),
  },

  keys: {
    grid: "People",
    move: "Go from face to face",
    name: "Give a name",
    open: "Open the person",
    select: "Select, or take out of the selection",
    range: "Select all up to here",
    merge: "Merge those selected into this person",
    dismiss: "Not a person",
    undo: "Undo the last change",
    find: "Filter by name",
    clear: "Select nothing",
    faces: "Faces of the person",
    selectFace: "Select the face, or take it out of the selection",
    split: "Move the selected faces to a new person",
    moveTo: "Move the selected faces to another person",
    notThis: "Not this person",
    tab: "Faces, voices or scenes",
    back: "Back to all people",
    person: "Person",
    openFace: "Show the moment in its film",
    voices: "Voices of the person",
    splitVoices: "Move the selected voices to a new person",
    moveVoices: "Move the selected voices to another person",
    short: { name: "name", select: "select", merge: "merge", dismiss: "not a person", undo: "undo", all: "all keys", split: "new person", moveTo: "to another", notThis: "not this person" },
    drag: "Or drag one face onto another.",
    dragFace: "Or drag faces to a button below.",
  },

  actions: {
    name: "Name …",
    rename: "Rename …",
    nameOf: (name: string) => `Name of ${name}`,
    select: (name: string) => `Select ${name}`,
    selected: (count: number) => `${number(count)} selected`,
    mergeInto: (name: string) => `Merge into ${name}`,
    mergeWith: "Merge with …",
    dismiss: "Not a person",
    clear: "Select nothing",
    undo: "Undo",
    redo: "Redo",
    history: "History …",
    regroup: "Group anew …",
    enrol: "Enrol from pictures …",
    search: (name: string) => `Search for ${name}`,
    split: "New person",
    moveTo: "To another person …",
    notThis: "Not this person",
    close: "Close this message",
  },

  naming: {
    label: "Name",
    save: "Save",
    suggestions: "Known names",
    here: "in this collection",
    enrolled: "enrolled from pictures",
    elsewhere: (collections: string[]) => `known in ${list(collections)}`,
    none: "Leave it empty to take the name away.",
    notSaved: (name: string, why: string) => (name ? `“${name}” is not saved. ${why}` : `The name is still there. ${why}`),
  },

  lost: {
    title: "This person is no longer here",
    became: (name: string) => `Somebody merged them into ${name} meanwhile.`,
    gone: "Somebody took them away meanwhile. The history brings them back.",
    typed: "What you typed:",
    nameThem: (name: string) => `Go on with the name of ${name}`,
    giveUp: "Give it up",
  },

  one: {
    title: (name: string) => `Is this the same ${name}?`,
    text: (name: string) => `Somebody in this collection is called “${name}” already.`,
    yes: "Yes, one person",
    no: (name: string) => `No, two people called ${name}`,
    mergeTitle: (one: string, other: string) => `Are ${one} and ${other} one person?`,
    mergeText: (kept: string) => `Together they are called “${kept}”. Undo brings both back.`,
    mergeYes: (kept: string) => `Yes, call them ${kept}`,
  },

  pick: {
    mergeTitle: "Merge with whom?",
    moveTitle: (faces: number, voices: number) => {
      const kind = faces > 0 ? "face" : "voice";
      return `Whose ${faces + voices === 1 ? `${kind} is this` : `${kind}s are these`}?`;
    },
    label: "Name of the person",
    newPerson: (name: string) => `A new person called “${name}”`,
    newUnnamed: "A new person without a name",
    none: "Nobody of this collection is called so.",
    people: "People of this collection",
  },

  did: {
    finds: (name: string, amount: string) => `“${name}” now finds ${amount}.`,
    findsTogether: (name: string, people: number, amount: string) =>
      `“${name}” now finds ${several(people, "group")} of faces together, about ${amount}.`,
    unnamed: "The name is taken away.",
    named: (name: string) => `“${name}” is saved.`,
    merged: (count: number, name: string) => `${several(count + 1, "person is", "people are")} one now: ${name}.`,
    dismissed: (count: number, faces: number, voices: number) =>
      `${several(count, "person is", "people are")} none now: ${parts(faces, voices)} went to the ${ofNobody(faces, voices)}.`,
    split: (faces: number, voices: number) => `${go(faces, voices, "is", "are")} a new person now.`,
    moved: (faces: number, voices: number, name: string) => `${parts(faces, voices)} moved to ${name}.`,
    taken: (faces: number, voices: number) => `${parts(faces, voices)} went to the ${ofNobody(faces, voices)}.`,
    apart: "They stay two people, and are not proposed again.",
    undone: "The last change is taken back.",
    wentBack: "Everything is as it was then.",
    redone: "The change is done again.",
    nothingSelected: "Select others first (x), then press m on the person that stays.",
    nobodyFocused: "Go to a person first, with the arrows or the mouse. Nothing was changed.",
    noFaces: "Select faces first (x).",
    noVoices: "Select voices first.",
    rangeLoading: "The faces in between are being loaded …",
    rangeTooLong: (most: number) => `A range takes ${number(most)} faces at the most. Select a shorter one.`,
    rangeChanged: "The faces became others meanwhile. Select the range again.",
    movedMeanwhile: (count: number) => `Others moved ${number(count)} of your selection meanwhile: they are no longer in it.`,
    othersMeanwhile: "Others changed these people meanwhile: nothing is selected any more.",
    became: (name: string) => `They are a part of ${name} now.`,
    toNew: "Open the new person",
  },

  person: {
    back: "All people",
    faces: "Faces",
    voices: "Voices",
    scenes: "Scenes",
    tabs: "What is shown",
    facesOf: (name: string) => `Faces of ${name}`,
    count: (count: number, isAll: boolean) =>
      isAll ? several(count, "scene") : `${number(count)} scenes and more`,
    face: (file: string, time: string) => `Show ${file} at ${time}`,
    selectFace: (file: string, time: string) => `Select the face in ${file} at ${time}`,
    noPicture: "no picture",
    noScenes: "No scene shows them: their files may be away or not analyzed for pictures.",
    searching: "Looking for scenes …",
    voicesOf: (name: string) => `Voices of ${name}`,
    selectVoice: (speaker: string, file: string) => `Select the voice of ${speaker} in ${file}`,
    voiceFacts: (speaker: string, spoken: number) => `${speaker} · speaks ${length(spoken)}`,
    playVoice: (file: string, time: string) => `Play the voice in ${file} at ${time}`,
    noText: "(no words are known)",
    moreVoices: "Show more voices",
    noVoices: "No voice of this person is known.",
  },

  history: {
    title: "History",
    hint: "Everything that was said about these people by hand. Going back is a change, too: it can be taken back.",
    none: "Nothing was changed by hand yet.",
    named: (who: string, name: string) => `${who} was named “${name}”`,
    unnamed: (who: string) => `The name of ${who} was taken away`,
    merged: (count: number, who: string) => `${several(count, "group", "groups")} merged into ${who}`,
    toNew: (faces: number, voices: number) => `${parts(faces, voices)} moved to a new person`,
    toNobody: (faces: number, voices: number) => `${parts(faces, voices)} moved to the ${ofNobody(faces, voices)}`,
    moved: (faces: number, voices: number, who: string) => `${parts(faces, voices)} moved to ${who}`,
    apart: (one: string, other: string) => `${one} and ${other} were said to be two people`,
    undo: "Went back to an earlier state",
    undoToBegin: "Went back to before the first change",
    clear_names: "All names were taken away",
    other: "Changed",
    somebody: "a person",
    reason: (reason: string) => `not in force: ${reason}`,
    now: "as it is now",
    goBack: "Go back to here",
    goBackOf: (what: string) => `Go back to here: ${what}`,
    begin: "Before the first change",
    all: "Show older ones",
    when: (at: Date) => at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }),
  },

  proposals: {
    title: "Seen and heard together",
    hint: "A face and a voice that may be one person. Nothing is joined unless you say so; undo takes it back.",
    ask: (spoken: number, files: number, isMore: boolean) =>
      `Seen and heard together for ${length(spoken)} in ${several(files, "file")}${isMore ? " or more" : ""}: the same person?`,
    share: (share: number) => `That is ${Math.round(100 * share)} % of what the voice says.`,
    pair: (face: string, voice: string) => `${face} and ${voice}`,
    face: "Face:",
    voice: "Voice:",
    same: "Same person",
    different: "Different people",
    later: "Later",
    more: (count: number) => `Show ${number(count)} more`,
  },

  enrol: {
    title: "Enrol a person from pictures",
    hint: "Rushes learns a face from a few pictures, and finds that person in every collection of this library. Only what the face looks like is kept, not the pictures.",
    name: "Name",
    choose: "Choose pictures …",
    drop: "or drop or paste them here",
    letGo: "Let go to learn the face on this picture",
    picture: (name: string) => `Leave out ${name}`,
    needs: "One clear face on each, from the front, large enough: 40 pixels at least.",
    start: "Learn this face",
    busy: "Looking at the pictures …",
    noName: "Type the name of the person.",
    noPictures: "Choose at least one picture.",
    tooMany: (most: number) => `At most ${most} pictures at once: the others are left out.`,
    notPicture: (name: string) => `${name} is no picture that this browser can read. Use JPEG, PNG or WebP.`,
    found: (collection: string, faces: number) => `${collection}: ${several(faces, "face")}`,
    nowhere: "Nobody in this library looks like that yet. New footage is compared with it.",
    another: "Enrol another person",
  },

  regroup: {
    title: "Group the faces anew",
    hint: "Names, merges and moves made by hand stay. Until it is done, the people are as they were.",
    auto: "Find good ones by itself",
    autoHint: "From the faces of this collection.",
    eps: "How unlike two faces of one person may be",
    epsHint: (eps: number, usual: number) =>
      eps < usual ? "Stricter than usual: fewer mixed people, more of them twice."
        : eps > usual ? "Looser than usual: fewer people twice, more mixed ones."
          : "As usual: the best point of the face model.",
    samples: "How many clear faces make a person",
    samplesHint: (count: number) =>
      `Whoever has fewer than ${several(count, "clear face")} is in no group: extras and passers-by. Take 2 where people have few pictures.`,
    number: "Type whole numbers from 1.",
    start: "Group anew",
    running: "The faces are being grouped anew.",
    cancel: "Cancel",
    done: (before: string, after: string) => `Grouped anew. Before: ${before}. Now: ${after}.`,
    same: (now: string) => `Grouped anew, and nothing changed: ${now}.`,
    cancelled: "Grouping anew was cancelled. Everything is as it was.",
    amount: (people: number, loose: number) =>
      `${several(people, "person", "people")}, ${several(loose, "face")} of nobody`,
  },
};
