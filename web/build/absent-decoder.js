/** Stands for a codec that this console does not ship (see vite.config.ts). */
export default function absentDecoder() {
  throw new Error('this transfer syntax has no decoder in the console');
}
export const initialize = absentDecoder;
