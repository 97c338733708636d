/** Times, sizes and numbers as people read them, in the reader's time zone. */

const pad = (value: number, width = 2) => String(value).padStart(width, '0');

/** `2026-11-23 20:15:03`, with milliseconds where the ledger's time is meant. */
export function dateTime(iso: string | null | undefined, milliseconds = false): string {
  if (!iso) return '–';
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '–';
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  return milliseconds ? `${day} ${time}.${pad(at.getMilliseconds(), 3)}` : `${day} ${time}`;
}

/** A deadline: the time alone when it is today, the date with it otherwise. */
export function dueTime(iso: string, now: number): string {
  const whole = dateTime(iso).slice(0, -3);
  return whole.slice(0, 10) === dateTime(new Date(now).toISOString()).slice(0, 10)
    ? whole.slice(11)
    : whole;
}

/** `1:32:07` for a span in milliseconds; the sign is the caller's business. */
export function span(milliseconds: number): string {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${h}:${pad(m)}:${pad(s)}`;
}

/** A coarse span in words, such as `5 min` or `3 天`. */
export function coarseSpan(milliseconds: number, language: string): string {
  const minutes = Math.max(0, Math.round(milliseconds / 60000));
  const [value, unit] =
    minutes < 60
      ? [minutes, 'minute']
      : minutes < 48 * 60
        ? [Math.round(minutes / 60), 'hour']
        : [Math.round(minutes / 1440), 'day'];
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit,
    unitDisplay: language === 'en' ? 'short' : 'long',
  }).format(value);
}

export function ago(iso: string, now: number, language: string): string {
  const seconds = Math.round((Date.parse(iso) - now) / 1000);
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  if (Math.abs(seconds) < 60) return format.format(Math.min(seconds, 0), 'second');
  if (Math.abs(seconds) < 3600) return format.format(Math.round(seconds / 60), 'minute');
  if (Math.abs(seconds) < 48 * 3600) return format.format(Math.round(seconds / 3600), 'hour');
  return format.format(Math.round(seconds / 86400), 'day');
}

export function count(value: number, language: string): string {
  return new Intl.NumberFormat(language).format(value);
}

export function bytes(value: number, language: string): string {
  const [amount, unit] =
    value < 1e6 ? [value / 1e3, 'KB'] : value < 1e9 ? [value / 1e6, 'MB'] : [value / 1e9, 'GB'];
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(amount)} ${unit}`;
}

/** DICOM DA `20261123` as `2026-11-23`; anything else unchanged. */
export function dicomDate(value: string): string {
  return /^\d{8}$/.test(value)
    ? `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}`
    : value || '–';
}

/** DICOM PN (PS3.5 6.2.1): the ideographic group first, the alphabetic one behind it. */
export function personName(value: string): string {
  const [alphabetic = [], ideographic = []] = value
    .split('=')
    .map((group) => group.split('^').filter(Boolean));
  const [latin, han] = [alphabetic.join(' '), ideographic.join('')];
  return han && latin ? `${han}（${latin}）` : han || latin || '–';
}

export interface Scientific {
  mantissa: string;
  exponent: number | null;
}

/** A probability as mantissa × 10^exponent; plain decimals from 0.001 up. */
export function scientific(value: number): Scientific {
  if (value >= 0.001) return { mantissa: value.toPrecision(2), exponent: null };
  if (value <= 0) return { mantissa: '< 1', exponent: -300 };
  const [mantissa = '', exponent = '0'] = value.toExponential(1).split('e');
  return { mantissa, exponent: Number(exponent) };
}

export function shorten(text: string, head = 8, tail = 6): string {
  return text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`;
}
