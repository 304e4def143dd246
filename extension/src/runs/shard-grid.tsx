import type { TranslationBundle } from '@jupyterlab/translation';
import type { TaskState } from '@labscale/schema';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';
import {
  cellRect,
  headingHeight,
  indexAt,
  layOutGrid,
  moveInGrid,
  placeAt,
  type IGridGroup,
  type IGridLayout
} from './grid-layout';
import type { RunModel } from './run-model';
import { taskStateText } from './run-text';
import { taskStateList } from './task-states';

export interface IShardGridProps {
  model: RunModel;
  trans: TranslationBundle;
  groups: readonly IGridGroup[];
  /** Whether the groups have headings. */
  grouped: boolean;
  /** How a task is called: its entities, or its shard. */
  nameOf: (index: number) => string;
  selectedIndex: number | null;
  onSelect: (index: number) => void;
  onOpen: (index: number) => void;
  themeChanged: ISignal<unknown, unknown> | null;
}

/** CSS pixels; of more than fit into it the grid shows a part, and scrolls. */
const mostHeight = 340;

/** A cell a task, on one canvas as large as the view: 100,000 cells scroll as easily as ten. */
export function ShardGrid(props: IShardGridProps): JSX.Element {
  const { model, trans, groups, grouped, nameOf, selectedIndex, themeChanged } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const canvas = React.useRef<HTMLCanvasElement>(null);
  const [size, setSize] = React.useState({ width: 0, height: 0 });
  const [hover, setHover] = React.useState<{ index: number; x: number; y: number } | null>(null);
  const [cursor, setCursor] = React.useState(0);
  const layout = React.useMemo(
    () => layOutGrid(groups, size.width, mostHeight, grouped),
    [groups, size.width, grouped]
  );
  const state = React.useRef({ layout, selectedIndex, cursor, size });
  state.current = { layout, selectedIndex, cursor, size };
  const frame = React.useRef(0);
  const paint = React.useCallback(() => {
    if (frame.current !== 0) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      if (canvas.current && scroller.current) {
        const focused = scroller.current === document.activeElement;
        drawGrid(canvas.current, scroller.current.scrollTop, { ...state.current, model, grouped, focused });
      }
    });
  }, [model, grouped]);

  React.useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  React.useEffect(() => {
    model.tasksChanged.connect(paint);
    themeChanged?.connect(paint);
    return () => {
      model.tasksChanged.disconnect(paint);
      themeChanged?.disconnect(paint);
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [model, themeChanged, paint]);
  React.useEffect(paint);

  const place = (event: React.MouseEvent): number | null => {
    const element = scroller.current;
    if (!element) return null;
    const box = element.getBoundingClientRect();
    return placeAt(layout, event.clientX - box.left, event.clientY - box.top + element.scrollTop);
  };
  const choose = (at: number) => {
    setCursor(at);
    const index = indexAt(layout, at);
    if (index !== null) props.onSelect(index);
    const element = scroller.current;
    const rect = cellRect(layout, at);
    if (!element || rect === null) return;
    const top = rect.y - (grouped ? headingHeight : 0);
    if (top < element.scrollTop) element.scrollTop = top;
    else if (rect.y + layout.pitch > element.scrollTop + element.clientHeight) {
      element.scrollTop = rect.y + layout.pitch - element.clientHeight;
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey || layout.count === 0) return;
    if (event.key === 'Enter') {
      const index = indexAt(layout, cursor);
      if (index !== null) props.onOpen(index);
    } else {
      const page = Math.max(1, Math.floor(size.height / layout.pitch) - 1);
      const to = moveInGrid(layout, Math.min(cursor, layout.count - 1), event.key, page);
      const moves = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown'];
      if (!moves.includes(event.key)) return;
      choose(to);
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const describe = (index: number): string => {
    const taskState = model.stateOf(index);
    const progress = model.progress.get(index);
    return [
      nameOf(index),
      taskState === null ? '' : taskStateText(taskState, trans),
      progress === undefined ? '' : `${Math.round(progress * 100)} %`
    ]
      .filter((part) => part !== '')
      .join(', ');
  };
  return (
    <div className="jp-Labscale-Grid">
      <div
        ref={scroller}
        className="jp-Labscale-Grid-scroller"
        style={{ height: Math.min(mostHeight, layout.height) }}
        tabIndex={0}
        role="application"
        aria-roledescription={trans.__('grid of tasks')}
        aria-label={trans.__('Tasks: arrow keys move, Enter opens')}
        onScroll={paint}
        onFocus={paint}
        onBlur={paint}
        onKeyDown={onKeyDown}
        onMouseMove={(event) => {
          const at = place(event);
          const index = at === null ? null : indexAt(layout, at);
          if (index === null) setHover(null);
          else if (index !== hover?.index) {
            const box = event.currentTarget.getBoundingClientRect();
            setHover({ index, x: event.clientX - box.left, y: event.clientY - box.top });
          }
        }}
        onMouseLeave={() => setHover(null)}
        onClick={(event) => {
          const at = place(event);
          if (at !== null) choose(at);
        }}
        onDoubleClick={(event) => {
          const at = place(event);
          const index = at === null ? null : indexAt(layout, at);
          if (index !== null) props.onOpen(index);
        }}
      >
        <div className="jp-Labscale-Grid-canvasHolder" style={{ height: layout.height }}>
          <canvas ref={canvas} className="jp-Labscale-Grid-canvas" aria-hidden="true" />
        </div>
      </div>
      {hover !== null && (
        <div
          className="jp-Labscale-Grid-tooltip"
          style={{
            left: Math.max(0, Math.min(hover.x + 12, size.width - 220)),
            top: hover.y > size.height - 60 ? hover.y - 40 : hover.y + 16
          }}
        >
          {describe(hover.index)}
        </div>
      )}
      <div className="jp-Labscale-visuallyHidden" role="status" aria-live="polite">
        {selectedIndex === null ? '' : describe(selectedIndex)}
      </div>
    </div>
  );
}

interface IDrawn {
  model: RunModel;
  layout: IGridLayout;
  size: { width: number; height: number };
  grouped: boolean;
  selectedIndex: number | null;
  cursor: number;
  focused: boolean;
}

/** Lab's variables for each state; the marks inside tell the states apart without colour. */
const stateVariables: Record<TaskState, string> = {
  held: '--jp-layout-color3',
  waiting: '--jp-layout-color3',
  running: '--jp-brand-color1',
  succeeded: '--jp-success-color1',
  reused: '--jp-success-color1',
  failed: '--jp-error-color1',
  stopped: '--jp-warn-color1'
};

function drawGrid(canvas: HTMLCanvasElement, scrollTop: number, drawn: IDrawn): void {
  const { layout, size, model, grouped } = drawn;
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(size.width * ratio);
  const height = Math.round(size.height * ratio);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = `${size.width}px`;
    canvas.style.height = `${size.height}px`;
  }
  const context = canvas.getContext('2d');
  if (!context || size.width === 0) return;
  const style = getComputedStyle(canvas);
  const color = (variable: string) => style.getPropertyValue(variable).trim();
  const colors = taskStateList.map((state) => color(stateVariables[state]));
  const background = color('--jp-layout-color1');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  const { pitch, columns } = layout;
  const side = pitch - (pitch > 8 ? 2 : 1);
  const bottom = scrollTop + size.height;
  for (const group of layout.groups) {
    const groupBottom = group.cellTop + group.rows * pitch;
    if (groupBottom < scrollTop || group.top > bottom) continue;
    if (grouped) {
      context.fillStyle = color('--jp-ui-font-color1');
      context.font = `${color('--jp-ui-font-size1')} ${color('--jp-ui-font-family')}`;
      context.textBaseline = 'middle';
      context.fillText(`${group.label} (${group.indexes.length})`, 0, group.top - scrollTop + headingHeight / 2);
    }
    const firstRow = Math.max(0, Math.floor((scrollTop - group.cellTop) / pitch));
    const lastRow = Math.min(group.rows - 1, Math.floor((bottom - group.cellTop) / pitch));
    const end = Math.min(group.indexes.length, (lastRow + 1) * columns);
    for (let offset = firstRow * columns; offset < end; offset += 1) {
      const index = group.indexes[offset] as number;
      const x = (offset % columns) * pitch;
      const y = group.cellTop + Math.floor(offset / columns) * pitch - scrollTop;
      const state = model.states[index] ?? 0;
      drawCell(
        context,
        x,
        y,
        side,
        taskStateList[state] ?? 'waiting',
        colors[state] ?? '',
        background,
        model.progress.get(index)
      );
    }
  }
  const mark = (at: number | null, line: string) => {
    const rect = at === null ? null : cellRect(layout, at);
    if (rect === null) return;
    // Two frames, one of the page's own colour: it stands out on every state.
    const inset = side >= 8 ? 1 : 0;
    context.lineWidth = 2;
    context.strokeStyle = background;
    context.strokeRect(rect.x + inset + 2, rect.y - scrollTop + inset + 2, side - 2 * inset - 4, side - 2 * inset - 4);
    context.strokeStyle = line;
    context.strokeRect(rect.x + inset, rect.y - scrollTop + inset, side - 2 * inset, side - 2 * inset);
  };
  if (drawn.selectedIndex !== null) mark(placeOf(layout, drawn.selectedIndex), color('--jp-ui-font-color0'));
  if (drawn.focused) mark(drawn.cursor, color('--jp-brand-color1'));
}

/** Place in drawing order of a task index. */
function placeOf(layout: IGridLayout, index: number): number | null {
  for (const group of layout.groups) {
    const indexes = group.indexes;
    // Ascending in every group, so a binary search finds it among 100,000.
    let low = 0;
    let high = indexes.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = indexes[middle] as number;
      if (found === index) return group.first + middle;
      if (found < index) low = middle + 1;
      else high = middle - 1;
    }
  }
  return null;
}

/** Used for the legend too. */
export function drawCell(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  side: number,
  state: TaskState,
  color: string,
  background: string,
  progress: number | undefined
): void {
  const fine = side >= 8;
  context.lineWidth = 1;
  context.strokeStyle = color;
  context.fillStyle = color;
  switch (state) {
    case 'held':
      context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
      return;
    case 'waiting':
      context.globalAlpha = 0.6;
      context.fillRect(x, y, side, side);
      context.globalAlpha = 1;
      return;
    case 'running': {
      context.globalAlpha = 0.35;
      context.fillRect(x, y, side, side);
      context.globalAlpha = 1;
      const done = Math.round(side * (progress ?? 0.5));
      context.fillRect(x, y + side - done, side, done);
      context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
      return;
    }
    case 'succeeded':
      context.fillRect(x, y, side, side);
      return;
    case 'reused': {
      // A frame: the same colour as success, told apart by its hole.
      context.fillRect(x, y, side, side);
      const hole = Math.max(2, Math.round(side / 2.4));
      const inset = (side - hole) / 2;
      context.fillStyle = background;
      context.fillRect(x + inset, y + inset, hole, hole);
      return;
    }
    case 'failed':
      context.fillRect(x, y, side, side);
      if (fine) {
        context.strokeStyle = background;
        context.lineWidth = Math.max(1.5, side / 9);
        const inset = side * 0.28;
        context.beginPath();
        context.moveTo(x + inset, y + inset);
        context.lineTo(x + side - inset, y + side - inset);
        context.moveTo(x + side - inset, y + inset);
        context.lineTo(x + inset, y + side - inset);
        context.stroke();
      }
      return;
    case 'stopped':
      context.fillRect(x, y, side, side);
      if (fine) {
        context.fillStyle = background;
        context.fillRect(x + side * 0.25, y + side / 2 - 1, side * 0.5, 2);
      }
  }
}

/** The look of a state, small, for legends and tables. */
export function StateMark(props: { state: TaskState; themeChanged: ISignal<unknown, unknown> | null }): JSX.Element {
  const canvas = React.useRef<HTMLCanvasElement>(null);
  const { state, themeChanged } = props;
  React.useEffect(() => {
    const draw = () => {
      const element = canvas.current;
      const context = element?.getContext('2d');
      if (!element || !context) return;
      const style = getComputedStyle(element);
      const color = (variable: string) => style.getPropertyValue(variable).trim();
      context.setTransform(2, 0, 0, 2, 0, 0);
      context.clearRect(0, 0, 12, 12);
      drawCell(context, 0, 0, 12, state, color(stateVariables[state]), color('--jp-layout-color1'), undefined);
    };
    draw();
    themeChanged?.connect(draw);
    return () => void themeChanged?.disconnect(draw);
  }, [state, themeChanged]);
  return <canvas ref={canvas} className="jp-Labscale-StateMark" width={24} height={24} aria-hidden="true" />;
}
