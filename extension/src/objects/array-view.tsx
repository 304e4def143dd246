import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { formatCount } from '../ui/format-count';
import { planeOffsets, type IArray } from './npy';

const mostPictures = 60;
const mostPoints = 2_000;
const smallestSide = 72;
const largestSide = 480;

export interface IArrayViewProps {
  array: IArray;
  trans: TranslationBundle;
}

/** An array as pictures of its last two axes, as a line, or as a number. */
export function ArrayView(props: IArrayViewProps): JSX.Element {
  const { array, trans } = props;
  const { shape } = array;
  const range = React.useMemo(() => valueRange(array), [array]);
  const pictures = shape.length >= 2 ? shape.slice(0, -2).reduce((product, one) => product * one, 1) : 0;
  const facts = [
    `${array.dtype} ${shape.join(' × ') || trans.__('one number')}`,
    range ? trans.__('from %1 to %2', short(range.low), short(range.high)) : trans.__('no finite number'),
    pictures > mostPictures ? trans.__('the first %1 of %2 shown', mostPictures, formatCount(pictures)) : ''
  ].filter((fact) => fact !== '');
  return (
    <div className="jp-Labscale-Array">
      <p className="jp-Labscale-dim">{facts.join(', ')}</p>
      {array.size > 0 && range && shape.length === 0 && <p>{array.at(0)}</p>}
      {array.size > 0 && range && shape.length === 1 && <Line array={array} low={range.low} high={range.high} />}
      {array.size > 0 && range && shape.length >= 2 && (
        <div className="jp-Labscale-Array-pictures">
          {planeOffsets(array, mostPictures).map((offset, index) => (
            <Picture
              key={offset}
              array={array}
              offset={offset}
              low={range.low}
              high={range.high}
              single={pictures === 1}
              label={trans.__('Picture %1', index + 1)}
            />
          ))}
        </div>
      )}
    </div>
  );
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** Over all elements, or a regular sample of a million. */
function valueRange(array: IArray): { low: number; high: number } | null {
  let low = Infinity;
  let high = -Infinity;
  const step = Math.max(1, Math.ceil(array.size / 1_000_000));
  for (let offset = 0; offset < array.size; offset += step) {
    const value = array.at(offset);
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? { low, high } : null;
}

interface IPictureProps {
  array: IArray;
  offset: number;
  low: number;
  high: number;
  single: boolean;
  label: string;
}

function Picture(props: IPictureProps): JSX.Element {
  const { array, offset, low, high, single, label } = props;
  const canvas = React.useRef<HTMLCanvasElement>(null);
  const height = array.shape.at(-2) ?? 1;
  const width = array.shape.at(-1) ?? 1;
  React.useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || width === 0 || height === 0) return;
    const image = context.createImageData(width, height);
    const down = array.strides.at(-2) ?? 0;
    const right = array.strides.at(-1) ?? 0;
    const scale = high > low ? 255 / (high - low) : 0;
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const value = array.at(offset + row * down + column * right);
        const pixel = 4 * (row * width + column);
        image.data.fill((value - low) * scale, pixel, pixel + 3);
        // What is no number is left out.
        image.data[pixel + 3] = Number.isFinite(value) ? 255 : 0;
      }
    }
    context.putImageData(image, 0, 0);
  }, [array, offset, low, high, width, height]);
  const side = Math.min(largestSide, Math.max(single ? 320 : smallestSide, single ? Math.max(width, height) : 0));
  const zoom = side / Math.max(1, width, height);
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={label}
      width={width}
      height={height}
      style={{ width: width * zoom, height: height * zoom }}
    />
  );
}

function Line(props: { array: IArray; low: number; high: number }): JSX.Element {
  const { array, low, high } = props;
  const step = Math.max(1, Math.ceil(array.size / mostPoints));
  const points: string[] = [];
  for (let index = 0; index < array.size; index += step) {
    const value = array.at(index);
    if (!Number.isFinite(value)) continue;
    const x = (400 * index) / Math.max(1, array.size - 1);
    const y = 150 - (high > low ? (140 * (value - low)) / (high - low) : 70) - 5;
    points.push(`${x.toFixed(1)},${y.toFixed(1)}`);
  }
  return (
    <svg className="jp-Labscale-Array-line" viewBox="0 0 400 150" aria-hidden="true">
      <polyline points={points.join(' ')} />
    </svg>
  );
}
