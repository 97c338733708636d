import { useEffect, useRef, useState } from 'react';
import { traceCopy } from '../../api/client';
import type { TraceResult } from '../../api/types';

export interface Copy {
  id: number;
  file: File;
  /** An object URL of a picture that the browser can show, else empty. */
  picture: string;
  state: 'queued' | 'running' | 'done' | 'failed';
  /** Share uploaded, 0 to 1. */
  sent: number;
  result?: TraceResult;
  error?: unknown;
}

const SHOWN = /^image\/(png|jpeg|webp|gif|bmp|avif|svg)/;

/** Copies that are traced one after the other; those that follow a hit belong to its case. */
export function useQueue() {
  const [copies, setCopies] = useState<Copy[]>([]);
  const [running, setRunning] = useState(false);
  const next = useRef(0);
  const made = useRef<string[]>([]);

  useEffect(() => () => made.current.forEach((url) => URL.revokeObjectURL(url)), []);

  const change = (id: number, values: Partial<Copy>) =>
    setCopies((all) => all.map((copy) => (copy.id === id ? { ...copy, ...values } : copy)));

  const add = (files: readonly File[]) =>
    setCopies((all) => [
      ...all,
      ...files.map((file): Copy => {
        const picture = SHOWN.test(file.type) ? URL.createObjectURL(file) : '';
        if (picture) made.current.push(picture);
        return { id: next.current++, file, picture, state: 'queued', sent: 0 };
      }),
    ]);

  const remove = (id: number) => setCopies((all) => all.filter((copy) => copy.id !== id));

  const start = async (purpose: string) => {
    setRunning(true);
    let incident = copies.find((copy) => copy.result?.case)?.result?.case ?? '';
    for (const copy of copies.filter((one) => one.state !== 'done')) {
      change(copy.id, { state: 'running', sent: 0, error: undefined });
      try {
        const result = await traceCopy(copy.file, purpose, incident, (sent) =>
          change(copy.id, { sent }),
        );
        incident ||= result.case ?? '';
        change(copy.id, { state: 'done', result });
      } catch (error) {
        change(copy.id, { state: 'failed', error });
      }
    }
    setRunning(false);
  };

  return {
    copies,
    running,
    add,
    remove,
    start,
    replace: (id: number, result: TraceResult) => change(id, { result }),
    clear: () => setCopies([]),
  };
}
