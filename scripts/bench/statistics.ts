/** The value at a share of the sorted values: 0.5 is the median. */
export function quantile(values: Iterable<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
}

/** In any order, so that nobody always follows the same one and works in what that left behind. */
export function shuffled<T>(items: Iterable<T>): T[] {
  const keyed = [...items].map((item) => ({ item, place: Math.random() }));
  return keyed.sort((a, b) => a.place - b.place).map(({ item }) => item);
}
