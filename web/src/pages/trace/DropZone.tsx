import { useEffect, useRef, useState } from 'react';
import type { DragEvent } from 'react';
import { Icon } from '../../ui/Icon';
import { useWords } from '../../ui/useWords';

const LIMIT_MB = 200;
const KNOWN = /^(image|video)\/|^application\/dicom$/;
/** What browsers know no type of, by its ending. */
const NAMED = /\.(dcm|dicom|heic|heif|avif|mkv|mov|tiff?)$/i;

/** Why a file cannot be traced, or null when it can be sent. */
export function refusalOf(
  file: Pick<File, 'type' | 'size'> & { name?: string },
): 'notPicture' | 'tooLarge' | null {
  if (!KNOWN.test(file.type) && !NAMED.test(file.name ?? '')) return 'notPicture';
  return file.size > LIMIT_MB * 1e6 ? 'tooLarge' : null;
}

interface Props {
  disabled: boolean;
  full: boolean;
  onFiles: (files: File[]) => void;
}

/** Takes files by drop, paste or file dialogue; several at once. */
export function DropZone({ disabled, full, onFiles }: Props) {
  const { t } = useWords();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [refusal, setRefusal] = useState<ReturnType<typeof refusalOf>>(null);

  const take = (files: Iterable<File>) => {
    if (disabled) return;
    const given = [...files];
    const reasons = given.map(refusalOf);
    setRefusal(reasons.find(Boolean) ?? null);
    const fit = given.filter((_, index) => !reasons[index]);
    if (fit.length > 0) onFiles(fit);
  };

  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])].filter((file) => !refusalOf(file));
      if (files.length > 0) {
        event.preventDefault();
        take(files);
      }
    };
    addEventListener('paste', paste);
    return () => removeEventListener('paste', paste);
  });

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files);
  };

  return (
    <div
      className="drop"
      data-over={over}
      data-full={full}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Icon name="upload" size={full ? 24 : 36} />
      <p>{t(full ? 'trace.dropMore' : 'trace.drop')}</p>
      <input
        ref={input}
        type="file"
        multiple
        accept="image/*,video/*,.dcm,.dicom,.heic,.heif,.avif,.mkv,.mov,.tif,.tiff"
        className="visually-hidden"
        tabIndex={-1}
        aria-label={t('trace.choose')}
        disabled={disabled}
        onChange={(event) => {
          take(event.currentTarget.files ?? []);
          event.currentTarget.value = '';
        }}
      />
      <button
        type="button"
        className="button"
        disabled={disabled}
        onClick={() => input.current?.click()}
      >
        {t(full ? 'trace.more' : 'trace.choose')}
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
