import { describe, expect, it } from 'vitest';
import {
  ago,
  bytes,
  coarseSpan,
  dateTime,
  dicomDate,
  dueTime,
  personName,
  scientific,
  shorten,
  span,
} from '../src/ui/format';

describe('dateTime', () => {
  it('keeps the milliseconds that the ledger promises', () => {
    const local = new Date(2026, 10, 23, 20, 15, 3, 7);
    expect(dateTime(local.toISOString(), true)).toBe('2026-11-23 20:15:03.007');
    expect(dateTime(local.toISOString())).toBe('2026-11-23 20:15:03');
  });

  it('shows a dash for nothing and for nonsense', () => {
    expect(dateTime(null)).toBe('–');
    expect(dateTime('soon')).toBe('–');
  });
});

describe('dueTime', () => {
  it('names the day only when it is another one', () => {
    const now = new Date(2026, 10, 23, 21, 30).getTime();
    expect(dueTime(new Date(2026, 10, 23, 23, 30).toISOString(), now)).toBe('23:30');
    expect(dueTime(new Date(2026, 11, 23, 21, 30).toISOString(), now)).toBe('2026-12-23 21:30');
  });
});

describe('span', () => {
  it('counts hours beyond the clock', () => {
    expect(span(5_527_900)).toBe('1:32:07');
    expect(span(-61_000)).toBe('0:01:01');
  });
});

describe('words for time', () => {
  it('speaks both languages', () => {
    expect(ago('2026-11-23T10:00:00Z', Date.parse('2026-11-23T10:05:00Z'), 'en')).toBe('5 minutes ago');
    expect(ago('2026-11-23T10:00:00Z', Date.parse('2026-11-23T10:05:00Z'), 'zh-CN')).toBe('5分钟前');
    expect(coarseSpan(2 * 3600_000, 'zh-CN')).toBe('2小时');
  });

  it('never tells of a future second', () => {
    expect(ago('2026-11-23T10:00:02Z', Date.parse('2026-11-23T10:00:00Z'), 'en')).toBe('now');
  });
});

describe('scientific', () => {
  it('writes small probabilities with an exponent', () => {
    expect(scientific(3.4e-43)).toEqual({ mantissa: '3.4', exponent: -43 });
    expect(scientific(0.31)).toEqual({ mantissa: '0.31', exponent: null });
  });

  it('does not claim an impossible zero', () => {
    expect(scientific(0)).toEqual({ mantissa: '< 1', exponent: -300 });
  });
});

describe('short forms', () => {
  it('keeps both ends of a hash and leaves short texts alone', () => {
    expect(shorten('0123456789abcdef0123', 4, 4)).toBe('0123…0123');
    expect(shorten('v-1234', 8, 6)).toBe('v-1234');
  });

  it('reads person names of one and of two scripts', () => {
    expect(personName('Ouyang^Xiaolan=欧阳^晓岚')).toBe('欧阳晓岚（Ouyang Xiaolan）');
    expect(personName('=张^建国')).toBe('张建国');
    expect(personName('Doe^Jane')).toBe('Doe Jane');
    expect(personName('')).toBe('–');
  });

  it('reads DICOM dates and sizes', () => {
    expect(dicomDate('20261123')).toBe('2026-11-23');
    expect(dicomDate('')).toBe('–');
    expect(bytes(7_240_112, 'en')).toBe('7.2 MB');
  });
});
