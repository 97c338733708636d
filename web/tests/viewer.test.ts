import { describe, expect, it, vi } from 'vitest';
import { displayable, instanceUrl } from '../src/viewer/dicomweb';
import { affineFrom, outlinePath, scaleOf, svgMatrix } from '../src/viewer/geometry';
import { hiddenRegions, outlinedOnly } from '../src/viewer/regions';
import { keyAction } from '../src/viewer/useViewerKeys';
import type { ViewerActions } from '../src/viewer/useViewerKeys';

describe('affineFrom', () => {
  it('maps the three corners it was made from', () => {
    const { a, b, c, d, e, f } = affineFrom([10, 20], [110, 20], [10, 220], 100);
    expect([a, b, c, d, e, f]).toEqual([1, 0, 0, 2, 10, 20]);
    expect(scaleOf({ a: 0, b: 0.5, c: 0.5, d: 0, e: 9, f: 9 })).toBe(0.5);
    expect(svgMatrix({ a, b, c, d, e, f })).toBe('matrix(1 0 0 2 10 20)');
  });
});

describe('outlinePath', () => {
  it('closes every contour of a region', () => {
    expect(outlinePath([[[0, 0], [4, 0], [4, 4]], [[1, 1], [2, 1]], [[9, 9]]])).toBe(
      'M0 0L4 0L4 4ZM1 1L2 1Z',
    );
  });
});

describe('displayable', () => {
  it('drops what the renderer misreads and keeps the rest', () => {
    const metadata = {
      '00281056': { vr: 'CS', Value: ['LINEAR'] },
      '00280030': { vr: 'DS', Value: [0, 0] },
      '00281050': { vr: 'DS', Value: [1024] },
    };
    expect(displayable(metadata)).toEqual({ '00281050': { vr: 'DS', Value: [1024] } });
    expect(metadata['00281056']).toBeDefined();
  });

  it('keeps a valid pixel spacing', () => {
    const spacing = { '00280030': { vr: 'DS', Value: [0.2, 0.2] } };
    expect(displayable(spacing)).toEqual(spacing);
  });
});

describe('instanceUrl', () => {
  it('names study, series and instance', () => {
    expect(
      instanceUrl({ study_instance: '1.2', series_instance: '1.3', sop_instance: '1.4' }),
    ).toBe('/dicom-web/studies/1.2/series/1.3/instances/1.4');
  });
});

describe('hiddenRegions', () => {
  const named = (code: string) => ({ code, en: code, zh: code });

  it('names the anatomy that was not granted', () => {
    const codes = hiddenRegions({ regions: [named('heart')], outlines: {} }).map(({ code }) => code);
    expect(codes).toContain('right_lung');
    expect(codes).not.toContain('heart');
  });

  it('hides no anatomy when the body field is granted', () => {
    expect(hiddenRegions({ regions: [named('thorax')], outlines: {} })).toEqual([]);
  });

  it('tells a contour without pixels from a region that is seen', () => {
    const view = { regions: [named('heart')], outlines: { heart: [], left_lung: [] } };
    expect(outlinedOnly(view).map(({ code }) => code)).toEqual(['left_lung']);
    expect(hiddenRegions(view).map(({ code }) => code)).not.toContain('left_lung');
  });
});

describe('keyAction', () => {
  const actions = (): ViewerActions => ({
    choose: vi.fn(),
    invert: vi.fn(),
    toggleOutlines: vi.fn(),
    reset: vi.fn(),
    scale: vi.fn(),
    actualSize: vi.fn(),
    move: vi.fn(),
  });

  it('knows i, z, v and r, also with Shift', () => {
    const all = actions();
    for (const key of ['i', 'Z', 'v', 'R']) keyAction(key, all)!();
    expect(all.invert).toHaveBeenCalledOnce();
    expect(all.choose).toHaveBeenCalledWith('zoom');
    expect(all.toggleOutlines).toHaveBeenCalledOnce();
    expect(all.reset).toHaveBeenCalledOnce();
  });

  it('leaves other keys to the browser', () => {
    expect(keyAction('Tab', actions())).toBeUndefined();
    expect(keyAction('F5', actions())).toBeUndefined();
  });
});
