// What must be the same here and in Python (fca.study.order, fca.study.files): the order, and the digest of a file.

// The names sorted by the SHA-256 of `seed|...|name`.
function shuffled(names, ...seed) {
  const hashes = new Map(names.map((name) => [name, sha256([...seed, name].join("|"))]));
  return [...names].sort((one, other) => (hashes.get(one) < hashes.get(other) ? -1 : 1));
}

// What a participant sees: [clip, [item, ...]] from first to last and from left to right.
function participantOrder(seed, participant, clips) {
  return shuffled(Object.keys(clips), seed, participant)
    .map((clip) => [clip, shuffled(clips[clip], seed, participant, clip)]);
}

// Finds damage and edits by hand; no proof of who made a file, since all it needs is on this page.
function digestOf(study, nonce, participant, ratings) {
  const lines = Object.entries(ratings).flatMap(([item, rated]) =>
    Object.entries(rated).map(([criterion, value]) => `${item} ${criterion} ${value}`));
  return sha256(["fca-study-ratings 1", study, nonce, participant, ...lines.sort()].join("\n"));
}
