import type { Coded, OpenedView } from '../api/types';

/** Names for regions that a view does not show; the API names only the granted ones. */
const NAMES: readonly Coded[] = [
  { code: 'right_lung', en: 'Right lung', zh: '右肺' },
  { code: 'left_lung', en: 'Left lung', zh: '左肺' },
  { code: 'heart', en: 'Heart', zh: '心脏' },
  { code: 'ribs', en: 'Rib', zh: '肋骨' },
  { code: 'mediastinum', en: 'Mediastinum', zh: '纵隔' },
  { code: 'right_clavicle', en: 'Right clavicle', zh: '右锁骨' },
  { code: 'left_clavicle', en: 'Left clavicle', zh: '左锁骨' },
  { code: 'spine', en: 'Vertebral column', zh: '脊柱' },
  { code: 'subdiaphragm', en: 'Abdomen', zh: '膈下' },
];

/** Anatomy that every frontal chest film has. */
const ALWAYS_THERE = new Set(['right_lung', 'left_lung', 'heart', 'ribs', 'mediastinum']);

type Shown = Pick<OpenedView, 'regions' | 'outlines'>;

const codesOf = (view: Shown) => new Set(view.regions.map((region) => region.code));

/** Regions whose contour is shown without their pixels: a heart's width needs the lungs' border. */
export function outlinedOnly(view: Shown): readonly Coded[] {
  const granted = codesOf(view);
  return NAMES.filter(({ code }) => code in view.outlines && !granted.has(code));
}

/** The sealed anatomy: nothing once the whole body field is granted. */
export function hiddenRegions(view: Shown): readonly Coded[] {
  const granted = codesOf(view);
  if (granted.has('thorax')) return [];
  return NAMES.filter(
    ({ code }) => ALWAYS_THERE.has(code) && !granted.has(code) && !(code in view.outlines),
  );
}
