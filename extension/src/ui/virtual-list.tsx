import * as React from 'react';

export interface IVirtualListRow {
  /** Content of the row. */
  content: React.ReactNode;
  className?: string;
  /** For `tree`: depth from 1. */
  level?: number;
  /** For `tree`: undefined for a leaf. */
  expanded?: boolean;
  title?: string;
}

export interface IVirtualListProps {
  label: string;
  role: 'listbox' | 'tree';
  count: number;
  /** CSS pixels; the same for every row. */
  rowHeight: number;
  row: (index: number) => IVirtualListRow;
  /** Stable across changes, so that React and the selection follow the row. */
  rowKey: (index: number) => string;
  selectedIndex: number | null;
  onSelect: (index: number) => void;
  /** Enter, or a click. */
  onOpen?: (index: number) => void;
  /** For `tree`: arrow right and left. */
  onExpand?: (index: number, expanded: boolean) => void;
  /** A right click, or the menu key on the selected row; the place is in client coordinates. */
  onMenu?: (index: number, x: number, y: number) => void;
  /** First and last row in sight, for fetching pages. */
  onRange?: (first: number, last: number) => void;
  className?: string;
}

/** Rows drawn beyond the visible ones, on each side. */
const margin = 8;

/** A list of any length that has only the rows in sight in the document; arrows, Home, End, Page keys, Enter. */
export function VirtualList(props: IVirtualListProps): JSX.Element {
  const { count, rowHeight, selectedIndex, onSelect, onRange, role } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const id = React.useId();
  const [top, setTop] = React.useState(0);
  const [height, setHeight] = React.useState(0);

  React.useLayoutEffect(() => {
    const element = node.current;
    if (!element) return;
    const measure = () => setHeight(element.clientHeight);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const first = Math.max(0, Math.min(count, Math.floor(top / rowHeight) - margin));
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + margin);
  React.useEffect(() => {
    if (count > 0) onRange?.(first, Math.max(first, last - 1));
  }, [first, last, count, onRange]);

  const select = (index: number) => {
    const to = Math.max(0, Math.min(count - 1, index));
    const element = node.current;
    if (count === 0 || !element) return;
    onSelect(to);
    if (to * rowHeight < element.scrollTop) element.scrollTop = to * rowHeight;
    else if ((to + 1) * rowHeight > element.scrollTop + element.clientHeight) {
      element.scrollTop = (to + 1) * rowHeight - element.clientHeight;
    }
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = selectedIndex ?? -1;
    const page = Math.max(1, Math.floor(height / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: count - 1,
      PageDown: at + page,
      PageUp: at - page
    };
    const to = moves[event.key];
    if (to !== undefined) select(to);
    else if (event.key === 'Enter' && at >= 0) props.onOpen?.(at);
    else if (event.key === 'ArrowRight' && at >= 0 && role === 'tree') {
      if (props.row(at).expanded === false) props.onExpand?.(at, true);
      else select(at + 1);
    } else if (event.key === 'ArrowLeft' && at >= 0 && role === 'tree') {
      const row = props.row(at);
      if (row.expanded) props.onExpand?.(at, false);
      else {
        let parent = at - 1;
        while (parent > 0 && (props.row(parent).level ?? 1) >= (row.level ?? 1)) parent -= 1;
        if ((row.level ?? 1) > 1) select(parent);
      }
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const rows: JSX.Element[] = [];
  for (let index = first; index < last; index += 1) {
    const row = props.row(index);
    const selected = index === selectedIndex;
    rows.push(
      <div
        key={props.rowKey(index)}
        id={`${id}-${index}`}
        role={role === 'tree' ? 'treeitem' : 'option'}
        aria-selected={selected}
        aria-level={row.level}
        aria-expanded={row.expanded}
        aria-setsize={role === 'listbox' ? count : undefined}
        aria-posinset={role === 'listbox' ? index + 1 : undefined}
        title={row.title}
        className={`jp-Labscale-Row${selected ? ' jp-mod-selected' : ''}${row.className ? ` ${row.className}` : ''}`}
        style={{ position: 'absolute', top: index * rowHeight, height: rowHeight, left: 0, right: 0 }}
        onClick={(event) => {
          onSelect(index);
          // The second click of a double click has nothing more to open.
          if (event.detail < 2) props.onOpen?.(index);
        }}
        onContextMenu={(event) => {
          if (!props.onMenu) return;
          event.preventDefault();
          event.stopPropagation();
          onSelect(index);
          props.onMenu(index, event.clientX, event.clientY);
        }}
      >
        {row.content}
      </div>
    );
  }

  const activeInSight = selectedIndex !== null && selectedIndex >= first && selectedIndex < last;
  return (
    <div
      ref={node}
      className={`jp-Labscale-List${props.className ? ` ${props.className}` : ''}`}
      role={role}
      aria-label={props.label}
      aria-activedescendant={activeInSight ? `${id}-${selectedIndex}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onContextMenu={(event) => {
        // The menu key goes to the focused element, which is the list and not its active row.
        if (!props.onMenu || selectedIndex === null || event.target !== node.current) return;
        event.preventDefault();
        event.stopPropagation();
        const box = node.current.getBoundingClientRect();
        props.onMenu(selectedIndex, box.left + 24, box.top + (selectedIndex + 1) * rowHeight - node.current.scrollTop);
      }}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <div role="presentation" style={{ position: 'relative', height: count * rowHeight }}>
        {rows}
      </div>
    </div>
  );
}
