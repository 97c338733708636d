import { useEffect, useRef, useState } from 'react';
import type { DragEvent } from 'react';
import { Icon } from '../../ui/Icon';
import { useWords } from '../../ui/useWords';

const LIMIT_MB = 50;

/** Why a file cannot be traced, or null when it can be sent. */
export function refusalOf(file: Pick<File, 'type' | 'size'>): 'notPicture' | 'tooLarge' | null {
  if (!file.type.startsWith('image/')) return 'notPicture';
  return file.size > LIMIT_MB * 1e6 ? 'tooLarge' : null;
}

interface Props {
  picture: string;
  disabled: boolean;
  onPicture: (file: File) => void;
}

/** Takes a picture by drop, paste or file dialogue. */
export function DropZone({ picture, disabled, onPicture }: Props) {
  const { t } = useWords();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [refusal, setRefusal] = useState<ReturnType<typeof refusalOf>>(null);

  const take = (file: File | null | undefined) => {
    if (!file || disabled) return;
    const why = refusalOf(file);
    setRefusal(why);
    if (!why) onPicture(file);
  };

  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const file = [...(event.clipboardData?.files ?? [])].find((item) =>
        item.type.startsWith('image/'),
      );
      if (file) {
        event.preventDefault();
        take(file);
      }
    };
    addEventListener('paste', paste);
    return () => removeEventListener('paste', paste);
  });

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files[0]);
  };

  return (
    <div
      className="drop"
      data-over={over}
      data-full={picture !== ''}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      {picture ? (
        <img src={picture} alt={t('trace.leaked')} />
      ) : (
        <>
          <Icon name="upload" size={36} />
          <p>{t('trace.drop')}</p>
        </>
      )}
      <input
        ref={input}
        type="file"
        accept="image/*"
        className="visually-hidden"
        tabIndex={-1}
        aria-label={t('trace.choose')}
        disabled={disabled}
        onChange={(event) => take(event.currentTarget.files?.[0])}
      />
      <button
        type="button"
        className="button"
        disabled={disabled}
        onClick={() => input.current?.click()}
      >
        {t(picture ? 'trace.change' : 'trace.choose')}
      </button>
      <small className="muted">{t('trace.formats', { size: LIMIT_MB })}</small>
      {refusal && (
        <p className="tone-danger" role="alert">
          {t(`trace.${refusal}`, { size: LIMIT_MB })}
        </p>
      )}
    </div>
  );
}
