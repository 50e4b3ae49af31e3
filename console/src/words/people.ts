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

const list = (names: string[]): string =>
  names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${number(names.length - 2)} more` : names.join(", ");

export const says = {
  title: "People",
  label: "People",
  collection: "Collection",
  collectionOption: (name: string, people: number) => `${name} · ${several(people, "person", "people")}`,
  find: "Find a name",
  show: "Show",
  shows: { all: "everybody", unnamed: "without a name", named: "with a name" },
  sort: "Order",
  sorts: { time: "seen longest first", name: "by name", faces: "most faces first" },
  length,
  seen,
  unnamed: "Unnamed",
  somebody: "somebody unnamed",
  theLongest: "who is seen longest",
  faces: (count: number) => several(count, "face"),
  inFiles: (seconds: number, stills: number, files: number) => `${seen(seconds, stills)} in ${several(files, "file")}`,
  facts: (seconds: number, stills: number, files: number) => `${seen(seconds, stills)} · ${several(files, "file")}`,
  count: (shown: number, all: number) =>
    shown === all ? several(all, "person", "people") : `${number(shown)} of ${several(all, "person", "people")}`,
  loose: (faces: number) => `${several(faces, "face")} of nobody`,
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
    tab: "Faces or scenes",
    back: "Back to all people",
    person: "Person",
    openFace: "Show the moment in its film",
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
    moveTitle: (count: number) => `Whose ${count === 1 ? "face is this" : "faces are these"}?`,
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
    dismissed: (count: number, faces: number) =>
      `${several(count, "person is", "people are")} none now: ${several(faces, "face")} went to the faces of nobody.`,
    split: (faces: number) => `${several(faces, "face is", "faces are")} a new person now.`,
    moved: (faces: number, name: string) => `${several(faces, "face", "faces")} moved to ${name}.`,
    taken: (faces: number) => `${several(faces, "face went", "faces went")} to the faces of nobody.`,
    undone: "The last change is taken back.",
    wentBack: "Everything is as it was then.",
    redone: "The change is done again.",
    nothingSelected: "Select others first (x), then press m on the person that stays.",
    nobodyFocused: "Go to a person first, with the arrows or the mouse. Nothing was changed.",
    noFaces: "Select faces first (x).",
    rangeLoading: "The faces in between are being loaded …",
    rangeTooLong: (most: number) => `A range takes ${number(most)} faces at the most. Select a shorter one.`,
    rangeChanged: "The faces became others meanwhile. Select the range again.",
    movedMeanwhile: (faces: number) => `Others moved ${several(faces, "face")} of your selection meanwhile: they are no longer in it.`,
    othersMeanwhile: "Others changed these people meanwhile: no face is selected any more.",
    became: (name: string) => `They are a part of ${name} now.`,
    toNew: "Open the new person",
  },

  person: {
    back: "All people",
    faces: "Faces",
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
  },

  history: {
    title: "History",
    hint: "Everything that was said about these people by hand. Going back is a change, too: it can be taken back.",
    none: "Nothing was changed by hand yet.",
    named: (who: string, name: string) => `${who} was named “${name}”`,
    unnamed: (who: string) => `The name of ${who} was taken away`,
    merged: (count: number, who: string) => `${several(count, "group", "groups")} merged into ${who}`,
    toNew: (faces: number) => `${several(faces, "face", "faces")} moved to a new person`,
    toNobody: (faces: number) => `${several(faces, "face", "faces")} moved to the faces of nobody`,
    moved: (faces: number, who: string) => `${several(faces, "face", "faces")} moved to ${who}`,
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
