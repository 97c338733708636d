import type { Coded } from '../api/types';

/** Names of regions that may have to be told as hidden; the API names only granted ones. */
export const ANATOMY: readonly Coded[] = [
  { code: 'right_lung', en: 'Right lung', zh: '右肺' },
  { code: 'left_lung', en: 'Left lung', zh: '左肺' },
  { code: 'heart', en: 'Heart', zh: '心脏' },
  { code: 'ribs', en: 'Rib', zh: '肋骨' },
  { code: 'mediastinum', en: 'Mediastinum', zh: '纵隔' },
];

/** The sealed anatomy: nothing once the whole body field is granted. */
export function hiddenRegions(granted: readonly Coded[]): readonly Coded[] {
  const codes = new Set(granted.map((region) => region.code));
  return codes.has('thorax') ? [] : ANATOMY.filter((region) => !codes.has(region.code));
}
