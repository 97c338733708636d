import { describe, expect, it } from 'vitest';
import { apiPath } from '../src/api/client';
import { learnServerTime, serverNow } from '../src/api/clock';
import { Problem, problemFrom } from '../src/api/problem';
import { firstPage, isReader, pagesOf } from '../src/app/roles';
import { href, linkToken, parseRoute } from '../src/app/route';
import { initialLanguage } from '../src/i18n';
import { en } from '../src/i18n/en';
import { zhCN } from '../src/i18n/zh-CN';
import { stepState } from '../src/pages/CasePage';
import { plain } from '../src/pages/LedgerPage';
import { selectViews } from '../src/pages/AccessPage';
import { bars } from '../src/pages/trace/Decoys';
import { refusalOf } from '../src/pages/trace/DropZone';
import { stateOf } from '../src/pages/trace/Verdict';
import { clockOf } from '../src/ui/CaseClock';
import { ceiling } from '../src/ui/HourChart';

describe('routes', () => {
  it('reads page and id back from its own links', () => {
    expect(parseRoute(href('cases', 'CASE/7 #1'))).toEqual({ page: 'cases', id: 'CASE/7 #1' });
    expect(parseRoute('')).toEqual({ page: '', id: '' });
    expect(parseRoute('#/view/%zz')).toEqual({ page: 'view', id: '%zz' });
  });

  it('takes a one-time token and nothing else from the hash', () => {
    expect(linkToken('#link=aZ_9-x')).toBe('aZ_9-x');
    expect(linkToken('#/overview')).toBe('');
    expect(linkToken('#link=<script>')).toBe('');
  });
});

describe('roles', () => {
  it('shows each role its first question first', () => {
    expect(firstPage('radiologist')).toBe('worklist');
    expect(firstPage('privacy_officer')).toBe('overview');
    expect(pagesOf('pacs_admin')).toContain('quarantine');
    expect(pagesOf('radiologist')).not.toContain('trace');
    expect(isReader('clinician')).toBe(true);
    expect(isReader('auditor')).toBe(false);
  });
});

describe('problemFrom', () => {
  it('keeps code, remedy and reasons of an API problem', () => {
    const body = JSON.stringify({
      code: 'denied',
      message: 'no order',
      remedy: 'ask',
      reasons: [{ code: 'a', en: 'A', zh: '甲' }],
    });
    const problem = problemFrom(403, body);
    expect(problem).toBeInstanceOf(Problem);
    expect([problem.code, problem.remedy, problem.refused]).toEqual(['denied', 'ask', true]);
    expect(problem.reasons[0]!.zh).toBe('甲');
  });

  it('names the status when a proxy answered', () => {
    expect(problemFrom(502, '<html>').code).toBe('http-502');
    expect(problemFrom(0, '').code).toBe('unreachable');
  });
});

describe('apiPath', () => {
  it('stays below /api', () => {
    expect(apiPath('trace/t1/overlay.png')).toBe('/api/trace/t1/overlay.png');
    expect(apiPath('/api/trace/t1/overlay.png')).toBe('/api/trace/t1/overlay.png');
    for (const bad of ['//evil.example/x', 'https://evil.example', '../x', '/other', 'a/../../b']) {
      expect(apiPath(bad)).toBe('');
    }
  });
});

describe('serverNow', () => {
  it('follows the server when the workstation runs ahead', () => {
    const local = Date.now();
    learnServerTime(new Date(local - 600_000).toUTCString(), local);
    expect(Math.abs(serverNow() - (Date.now() - 600_000))).toBeLessThan(2000);
    learnServerTime(new Date(local).toUTCString(), local);
  });
});

describe('case clock', () => {
  const opened_at = '2026-11-23T10:00:00Z';
  const due_at = '2026-11-23T12:00:00Z';
  const at = (time: string) => Date.parse(`2026-11-23T${time}Z`);

  it('runs, nears its end and goes over', () => {
    const item = { opened_at, due_at, closed_at: null };
    expect(clockOf(item, at('10:30:00'))).toMatchObject({ share: 0.25, state: 'running' });
    expect(clockOf(item, at('11:45:00')).state).toBe('near');
    expect(clockOf(item, at('12:00:01'))).toMatchObject({ left: -1000, state: 'over' });
  });

  it('stops when the case closes', () => {
    const item = { opened_at, due_at, closed_at: '2026-11-23T11:37:00Z' };
    expect(clockOf(item, at('23:00:00'))).toMatchObject({ taken: 97 * 60_000, state: 'closed' });
  });

  it('marks a step late only while it is not done', () => {
    const step = { code: 'a', en: 'A', zh: '甲', due_at, done_at: null };
    expect(stepState(step, at('11:00:00'))).toBe('waiting');
    expect(stepState(step, at('13:00:00'))).toBe('late');
    expect(stepState({ ...step, done_at: due_at }, at('13:00:00'))).toBe('done');
  });
});

