// What the tests of the page's scripts assert with: no package is fetched for it.

/** Two values are alike, as JSON writes them. */
export function equal(found, expected, of = "") {
  const [one, other] = [found, expected].map((value) => JSON.stringify(value, (_, part) => part ?? null));
  if (one !== other) throw new Error(`${of} expected ${other}, found ${one}`);
}
