// The order and the digest of a file, identical to those in Python (tests/study/conftest.py, fca.study.files).

// The names sorted by the SHA-256 of `seed|...|name`.
function shuffled(names, ...seed) {
  const hashes = new Map(names.map((name) => [name, sha256([...seed, name].join("|"))]));
  return [...names].sort((one, other) => (hashes.get(one) < hashes.get(other) ? -1 : 1));
}

// A participant's clips in order, each with its items from left to right: [clip, [item, ...]].
function participantOrder(seed, participant, clips) {
  return shuffled(Object.keys(clips), seed, participant)
    .map((clip) => [clip, shuffled(clips[clip], seed, participant, clip)]);
}

// Detects damage and manual edits; it doesn't prove who made a file, since everything it needs is on this page.
function digestOf(study, nonce, participant, ratings) {
  const lines = Object.entries(ratings).flatMap(([item, rated]) =>
    Object.entries(rated).map(([criterion, value]) => `${item} ${criterion} ${value}`));
  return sha256(["fca-study-ratings 1", study, nonce, participant, ...lines.sort()].join("\n"));
}
