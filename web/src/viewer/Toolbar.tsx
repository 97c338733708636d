import { Icon } from '../ui/Icon';
import type { IconName } from '../ui/Icon';
import { useWords } from '../ui/useWords';
import type { DragTool } from './Film';

const DRAG_TOOLS: readonly { tool: DragTool; key: string }[] = [
  { tool: 'window', key: 'W' },
  { tool: 'zoom', key: 'Z' },
  { tool: 'pan', key: 'P' },
];

interface Props {
  tool: DragTool;
  outlines: boolean;
  inverted: boolean;
  choose: (tool: DragTool) => void;
  invert: () => void;
  toggleOutlines: () => void;
  actualSize: () => void;
  reset: () => void;
}

export function Toolbar({ tool, outlines, inverted, ...actions }: Props) {
  const { t } = useWords();
  const { choose, invert, toggleOutlines, actualSize, reset } = actions;
  return (
    <div className="tools" role="toolbar" aria-orientation="vertical" aria-label={t('viewer.tools')}>
      {DRAG_TOOLS.map((item) => (
        <Tool
          key={item.tool}
          icon={item.tool}
          label={t(`viewer.${item.tool}`)}
          shortcut={item.key}
          pressed={tool === item.tool}
          onClick={() => choose(item.tool)}
        />
      ))}
      <hr />
      <Tool icon="invert" label={t('viewer.invert')} shortcut="I" pressed={inverted} onClick={invert} />
      <Tool
        icon="outlines"
        label={t('viewer.outlines')}
        shortcut="V"
        pressed={outlines}
        onClick={toggleOutlines}
      />
      <Tool icon="actual" label={t('viewer.actual')} shortcut="1" onClick={actualSize} />
      <Tool icon="reset" label={t('viewer.reset')} shortcut="R" onClick={reset} />
    </div>
  );
}

interface ToolProps {
  icon: IconName;
  label: string;
  shortcut: string;
  pressed?: boolean;
  onClick: () => void;
}

function Tool({ icon, label, shortcut, pressed, onClick }: ToolProps) {
  return (
    <button
      type="button"
      className="tool"
      aria-pressed={pressed}
      aria-keyshortcuts={shortcut}
      title={`${label} (${shortcut})`}
      onClick={onClick}
    >
      <Icon name={icon} size={22} />
      <span>{label}</span>
      <kbd aria-hidden="true">{shortcut}</kbd>
    </button>
  );
}