describe('tables', () => {
  const row = {
    ledger_index: 1,
    at: '2026-11-23T10:00:00Z',
    recipient: 'wang.fang',
    recipient_display: '王芳',
    sop_instance: '1.2',
    order: 'O-1',
    regions: [],
    allowed: true,
    view_id: 'v-1',
    channel: 'console',
    reasons: [],
  };

  it('filters views by text and outcome', () => {
    const rows = [row, { ...row, ledger_index: 2, allowed: false, recipient_display: '李伟' }];
    expect(selectViews(rows, '王芳', 'all')).toHaveLength(1);
    expect(selectViews(rows, '', 'refused').map((found) => found.ledger_index)).toEqual([2]);
    expect(selectViews(rows, ' WANG ', 'allowed')).toHaveLength(1);
  });

  it('writes any ledger value as one line', () => {
    expect(plain(['a', 'b'])).toBe('a, b');
    expect(plain({ a: 1 })).toBe('{"a":1}');
    expect(plain('')).toBe('–');
    expect(plain(false)).toBe('false');
  });

  it('chooses a readable axis', () => {
    expect(ceiling(47)).toBe(50);
    expect(ceiling(0)).toBe(4);
    expect(ceiling(101)).toBe(200);
  });
});

describe('leaked pictures', () => {
  it('refuses what is no picture or too large before sending it', () => {
    expect(refusalOf({ type: 'application/pdf', size: 10 })).toBe('notPicture');
    expect(refusalOf({ type: 'image/png', size: 280e6 })).toBe('tooLarge');
    expect(refusalOf({ type: 'image/jpeg', size: 1e6 })).toBeNull();
  });

  it('takes films, DICOM and what the browser knows no type of', () => {
    for (const file of [
      { type: 'video/mp4', size: 1 },
      { type: 'application/dicom', size: 1 },
      { type: '', size: 1, name: 'IMG_1.HEIC' },
      { type: '', size: 1, name: 'film.dcm' },
    ]) {
      expect(refusalOf(file)).toBeNull();
    }
    expect(refusalOf({ type: '', size: 1, name: 'letter.docx' })).toBe('notPicture');
  });

  it('knows four verdicts and takes any other word for no evidence', () => {
    expect(['traced', 'waiting', 'refused', 'inconclusive'].map(stateOf)).toEqual([
      'traced',
      'waiting',
      'refused',
      'inconclusive',
    ]);
    expect(stateOf('toString')).toBe('inconclusive');
  });

  it('counts decoys into quarters and leaves out what is off the axis', () => {
    const counted = bars([-4, -3.9, 0, 0.1, 7.99, 8, -9]);
    expect(counted).toHaveLength(48);
    expect([counted[0], counted[16], counted[47]]).toEqual([2, 2, 1]);
    expect(counted.reduce((sum, one) => sum + one)).toBe(5);
  });
});

describe('dictionaries', () => {
  const leaves = (words: object, path = ''): [string, string][] =>
    Object.entries(words).flatMap(([key, value]) =>
      typeof value === 'string' ? [[`${path}${key}`, value]] : leaves(value as object, `${path}${key}.`),
    );
  const ui = ({ codes: _codes, ...rest }: Record<string, object>) => Object.fromEntries(leaves(rest));

  it('have the same keys and the same placeholders', () => {
    const [zh, english] = [ui(zhCN), ui(en)];
    expect(Object.keys(english).sort()).toEqual(Object.keys(zh).sort());
    const slots = (text: string) => [...text.matchAll(/\{\{(\w+)/g)].map((slot) => slot[1]).sort();
    for (const [key, text] of Object.entries(zh)) {
      expect(slots(english[key]!), key).toEqual(slots(text));
    }
  });

  it('use the words of the glossary', () => {
    expect(zhCN.trace.traced).toBe('已指向调阅');
    expect(zhCN.trace.inconclusive).toBe('证据不足');
    const all = leaves(zhCN).map(([, text]) => text);
    expect(all.filter((text) => text.includes('封存'))).toEqual([]);
    expect(all.filter((text) => text.includes('脱敏'))).toEqual([]);
    expect(leaves(en).filter(([, text]) => /accus/i.test(text))).toEqual([]);
  });

  it('start in Chinese unless English was chosen', () => {
    expect(initialLanguage(null)).toBe('zh-CN');
    expect(initialLanguage('en')).toBe('en');
    expect(initialLanguage('fr')).toBe('zh-CN');
  });
});
