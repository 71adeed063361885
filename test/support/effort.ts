const { EFFORT } = process.env;

/** How many cases a test tries: few in `npm test`, many in `npm run test:deep`, which runs the files that ask for this. */
export function effort(quick: number, deep: number): number {
  return EFFORT === 'deep' ? deep : quick;
}
