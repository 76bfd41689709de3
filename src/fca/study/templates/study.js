// The study: the participant, the clip that is shown, the ratings, and the file that is handed in.
(() => {
  const study = JSON.parse(document.getElementById("study").textContent);
  const CRITERIA = [
    ["text_alignment", "Text alignment"],
    ["temporal_consistency", "Temporal consistency"],
    ["visual_fidelity", "Visual fidelity"],
  ];
  const LARGEST = 5;
  const PARTICIPANT = /^[a-z0-9][a-z0-9_-]{0,31}$/;
  const clips = new Map(study.clips.map((clip) => [clip.id, clip]));
  const items = new Map(study.clips.flatMap((clip) => clip.items.map((item) => [item.id, item])));
  const TOTAL = items.size * CRITERIA.length;
  const $ = (id) => document.getElementById(id);
  const copy = (id) => $(id).content.firstElementChild.cloneNode(true);

  // What this browser stores: the current participant, and { ratings, position } of each participant.
  const store = {
    memory: new Map(), // if the browser stores nothing, as in some private windows
    lasting: true,
    name: (participant) => `fca-study ${study.study}${participant ? ` ${participant}` : ""}`,
    read(participant) {
      let text = this.memory.get(participant);
      try { text = localStorage.getItem(this.name(participant)) ?? text; } catch { this.lasting = false; }
      return text;
    },
    write(participant, text) {
      this.memory.set(participant, text);
      try { localStorage.setItem(this.name(participant), text); } catch { this.lasting = false; }
    },
    remove(participant) {
      this.memory.delete(participant);
      try { localStorage.removeItem(this.name(participant)); } catch { this.lasting = false; }
    },
  };

  let participant = "";
  let order = [];
  let position = 0; // of the clip; order.length is the last screen
  let ratings = {};

  function load() {
    let stored = null;
    try { stored = JSON.parse(store.read(participant) ?? "null"); } catch { /* damaged: start over */ }
    ratings = stored && problemOf(stored.ratings) === "" ? stored.ratings : {};
    return stored && Number.isInteger(stored.position) ? stored.position : 0;
  }

  const save = () => store.write(participant, JSON.stringify({ ratings, position }));
  const count = (rated) => Object.values(rated).reduce((sum, values) => sum + Object.keys(values).length, 0);
  const missing = (item) => CRITERIA.filter(([key]) => ratings[item]?.[key] === undefined).length;
  const missingIn = ([, shown]) => shown.reduce((sum, item) => sum + missing(item), 0);

  function rate(item, criterion, value) {
    load(); // another window may have added ratings
    ratings[item] = { ...ratings[item], [criterion]: value };
    save();
    showProgress();
  }

  // ---- files ----

  function problemOf(rated) {
    if (typeof rated !== "object" || rated === null) return "it has no ratings";
    for (const [item, values] of Object.entries(rated)) {
      if (!items.has(item)) return "it rates a video that isn't in this study";
      for (const [criterion, value] of Object.entries(values ?? {})) {
        if (!CRITERIA.some(([key]) => key === criterion)) return `it rates by ${criterion}`;
        if (!Number.isInteger(value) || value < 0 || value > LARGEST) return `it has the rating ${value}`;
      }
    }
    return "";
  }

  const fileText = () => JSON.stringify({
    kind: "fca-study-ratings",
    version: 1,
    study: study.study,
    participant,
    ratings: Object.fromEntries(Object.entries(ratings).sort(([one], [other]) => (one < other ? -1 : 1))),
    digest: digestOf(study.study, study.nonce, participant, ratings),
  }, null, 1) + "\n";

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([fileText()], { type: "application/json" }));
    link.download = `ratings-${study.study.slice(0, 8)}-${participant}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    say(`Saved as ${link.download} in your downloads.`);
  }

  // The participant of a file, whose ratings are then stored here; throws if it is invalid.
  function importText(text) {
    let file;
    try { file = JSON.parse(text); } catch { throw new Error("it is not JSON"); }
    if (file?.kind !== "fca-study-ratings" || file.version !== 1) throw new Error("it is not a file of ratings");
    if (file.study !== study.study) throw new Error("it belongs to another study");
    if (!PARTICIPANT.test(file.participant)) throw new Error("its participant has no usable name");
    const problem = problemOf(file.ratings);
    if (problem) throw new Error(problem);
    if (file.digest !== digestOf(study.study, study.nonce, file.participant, file.ratings)) {
      throw new Error("it was changed after it was saved");
    }
    participant = file.participant;
    position = load();
    for (const [item, values] of Object.entries(file.ratings)) ratings[item] = { ...ratings[item], ...values };
    save();
    return participant;
  }

  // ---- screens ----

  const say = (text) => { $("said").textContent = text; };

  function show(screen) {
    for (const name of ["start", "rate", "end"]) $(name).hidden = name !== screen;
    $("bar").hidden = screen === "start";
    $("unsaved").hidden = store.lasting || screen === "start";
    scrollTo(0, 0);
  }

  function showProgress() {
    const made = count(ratings);
    $("progress").max = TOTAL;
    $("progress").value = made;
    $("made").textContent = `${made} of ${TOTAL} ratings`;
    $("who").textContent = participant;
    if (position < order.length) {
      const left = missingIn(order[position]);
      $("left").textContent = left ? `${left} rating${left > 1 ? "s" : ""} left for this clip` : "This clip is done";
      $("next").classList.toggle("main", !left);
    }
  }

  function begin(name) {
    participant = name;
    store.write("", participant);
    const shown = Object.fromEntries(study.clips.map((clip) => [clip.id, clip.items.map((item) => item.id)]));
    order = participantOrder(study.seed, participant, shown);
    go(Math.min(Math.max(load(), 0), order.length));
  }

  function go(to) {
    position = to;
    save();
    if (position < order.length) showClip();
    else showEnd();
    showProgress();
  }

  const title = (index) => `Video ${String.fromCharCode(65 + index)}`;

  function showClip() {
    const [clipId, shown] = order[position];
    const clip = clips.get(clipId);
    $("position").textContent = `Clip ${position + 1} of ${order.length}`;
    $("caption").textContent = clip.caption || "(no sentence)";
    const cards = shown.map((item, index) => card(item, title(index)));
    $("cards").replaceChildren(...cards);
    $("back").disabled = position === 0;
    $("next").textContent = position + 1 < order.length ? "Next clip" : "Finish";
    show("rate");
    player.open([
      [$("truth"), clip.truth, "The true video"],
      ...shown.map((item, index) => [cards[index].querySelector(".screen"), items.get(item).media, title(index)]),
    ], clip.initial);
    say(`Clip ${position + 1} of ${order.length}: ${clip.caption}`);
    focusRow(firstMissing() ?? rows()[0]);
    scrollTo(0, 0);
  }

  function card(item, title) {
    const made = copy("card");
    made.querySelector("h3").textContent = title;
    made.setAttribute("aria-label", title);
    for (const [criterion, words] of CRITERIA) {
      const row = copy("row");
      row.querySelector(".unseen").textContent = `${title}, `;
      row.querySelector(".words").textContent = words;
      for (let value = 0; value <= LARGEST; value += 1) {
        const choice = copy("choice");
        const input = choice.querySelector("input");
        Object.assign(input, { name: `${item} ${criterion}`, value: String(value) });
        input.checked = ratings[item]?.[criterion] === value;
        input.addEventListener("change", () => rate(item, criterion, value));
        choice.querySelector("span").textContent = String(value);
        row.querySelector(".scale").append(choice);
      }
      made.append(row);
    }
    return made;
  }

  function showEnd() {
    const open = order.map((clip, index) => [index, missingIn(clip)]).filter(([, left]) => left);
    $("end-title").textContent = open.length ? "Not quite done" : "All clips are rated. Thank you!";
    $("complete").hidden = open.length > 0;
    $("incomplete").hidden = open.length === 0;
    $("open").replaceChildren(...open.map(([index, left]) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: `Clip ${index + 1}: ${left} missing` });
      button.addEventListener("click", () => go(index));
      const entry = document.createElement("li");
      entry.append(button);
      return entry;
    }));
    $("text").value = fileText();
    show("end");
    $("end-title").focus();
  }

  function showStart() {
    store.remove("");
    participant = "";
    player.play(false);
    show("start");
    $("participant").focus();
  }

  // ---- keyboard: 0 to 5 rate and move on, Enter goes to a missing rating or to the next clip ----

  const rows = () => [...document.querySelectorAll("#cards .row")];
  const firstMissing = () => rows().find((row) => !row.querySelector(":checked"));
  const focusRow = (row) => (row.querySelector(":checked") ?? row.querySelector("input")).focus();

  $("cards").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.target.closest(".row");
    if (!row) return;
    const choice = /^[0-9]$/.test(event.key) && row.querySelector(`input[value="${event.key}"]`);
    if (choice) {
      event.preventDefault();
      choice.click();
      const next = rows()[rows().indexOf(row) + 1];
      if (next) focusRow(next);
      else $("next").focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      const open = firstMissing();
      if (open) focusRow(open);
      else go(position + 1);
    }
  });

  // ---- the start ----

  const player = new Player($("controls"), study);
  $("next").addEventListener("click", () => go(position + 1));
  $("back").addEventListener("click", () => go(position - 1));
  $("review").addEventListener("click", () => go(0));
  $("leave").addEventListener("click", showStart);
  document.querySelectorAll(".save").forEach((button) => button.addEventListener("click", download));
  $("forget").addEventListener("click", () => { store.remove(participant); showStart(); });
  $("draw").addEventListener("click", () => {
    const drawn = crypto.getRandomValues(new Uint32Array(2));
    $("participant").value = `p-${[...drawn].map((number) => number.toString(36)).join("").slice(0, 10)}`;
  });
  $("who-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("participant").value.trim().toLowerCase();
    $("problem").textContent = PARTICIPANT.test(name) ? "" : "1 to 32 letters a-z, digits, - or _, please.";
    if (PARTICIPANT.test(name)) begin(name);
  });
  $("file").addEventListener("change", async () => {
    const [file] = $("file").files;
    if (!file) return;
    try {
      begin(importText(await file.text()));
      $("problem").textContent = "";
    } catch (error) {
      $("problem").textContent = `${file.name} can't be used: ${error.message}.`;
    }
    $("file").value = "";
  });
  const known = store.read("");
  if (known && PARTICIPANT.test(known)) begin(known);
  else show("start");
})();
