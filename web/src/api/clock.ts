/** The server's clock, estimated from the Date header: a case's deadline must not depend on
 * how well a workstation keeps time. */
let offset = 0;

export function learnServerTime(dateHeader: string | null, local = Date.now()): void {
  const server = dateHeader ? Date.parse(dateHeader) : Number.NaN;
  if (Number.isNaN(server)) return;
  // The header has whole seconds, so smaller differences say nothing.
  offset = Math.abs(server - local) > 1500 ? server - local : 0;
}

export const serverNow = (): number => Date.now() + offset;
