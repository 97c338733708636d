import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Loading } from '../ui/parts';
import { ProblemNote } from '../ui/ProblemNote';

interface Options<T> {
  name: readonly unknown[];
  load: () => Promise<T>;
  /** Ask again after so many milliseconds; without it the answer stays. */
  every?: number;
  children: (data: T) => ReactNode;
}

/** Loads one answer and shows loading, failure or the content. */
export function Query<T>({ name, load, every, children }: Options<T>) {
  const { data, error, refetch } = useQuery({
    queryKey: name,
    queryFn: load,
    ...(every ? { refetchInterval: every } : {}),
  });
  const note = error && <ProblemNote error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return note || <Loading />;
  return (
    <>
      {note}
      {children(data)}
    </>
  );
}
